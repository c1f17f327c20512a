"""How every format says things: statuses, grades and verdicts in words, numbers in figures."""

from __future__ import annotations

import dataclasses
import math
import shlex
from typing import TYPE_CHECKING

from harness.case import Audit, Case, Evidence, Finding, Grade, Origin, Status, Verdict
from rules.registry import MUST_HAVE, all_rules

if TYPE_CHECKING:
    from harness.emulate import Run
    from harness.witnesses.claims import RunFacts, Standing, Stated

STATUS = {
    Status.PASS: "Pass",
    Status.FAIL: "Fail",
    Status.REVIEW: "Review",
    Status.NOT_COVERED: "Not covered",
    Status.NOT_APPLICABLE: "Not applicable",
}
SIGN = {
    Status.PASS: "\u2713",
    Status.FAIL: "\u2717",
    Status.REVIEW: "?",
    Status.NOT_COVERED: "\u25cb",
    Status.NOT_APPLICABLE: "\u2013",
}
GRADE = {
    Grade.COUNTERFACTUAL: "proved by experiment",
    Grade.TRACE: "seen happening",
    Grade.STATIC: "read in the code",
    Grade.CLAIM: "stated by the submission",
}
VERDICT = {
    Verdict.PASS: "Every must-have rule was covered and passed.",
    Verdict.FAIL: "At least one rule is broken, with the evidence below.",
    Verdict.REVIEW: "Nothing is proved against it, but something needs a human eye.",
    Verdict.ERROR: "The audit could not be carried out.",
}
OUTCOME = {
    "scored": "ran to its score",
    "no_score": "ended without a score",
    "crashed": "crashed",
    "timeout": "ran out of time",
    "memory": "ran out of memory",
    "output": "printed too much",
    "missing_package": "lacks a package",
    "missing_tool": "lacks a tool",
    "refused": "was refused",
}
TITLES = {
    "C1": "Strict causality",
    "C2": "Normalized distribution",
    "C3": "Score before update",
    "C4": "Single pass",
    "D1": "Coverage",
    "B1": "Books balance",
}
PROBE = {"proved": "Proved", "doubtful": "To review", "clear": "Nothing found", "not_covered": "Not covered"}
PROBE_TONE = {"proved": "fail", "doubtful": "review", "clear": "pass", "not_covered": "not_covered"}
ARTIFACT = {
    "same": "the same bytes in both runs",
    "changed": "other bytes when later val tokens change",
    "not_deterministic": "other bytes in an unchanged repeat too",
    "unknown": "not found in both runs",
}
MISSING = "\u2013"

_GRAVITY = (Status.FAIL, Status.REVIEW, Status.NOT_COVERED, Status.PASS, Status.NOT_APPLICABLE)
_PROOF = (Grade.COUNTERFACTUAL, Grade.TRACE, Grade.STATIC, Grade.CLAIM)


@dataclasses.dataclass(frozen=True)
class Tile:
    """One must-have rule in the strip at the top: its finding's status, or not_covered when no rule spoke."""

    rule: str
    title: str
    status: Status
    summary: str


@dataclasses.dataclass(frozen=True)
class Setting:
    """One line of the configuration: what was claimed, what was used instead (None: the same), and who said so."""

    name: str
    claimed: str
    used: str | None
    evidence: Evidence | None


def title(rule: str) -> str:
    """The title of a rule: the register's, or for a must-have rule that it lacks, the Field Guide's."""
    return {**TITLES, **{r.id: r.title for r in all_rules()}}.get(rule, "")


def rule_doc(rule: str) -> str:
    """What `cli.py rules ID` prints; empty for an id that the register lacks."""
    return {r.id: r.doc for r in all_rules()}.get(rule, "")


def by_gravity(findings: tuple[Finding, ...]) -> list[Finding]:
    """Failures, then reviews, each the strongest proof first; the rest by status; must-have rules first."""
    return sorted(
        findings,
        key=lambda f: (
            _GRAVITY.index(f.status),
            _PROOF.index(f.grade) if f.status in (Status.FAIL, Status.REVIEW) else 0,
            MUST_HAVE.index(f.rule) if f.rule in MUST_HAVE else len(MUST_HAVE),
            f.rule,
        ),
    )


