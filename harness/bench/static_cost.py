"""Runs the static witness alone over the scripts of many pull requests: time of each, breakdowns, the slowest."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import json
import multiprocessing
import signal
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rich.progress import Progress

from harness.bench.tables import quantile
from harness.case import Claim, Script, Submission
from harness.intake import IntakeError, load_pull_request
from harness.intake.claim import claimed_configuration
from harness.sources import companion_sources
from harness.witnesses import static
from harness.witnesses.static.summary import BROKE

HANG_S = 60.0
"""Seconds of processor time of one script after which it counts as a hang."""


class Hang(BaseException):
    """A script kept the witness busy for too long; no `except Exception` on the way may swallow it."""


@dataclasses.dataclass(frozen=True)
class Row:
    """One script. Seconds are processor time of one process; `problem` names a breakdown, a crash or a hang of ours."""

    pr: int
    name: str
    lines: int
    seconds: float
    read_seconds: float
    parsed: bool
    score_followed: bool
    facts: int
    problem: str


def measure(clone: Path, numbers: Sequence[int], work: Path, processes: int) -> list[Row]:
    """Rows of all pull requests, in order; those that `work` holds already are not looked at again."""
    work.mkdir(parents=True, exist_ok=True)
    todo = [n for n in numbers if not (work / f"{n}.json").exists()]
    context = multiprocessing.get_context("fork")
    with (
        Progress() as progress,
        concurrent.futures.ProcessPoolExecutor(
            processes, mp_context=context, max_tasks_per_child=None
        ) as pool,
    ):
        task = progress.add_task("reading scripts", total=len(todo))
        waiting = [pool.submit(one, clone, n, work) for n in todo]
        for done in concurrent.futures.as_completed(waiting):
            done.result()
            progress.advance(task)
    return [Row(**row) for n in numbers for row in json.loads((work / f"{n}.json").read_text())]


def one(clone: Path, number: int, work: Path) -> None:
    """Look at every script of one pull request and leave its rows in `work`."""
    with tempfile.TemporaryDirectory(prefix="pgolf-") as scratch:
        started = time.process_time()
        try:
            submissions = load_pull_request(clone, number, Path(scratch))
        except IntakeError as error:
            rows = [Row(number, "", 0, 0.0, 0.0, False, False, 0, f"not read: {error}")]
        else:
            took = time.process_time() - started
            rows = [look(number, s, took / len(submissions)) for s in submissions if s.script is not None]
    aside = work / f"{number}.part"
    aside.write_text(json.dumps([dataclasses.asdict(r) for r in rows]))
    aside.rename(work / f"{number}.json")


def look(number: int, submission: Submission, read_seconds: float) -> Row:
    """The row of one script."""
    script = submission.script
    assert script is not None
    started = time.process_time()
    claim = claimed_configuration(submission)
    files = companion_sources(submission)
    read_seconds += time.process_time() - started
    started = time.process_time()
    facts, problem = guarded(script, claim, files)
    seconds = time.process_time() - started
    if facts is not None:
        problem = next((p for p in facts.problems if BROKE in p), "")
    return Row(
        number, submission.name, script.source.count("\n") + 1, round(seconds, 4), round(read_seconds, 4),
        facts is not None and facts.parsed, facts is not None and facts.score_followed,
        len(facts.facts) if facts is not None else 0, problem,
    )  # fmt: skip


def guarded(script: Script, claim: Claim, files: dict[str, str]) -> tuple[static.StaticFacts | None, str]:
    """The facts of a script, or what went wrong: a crash, or a hang."""

    def ring(number: int, frame: object) -> None:
        raise Hang

    before = signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, HANG_S)  # processor time: a busy machine makes no hang
    try:
        return static.examine(script, claim, files), ""
    except Hang:
        return None, f"hang: more than {HANG_S:g} s"
    except Exception as error:
        return None, f"crash: {type(error).__name__}: {error}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def report(rows: Sequence[Row]) -> str:
    """Sums, the slowest, and every breakdown by name, in Markdown."""
    scripts = [r for r in rows if r.lines]
    if not scripts:
        return "No scripts.\n"
    times = [r.seconds for r in scripts]
    faults = [r for r in rows if r.problem]
    lines = [
        f"- {len(scripts)} scripts of {len({r.pr for r in scripts})} pull requests, "
        f"{sum(r.lines for r in scripts):,} lines.",
        f"- Static witness: {sum(times):.0f} s of processor time in all ({sum(times) / 2:.0f} s on two cores), "
        f"median {statistics.median(times):.3f} s, p99 {quantile(times, 0.99):.2f} s. "
        f"Reading and claims: {sum(r.read_seconds for r in scripts):.0f} s.",
        f"- Parsed: {sum(r.parsed for r in scripts)}. Claimed score traced to losses of val tokens: "
        f"{sum(r.score_followed for r in scripts)}. With facts: {sum(r.facts > 0 for r in scripts)}.",
        f"- Crashes, hangs and breakdowns: {len(faults)}.",
        "",
        "| slowest | lines | seconds |",
        "|---|---:|---:|",
    ]
    slowest = sorted(scripts, key=lambda r: -r.seconds)[:10]
    lines += [f"| #{r.pr} {r.name} | {r.lines:,} | {r.seconds:.2f} |" for r in slowest]
    if faults:
        lines += ["", "| fault | script | what |", "|---|---|---|"]
        lines += [f"| #{r.pr} | {r.name} | {r.problem.replace('|', '/')[:200]} |" for r in faults]
    return "\n".join(lines) + "\n"
