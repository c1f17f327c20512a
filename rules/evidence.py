"""What rules share: evidence from frames and events, the cap on doubtful configurations, the static witness's word."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from harness.case import Case, Evidence, Finding, Grade, Status
from harness.witnesses.static.facts import Fact
from harness.witnesses.trace import TraceEvent
from harness.witnesses.trace.record import Frame

_MOST = 8
_ORDER = {"train_on_val_before_score", "multi_pass_rescore", "slot"}


def line_of(case: Case, file: str, line: int) -> Evidence:
    """Evidence for a line; the submission's own script is shown by its unpacked text."""
    script = case.submission.script
    if script is not None and file.rsplit("/", 1)[-1] == script.path.rsplit("/", 1)[-1]:
        return script.evidence(line)
    return Evidence(file, line, "")


def frames(case: Case, *stacks: Sequence[Frame]) -> tuple[Evidence, ...]:
    """The lines of stacks, innermost first, each followed by where its function begins; every line once."""
    wanted: list[tuple[str, int]] = []
    for stack in stacks:
        for frame in stack:
            wanted.append((frame.file, frame.line))
            if frame.function != "<module>" and frame.start > 1:
                wanted.append((frame.file, frame.start))
    return _lines(case, wanted, 2 * _MOST)


def at(case: Case, groups: Iterable[Sequence[TraceEvent]]) -> tuple[Evidence, ...]:
    """The lines where counted scores and updates happened, each once."""
    wanted = [
        (e.file, e.line)
        for events in groups
        for e in events
        if e.line and (e.counted or e.kind in ("train", "update"))
    ]
    return _lines(case, wanted, _MOST)


def _lines(case: Case, wanted: Sequence[tuple[str, int]], most: int) -> tuple[Evidence, ...]:
    return tuple(line_of(case, file, line) for file, line in list(dict.fromkeys(wanted))[:most])


def capped(case: Case, finding: Finding, against: Sequence[str] = ()) -> Finding:
    """The finding, held at `review` where the claimed configuration is in doubt, and where the static witness is certain
    of one of the categories `against` while the run saw none, or finds one on the path that the doubt leaves open or
    that a small run does not come to. What the run saw is told together with what the code says of the same."""
    if finding.status in (Status.FAIL, Status.REVIEW) and finding.grade is Grade.TRACE:
        finding = _beside_the_code(case, finding, against)
    if finding.status is Status.FAIL and case.claim.ambiguous and not _whichever_way(case, finding):
        doubt = case.claim.ambiguous[0]
        return dataclasses.replace(
            finding,
            status=Status.REVIEW,
            summary=f"{finding.summary} The claimed configuration is in doubt: {doubt}",
        )
    if finding.status is Status.PASS and case.static is not None:
        facts = [f for kind in against for f in case.static.of(kind)]
        certain = [f for f in facts if f.certainty == "certain"]
        doubtful = [f for f in facts if f.depends_on and (case.claim.ambiguous or f.unreached)]
        if certain:
            return _held(finding, certain[0], f"The code says otherwise: {certain[0].summary}")
        if doubtful:
            fact = doubtful[0]
            return _held(finding, fact, f"But {fact.summary}, depending on {fact.depends_on}")
    return finding


def _whichever_way(case: Case, finding: Finding) -> bool:
    """Whether the code shows it for either setting of what is in doubt."""
    facts = case.static.of(finding.category) if case.static is not None and finding.category else ()
    return any(f.whichever for f in facts)


def _beside_the_code(case: Case, finding: Finding, against: Sequence[str]) -> Finding:
    """What the run saw, with the lines of the code that show it as well, or the sentence that the code does not.

    What was seen happening is not taken back by code in which nothing was found.
    """
    if case.static is None or finding.category is None or "The code " in finding.summary:
        return finding
    kinds = {finding.category, *against} | (_ORDER if finding.category in _ORDER else set())
    told = [f for kind in sorted(kinds) for f in case.static.of(kind)]
    if told:
        fact = next((f for f in told if f.certainty == "certain"), told[0])
        so = f", depending on {fact.depends_on}" if fact.depends_on else ""
        more = tuple(e for e in fact.path if e not in finding.evidence)
        return dataclasses.replace(
            finding,
            summary=f"{finding.summary} The code shows it as well: {fact.summary.removesuffix('.')}{so}.",
            evidence=(*finding.evidence, *more),
        )
    if case.static.covered:
        said = "The code alone, followed to the score, does not show it: the lines are those of the run."
        return dataclasses.replace(finding, summary=f"{finding.summary} {said}")
    return finding


def _held(finding: Finding, fact: Fact, but: str) -> Finding:
    return dataclasses.replace(
        finding,
        status=Status.REVIEW,
        category=fact.kind,
        summary=f"{finding.summary} {but}",
        evidence=(*fact.path, *finding.evidence),
    )


def from_static(case: Case, rule: str, kinds: Sequence[str], unless: str | None = None) -> Finding:
    """What the static witness says of `kinds` where no run covers the claimed number; `unless` is the reason to give."""
    reason = unless or _why_no_trace(case)
    if case.static is None:
        return Finding(rule, Status.NOT_COVERED, f"Not covered: {reason}", grade=Grade.STATIC)
    facts = [f for kind in kinds for f in case.static.of(kind)]
    certain = [f for f in facts if f.certainty == "certain"]
    if certain:
        fact = certain[0]
        return capped(
            case,
            Finding(
                rule, Status.FAIL, fact.summary, category=fact.kind, grade=Grade.STATIC, evidence=fact.path
            ),
        )
    if facts:
        fact = facts[0]
        on = f". It depends on {fact.depends_on}." if fact.depends_on else ""
        return Finding(
            rule,
            Status.REVIEW,
            fact.summary.removesuffix(".") + on,
            category=fact.kind,
            grade=Grade.STATIC,
            evidence=fact.path,
        )
    if case.static_only and case.static.covered:
        return Finding(
            rule, Status.PASS, "The code that the claimed configuration runs shows nothing against it (static only).",
            grade=Grade.STATIC,
        )  # fmt: skip
    return Finding(rule, Status.NOT_COVERED, f"Not covered: {reason}", grade=Grade.STATIC)


def _why_no_trace(case: Case) -> str:
    if case.submission.script is None:
        return "there is no script that scores."
    if case.static_only and case.static is not None and case.static.score_followed and case.static.unfollowed:
        return f"only the code was looked at, and {case.static.unfollowed[0]}."
    if case.static_only:
        return "only the code was looked at, and its path to the score could not be followed."
    if case.run is not None and case.run.outcome != "scored":
        return case.run.reason
    if case.trace is None:
        return "no run was watched."
    if case.trace.blinded:
        told = next((h for h in case.trace.holes if h.startswith(("the script ", "a child "))), None)
        return f"{told}." if told else "the script did more than the instruments can record."
    if case.trace.balance.line is None:
        label = case.claim.label
        return f"the run did not print the claimed line '{label}'." if label else "the run printed no score."
    return "the printed score is not the sum of the losses that were watched."
