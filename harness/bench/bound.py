"""The bound of random tokens on labelled pull requests, beside a cruder test: one run, one seed, every printed loss."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.bench.batch import run_batch
from harness.bench.rulings import CODE, Ruling, read_labels
from harness.bench.targets import pull_requests
from harness.witnesses.probes.bits import PROVED

JUDGES = ("organizer", "author", "leaderboard")
VERDICTS = ("invalid", "valid")


@dataclasses.dataclass(frozen=True)
class Tried:
    """The random tokens on one pull request: of its submissions, the one of which most was proved.

    `status` is the probe's, "" where no submission has a script that was run; `evidence` and `crude` are bits, the crude
    ones those by which the lowest printed loss of the first run lies below n log2(V); `why` says why nothing was counted.
    """

    status: str
    evidence: float | None = None
    crude: float | None = None
    scored: bool = False
    why: str = ""

    @property
    def proved(self) -> bool:
        """Whether the probe proves that the claimed line saw its answers."""
        return self.status == "proved"

    @property
    def crudely(self) -> bool:
        """Whether the cruder test would say so."""
        return self.crude is not None and self.crude >= PROVED


def measure(clone: Path, labels: Path, work: Path, processes: int, most: int) -> str:
    """Run the probe on every pull request with a ruling and write the tables, in Markdown. Raises IntakeError."""
    rulings = [r for r in read_labels(labels) if r.judge in JUDGES and r.verdict in VERDICTS]
    targets = pull_requests(clone, sorted({r.pr for r in rulings}))
    run_batch(targets, work, processes, ["--probes", "incompressibility", "--most", str(most)])
    return report(rulings, {int(t.key.removeprefix("pr-")): tried(work / f"{t.key}.json") for t in targets})


def tried(place: Path) -> Tried:
    """What the JSON of an audit says of the random tokens."""
    data = json.loads(place.read_text(encoding="utf-8"))
    parts = [_of(part) for part in data.get("submissions") or [data] if part.get("run")]
    return max(
        parts, key=lambda t: (t.proved, t.scored, t.evidence or -math.inf), default=Tried("", why="no run")
    )


def _of(audit: dict[str, Any]) -> Tried:
    run, found = audit["run"], (audit.get("probes") or {}).get("incompressibility")
    if run["outcome"] != "scored" or found is None:
        return Tried("not_covered", why=f"the run: {run['outcome'].replace('_', ' ')}")
    first = found["runs"][0] if found["runs"] else {}
    crude, lowest = None, first.get("lowest")
    if lowest is not None:
        world = run["world"]
        crude = world["val_tokens"] * (math.log2(world["vocab_size"]) - lowest / math.log(2))
    said = str(found["reason"]).rpartition(" But ")[2] if found["status"] != "clear" else ""
    return Tried(found["status"], found["evidence"], crude, True, said)


def report(rulings: Sequence[Ruling], found: dict[int, Tried]) -> str:
    """A summary, then a line for each pull request, invalid ones first."""
    bad = sorted({r.pr for r in rulings if r.verdict == "invalid" and r.category in CODE})
    good = sorted(
        {r.pr for r in rulings if r.verdict == "valid"} - {r.pr for r in rulings if r.verdict == "invalid"}
    )
    head = "| pull request | ruling | probe | evidence, bits | cruder test, bits | why not |"
    lines = [_summary("invalid for something in the code", [found[n] for n in bad])]
    lines += [_summary("valid", [found[n] for n in good]), "", head, "|---|---|---|---:|---:|---|"]
    for number in (*bad, *good):
        words = sorted({f"{r.judge}: {r.verdict} {r.category}" for r in rulings if r.pr == number})
        lines.append(_line(number, words, found[number]))
    return "\n".join(lines) + "\n"


def _summary(name: str, found: Sequence[Tried]) -> str:
    scored = [t for t in found if t.scored]
    most = max((t.evidence for t in scored if t.evidence is not None), default=0.0)
    crude = max((t.crude for t in scored if t.crude is not None), default=0.0)
    return (
        f"- Ruled {name}: {len(found)} pull requests, {len(scored)} ran to a score, of these the probe proves "
        f"{sum(t.proved for t in scored)} and the cruder test {sum(t.crudely for t in scored)}; doubtful "
        f"{sum(t.status == 'doubtful' for t in scored)}. Most evidence {most:,.0f} bits, most by the cruder test "
        f"{crude:,.0f}."
    )


def _line(number: int, words: Sequence[str], found: Tried) -> str:
    status = "**proved**" if found.proved else found.status.replace("_", " ")
    evidence, crude = ("" if x is None else f"{math.floor(x):,}" for x in (found.evidence, found.crude))
    why = "" if found.proved else " ".join(found.why.replace("|", "/").replace("`", "'").split())
    why = why if len(why) <= 200 else why[:199] + "…"
    return f"| #{number} | {'; '.join(words)} | {status} | {evidence} | {crude} | {why} |"
