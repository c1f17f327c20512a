"""Runs other people's compliance checkers over labelled pull requests, in the sandbox, and reads what they answer."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import json
import re
import shlex
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.progress import Progress

from harness.bench.rulings import CODE, Ruling, meant
from harness.case import Submission
from harness.intake import IntakeError, load_pull_request
from harness.sandbox import Limits, Mount, Sandbox

ANSWERS = ("fail", "none", "review", "pass")
"""What a checker may answer, worst first; "none": it crashed, ran into a limit, or said nothing that the mapping knows."""

PLACES = ("{script}", "{folder}", "{unpacked}")
"""Words of a command that stand for the entry script, for the folder it lies in, and for the script as our intake unpacks
it, in a file of its own and in syntax that this Python reads: many scripts unpack themselves, and some need a newer one."""

ROOM = "/submission"
"""Where a pull request's files lie inside the sandbox, at the places they have in the repository."""

UNPACKED = "/unpacked"

LIMITS = Limits(memory_bytes=2 * 2**30, wall_s=60, cpu_s=30, processes=64, output_bytes=2**20)

_USUAL = (("fail", "^exit 1$"), ("review", "^exit 3$"), ("pass", "^exit 0$"))
_CRASH = "Traceback (most recent call last)"


@dataclasses.dataclass(frozen=True)
class Checker:
    """A program that looks at a submission and answers. `answers` are (answer, pattern) pairs (see :meth:`answer`)."""

    name: str
    command: tuple[str, ...]
    answers: tuple[tuple[str, str], ...] = _USUAL

    def answer(self, said: Said) -> str:
        """One of ANSWERS: the worst one with a pattern that is found in what the checker printed.

        The patterns are searched line by line in stdout and stderr followed by a line that says how it ended: "exit 0".
        A checker that was stopped, or that died of an exception, answered nothing.
        """
        if not said.end.startswith("exit ") or (said.end != "exit 0" and _CRASH in said.output):
            return "none"
        text = f"{said.output}\n{said.end}"
        found = {a for a, pattern in self.answers if re.search(pattern, text, re.MULTILINE)}
        return next((a for a in ANSWERS if a in found), "none")

    def mounts(self) -> list[Mount]:
        """The files and folders of this machine that the command names; the sandbox shows no others of them."""
        named = [w for w in self.command if w.startswith("/") and w != sys.executable]
        return [Mount(Path(w), w) for w in named if Path(w).exists()]


@dataclasses.dataclass(frozen=True)
class Said:
    """What a checker printed on one submission, and how it ended: "exit N", or the limit that stopped it."""

    name: str
    end: str
    output: str


def read_checkers(commands: Sequence[str], answers: Sequence[str]) -> list[Checker]:
    """Checkers from "NAME=COMMAND" and their mappings from "NAME=ANSWER:REGEX".

    A mapping takes the place of the usual one: exit code 0 is pass, 1 fail, 3 review. Raises IntakeError on a
    form that does not fit, on a command that names none of PLACES, and on a pattern that does not compile.
    """
    found: dict[str, Checker] = {}
    for text in commands:
        name, sign, command = text.partition("=")
        words = tuple(_word(w) for w in shlex.split(command))
        if not sign or not re.fullmatch(r"[\w.-]+", name) or name in found:
            raise IntakeError(
                f"{text!r} is no checker: NAME=COMMAND, each name once, of letters, digits, - and _."
            )
        if not any(place in word for word in words for place in PLACES):
            raise IntakeError(
                f"the command of {name} must say where the submission goes: {' or '.join(PLACES)}."
            )
        found[name] = Checker(name, words)
    own: dict[str, list[tuple[str, str]]] = {}
    for text in answers:
        match = re.fullmatch(r"([\w.-]+)=(fail|review|pass):(.+)", text, re.DOTALL)
        if match is None or match[1] not in found:
            raise IntakeError(
                f"{text!r} is no answer of a named checker: NAME=fail:REGEX, review or pass likewise."
            )
        try:
            re.compile(match[3])
        except re.error as error:
            raise IntakeError(f"the pattern of {text!r} does not compile: {error}.") from error
        own.setdefault(match[1], []).append((match[2], match[3]))
    return [dataclasses.replace(c, answers=tuple(own.get(c.name, c.answers))) for c in found.values()]


def _word(word: str) -> str:
    """`python` is the Python that runs this. A path, told by its slash, is made absolute: inside it has the same name."""
    if word in ("python", "python3"):
        return sys.executable
    return str(Path(word).resolve()) if "/" in word and Path(word).exists() else word