def must_have(audit: Audit) -> list[Tile]:
    """A tile for each must-have rule, in their order; of several findings of one rule, the gravest."""
    tiles = []
    for rule in MUST_HAVE:
        found = by_gravity(tuple(f for f in audit.findings if f.rule == rule))
        status = found[0].status if found else Status.NOT_COVERED
        tiles.append(
            Tile(rule, title(rule), status, found[0].summary if found else "No witness spoke on it.")
        )
    return tiles


def configuration(case: Case) -> list[Setting]:
    """Every claimed setting in its order, then what was changed in scale although nobody claimed it."""
    used = {name: value for name, _, value in (case.run.overrides if case.run else ())}
    rows = [Setting(s.name, s.value, used.get(s.name), s.evidence) for s in case.claim.settings]
    said = {s.name for s in case.claim.settings}
    others = [o for o in (case.run.overrides if case.run else ()) if o[0] not in said]
    return rows + [Setting(name, default, value, None) for name, default, value in others]


def run_sentence(run: Run) -> str:
    """How the emulated run ended; why, where it did not end well."""
    ended = f"The script {OUTCOME.get(run.outcome, run.outcome)}."
    if run.outcome == "scored" or not run.reason:
        return ended
    return f"{ended} {run.reason[0].upper()}{run.reason[1:].rstrip('.')}."


def experiments(case: Case) -> list[tuple[str, str, str]]:
    """(name, status in words, sentence) of each experiment that was made."""
    if case.probes is None:
        return []
    made = case.probes
    named = (
        ("Random tokens", made.incompressibility),
        ("Changed future", made.future),
        ("Repeating tokens", made.repeating),
        ("Transplanted artifact", made.transplant),
        ("Other neighbours", made.neighbour),
        ("Again", made.again),
    )
    return [(name, PROBE[found.status], found.reason) for name, found in named if found is not None]


def runs(case: Case) -> tuple[RunFacts, ...]:
    """The runs behind the claimed score, the claimed one first; none where no log states it."""
    return case.claims.behind if case.claims is not None else ()


def standing(case: Case) -> Standing | None:
    """The submission's seeds beside the chain of records before it; None where there is no score, or no row is known."""
    found = case.claims.standing if case.claims is not None else None
    return found if found is not None and found.chain else None


def machine(case: Case) -> str:
    """The machine of the claimed run as its log names it; empty where it does not."""
    run = case.claims.claimed if case.claims is not None else None
    if run is None or run.machine is None:
        return ""
    parts = [run.machine.name, *(f"{library} {version}" for library, version in run.machine.versions)]
    return ", ".join(p for p in parts if p)


def chance(p: float | None) -> str:
    """A p-value to two figures; a dash where no test could be made."""
    return MISSING if p is None else f"{p:.2g}"


def stated_seconds(stated: Stated | None) -> str:
    """Milliseconds that a log states, in seconds; a dash where it is silent."""
    return number(stated.value / 1000.0 if stated is not None else None, 1)


def place(evidence: Evidence) -> str:
    """Where a piece of evidence stands: file:line, or the file as a whole."""
    return f"{evidence.file}:{evidence.line}" if evidence.line else evidence.file


def origin(where: Origin) -> str:
    """Where a submission came from, in a few words."""
    if where.pull_request is None:
        return where.location
    words = [f"pull request {where.pull_request}"]
    if where.head_sha:
        words.append(f"at {where.head_sha[:10]}")
    if where.merged is not None:
        words.append("(merged)" if where.merged else "(not merged)")
    return " ".join(words)


def rerun_command(where: Origin) -> str:
    """The command that makes the same audit again."""
    if where.pull_request is not None:
        return f"python cli.py audit --repo {shlex.quote(where.location)} --pr {where.pull_request}"
    return f"python cli.py audit {shlex.quote(where.location)}"


def number(value: float | None, digits: int = 4) -> str:
    """A figure with fixed decimals and thousands separators; a dash where there is none."""
    return MISSING if value is None or not math.isfinite(value) else f"{value:,.{digits}f}"


def count(value: float | None) -> str:
    """A whole number with thousands separators."""
    return number(value, 0)


def percent(share: float | None) -> str:
    """A share (0..1) in percent, with more digits where it is small."""
    if share is None or not math.isfinite(share):
        return MISSING
    return f"{100 * share:.1f} %" if abs(share) >= 0.01 or share == 0 else f"{100 * share:.2g} %"


def plural(number_of: int, noun: str) -> str:
    """1 event, 2 events."""
    return f"{number_of:,} {noun}{'' if number_of == 1 else 's'}"
