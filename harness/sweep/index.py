"""What a sweep says as a whole: a line for each pull request, why submissions do not pass, and the frontier of scores."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence

from harness.case import Status, Verdict, worst
from harness.sweep.store import Row
from reports.result import Found, Result, parse


@dataclasses.dataclass(frozen=True)
class Line:
    """One pull request. `verdict` is None where it could not be audited, and `problem` says why.

    Scores are bits per byte: the lowest that its submissions claim, and that of the miniature world, which is not
    comparable with the official one. `twins` are other pull requests with one of its contents.
    """

    number: int
    head: str
    date: str
    merged: bool | None
    problem: str
    verdict: Verdict | None
    categories: tuple[str, ...]
    name: str
    track: str
    why: str
    claimed_bpb: float | None
    measured_bpb: float | None
    results: tuple[Result, ...]
    contents: tuple[str, ...]
    twins: tuple[int, ...] = ()


@dataclasses.dataclass(frozen=True)
class Reason:
    """Something that keeps submissions from a PASS: how many it fails, and of how many it asks for review."""

    name: str
    fails: int
    reviews: int
    examples: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Step:
    """A step of a frontier: a claimed score lower than all before it. `gain` is by how much."""

    line: Line
    bpb: float
    gain: float | None


@dataclasses.dataclass(frozen=True)
class Index:
    """The whole: verdicts by number of pull requests, reasons, and two frontiers of the record track: of all that was
    claimed, and of what passes. `open` counts claims below the second one's end that wait for a review."""

    lines: tuple[Line, ...]
    verdicts: tuple[tuple[str, int], ...]
    by_category: tuple[Reason, ...]
    by_rule: tuple[Reason, ...]
    uncovered: tuple[tuple[str, int], ...]
    claimed: tuple[Step, ...]
    clean: tuple[Step, ...]
    open: int
    static_only: bool


def index(rows: Iterable[Row], *, static_only: bool) -> Index:
    """The index of a database's rows."""
    lines = _with_twins([_line(row) for row in rows])
    clean = frontier([line for line in lines if line.verdict is Verdict.PASS])
    best = clean[-1].bpb if clean else float("inf")
    waiting = [
        line
        for line in lines
        if line.verdict is Verdict.REVIEW and _bpb(line) is not None and _bpb(line) < best  # type: ignore[operator]
    ]
    verdicts = Counter(line.verdict.value if line.verdict else "NOT AUDITED" for line in lines)
    loud = [(line, found) for line in lines for result in line.results for found in result.loud()]
    return Index(
        lines=tuple(lines),
        verdicts=tuple(sorted(verdicts.items(), key=lambda v: -v[1])),
        by_category=_reasons([(line, f, f.category) for line, f in loud if f.category]),
        by_rule=_reasons([(line, f, f.rule) for line, f in loud]),
        uncovered=_uncovered(lines),
        claimed=tuple(frontier(lines)),
        clean=tuple(clean),
        open=len(waiting),
        static_only=static_only,
    )


def frontier(lines: Sequence[Line]) -> list[Step]:
    """The record track's claims in the order of their dates, each lower than all before it."""
    steps: list[Step] = []
    for line in sorted(lines, key=lambda line: (line.date, line.number)):
        bpb = _bpb(line)
        if bpb is not None and (not steps or bpb < steps[-1].bpb):
            steps.append(Step(line, bpb, steps[-1].bpb - bpb if steps else None))
    return steps


def _bpb(line: Line) -> float | None:
    """The claim of a record; nothing is coded in no bits, so a claim of zero or less is none."""
    claimed = line.claimed_bpb if line.track == "record" else None
    return claimed if claimed is not None and claimed > 0 else None


def _line(row: Row) -> Line:
    results = tuple(r for document in row.documents for r in parse(document).results)
    verdict = worst([r.verdict for r in results]) if results and not row.problem else None
    if row.problem and any(r.verdict is Verdict.FAIL for r in results):
        verdict = Verdict.FAIL
    main = next((r for r in results if r.verdict is verdict), results[0] if results else None)
    claims = [r.claimed_bpb for r in results if r.claimed_bpb is not None]
    kinds = {f.category: f.status is not Status.FAIL for r in results for f in r.loud()[::-1] if f.category}
    return Line(
        number=row.number,
        head=row.head,
        date=row.date[:10],
        merged=row.merged,
        problem=row.problem,
        verdict=verdict,
        categories=tuple(sorted(kinds, key=lambda k: (kinds[k], k))),
        name=(main.folder.rsplit("/", 1)[-1] or main.name) if main else "",
        track=main.track if main else "",
        why=main.why if main else row.problem,
        claimed_bpb=min(claims, default=None),
        measured_bpb=main.measured_bpb if main else None,
        results=results,
        contents=row.contents,
    )


def _with_twins(lines: Sequence[Line]) -> list[Line]:
    """Each line with the other pull requests that hold one of its contents."""
    holders: dict[str, set[int]] = {}
    for line in lines:
        for content in line.contents if any(r.script for r in line.results) else ():
            holders.setdefault(content, set()).add(line.number)
    told = []
    for line in lines:
        others = {n for content in line.contents for n in holders.get(content, ())} - {line.number}
        told.append(dataclasses.replace(line, twins=tuple(sorted(others))))
    return told


def _reasons(found: Sequence[tuple[Line, Found, str]]) -> tuple[Reason, ...]:
    """Pull requests by reason; one that both fails and asks for review for the same reason fails."""
    fails: dict[str, set[int]] = {}
    reviews: dict[str, set[int]] = {}
    for line, finding, name in found:
        group = fails if finding.status is Status.FAIL else reviews
        group.setdefault(name, set()).add(line.number)
    reasons = []
    for name in fails.keys() | reviews.keys():
        failing, asked = fails.get(name, set()), reviews.get(name, set()) - fails.get(name, set())
        reasons.append(Reason(name, len(failing), len(asked), tuple(sorted(failing or asked)[:5])))
    return tuple(sorted(reasons, key=lambda r: (-r.fails, -r.reviews, r.name)))


def _uncovered(lines: Sequence[Line]) -> tuple[tuple[str, int], ...]:
    """How often each rule was not covered, in pull requests."""
    counted = Counter(
        rule
        for line in lines
        for rule in {f.rule for r in line.results for f in r.findings if f.status is Status.NOT_COVERED}
    )
    return tuple(counted.most_common())