def compared(rulings: Sequence[Ruling], judges: Sequence[str]) -> tuple[dict[int, str], list[int], list[int]]:
    """The rows of these judges: pull requests ruled invalid with their category, those ruled valid, and those left out
    because they were ruled both. Invalid for a reason that no code shows is not compared."""
    own = [r for r in rulings if r.judge in judges]
    bad = {r.pr for r in own if r.verdict == "invalid"}
    good = {r.pr for r in own if r.verdict == "valid"}
    invalid = {
        r.pr: r.category for r in own if r.verdict == "invalid" and r.category in CODE and r.pr not in good
    }
    return invalid, sorted(good - bad), sorted(good & bad)


def run_checkers(
    clone: Path, rulings: Sequence[Ruling], numbers: Sequence[int], checkers: Sequence[Checker], work: Path,
    sandbox: Sandbox, processes: int,
) -> None:  # fmt: skip
    """Run every checker over every pull request; what `work` holds of the same command is not run again."""
    with Progress() as progress, concurrent.futures.ThreadPoolExecutor(processes) as pool:
        task = progress.add_task("checking", total=len(numbers))
        waiting = []
        for number in numbers:
            words = " ".join(r.words for r in rulings if r.pr == number)
            waiting.append(pool.submit(_one, clone, number, words, checkers, work, sandbox))
        try:
            for done in concurrent.futures.as_completed(waiting):
                done.result()
                progress.advance(task)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _one(
    clone: Path, number: int, words: str, checkers: Sequence[Checker], work: Path, sandbox: Sandbox
) -> None:
    left = [c for c in checkers if read_said(work, c, number) is None]
    if not left:
        return
    with tempfile.TemporaryDirectory(prefix="pgolf-") as scratch:
        found = meant(load_pull_request(clone, number, Path(scratch, "files")), words)
        for checker in left:
            said = [_ask(checker, s, Path(scratch), sandbox) for s in found if s.script is not None]
            place = _place(work, checker, number)
            place.parent.mkdir(parents=True, exist_ok=True)
            partial = place.with_suffix(".part")
            partial.write_text(
                json.dumps({"command": checker.command, "said": [dataclasses.asdict(s) for s in said]})
            )
            partial.rename(place)


def _ask(checker: Checker, submission: Submission, scratch: Path, sandbox: Sandbox) -> Said:
    """Run one checker over one submission, whose files are laid out as shipped."""
    assert submission.script is not None
    folder = f"{ROOM}/{submission.folder}".rstrip("/")
    plain = scratch / "train_gpt.py"
    plain.write_text(submission.script.runnable, encoding="utf-8")
    values = {
        "script": f"{folder}/{submission.script.path}",
        "folder": folder,
        "unpacked": f"{UNPACKED}/{plain.name}",
    }
    command = [
        re.sub(r"\{(script|folder|unpacked)\}", lambda m: values[m[1]], word) for word in checker.command
    ]
    out, err = scratch / "stdout", scratch / "stderr"
    done = sandbox.run(
        command,
        mounts=[Mount(submission.root, folder), Mount(plain, values["unpacked"]), *checker.mounts()],
        workdir=folder,
        env={"PATH": "/usr/bin:/bin", "HOME": "/tmp", "OMP_NUM_THREADS": "1"},
        limits=LIMITS,
        stdout=out,
        stderr=err,
    )
    end = f"exit {done.returncode}" if done.reason == "exit" else done.reason
    text = "\n".join(p.read_text(encoding="utf-8", errors="replace") for p in (out, err))
    return Said(submission.name, end, text)


def _place(work: Path, checker: Checker, number: int) -> Path:
    return work / "checkers" / checker.name / f"pr-{number}.json"


def read_said(work: Path, checker: Checker, number: int) -> list[Said] | None:
    """What a checker said of a pull request, one entry a submission; None where this command was not run yet."""
    place = _place(work, checker, number)
    if not place.exists():
        return None
    data = json.loads(place.read_text())
    if tuple(data["command"]) != checker.command:
        return None
    return [Said(**s) for s in data["said"]]


def answers_of(work: Path, checker: Checker, numbers: Sequence[int]) -> Mapping[int, str]:
    """The worst answer of one checker to each pull request; "none" where there is no script to look at."""
    found = {}
    for number in numbers:
        given = {checker.answer(s) for s in read_said(work, checker, number) or []}
        found[number] = next((a for a in ANSWERS if a in given), "none")
    return found
