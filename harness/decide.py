"""From findings to one verdict, and the sentence that a reader sees first."""

from __future__ import annotations

from collections.abc import Sequence

from harness.case import Case, Finding, Grade, Score, Status, Verdict
from rules.registry import MUST_HAVE

_STRENGTH = (Grade.COUNTERFACTUAL, Grade.TRACE, Grade.STATIC, Grade.CLAIM)


def decide(case: Case, findings: Sequence[Finding], failures: Sequence[str]) -> tuple[Verdict, str]:
    """FAIL when a rule fails; ERROR when the auditor broke down; REVIEW when a rule asks for it or a must-have rule is not
    covered, or there is no script; else PASS."""
    failed = [f for f in findings if f.counts is Status.FAIL]
    if failed:
        first = min(failed, key=lambda f: (_STRENGTH.index(f.grade), f.rule))
        others = sorted({f.rule for f in failed} - {first.rule})
        return Verdict.FAIL, f"{first.rule}: {first.summary}" + (
            f" Also fails {', '.join(others)}." if others else ""
        )
    if failures:
        return Verdict.ERROR, f"The auditor itself failed: {failures[0]}"
    if case.submission.script is None:
        return Verdict.REVIEW, _without_script(case, findings)
    asked = [f for f in findings if f.counts is Status.REVIEW]
    said = {f.rule for f in findings if f.counts is not Status.NOT_COVERED}
    open_rules = [rule for rule in MUST_HAVE if rule not in said]
    if asked:
        rest = f" ({len(asked) - 1} more to review.)" if len(asked) > 1 else ""
        return Verdict.REVIEW, f"{asked[0].rule}: {asked[0].summary}{rest}"
    if open_rules:
        return (
            Verdict.REVIEW,
            f"{', '.join(open_rules)} could not be covered. {_reason(case, findings)}".rstrip(),
        )
    read = (
        "the code was read, nothing was run"
        if case.rerun is None
        else "the code was read, the rerun is beside it"
    )
    scope = f" Static only: {read}." if case.static_only else ""
    exempt = sorted({f.rule for f in findings if f.exemption is not None})
    but = f" but what the policy exempts ({', '.join(exempt)})" if exempt else ""
    return Verdict.PASS, f"Every must-have rule was covered and nothing was found against it{but}.{scope}"


def _without_script(case: Case, findings: Sequence[Finding]) -> str:
    """Why there is nothing to run, and what the papers are asked."""
    notes = sorted(dict.fromkeys(case.submission.notes), key=lambda note: "nothing to run" not in note)
    why = " ".join(notes) or "There is no script that scores."
    asked = [f"{f.rule}: {f.summary}" for f in findings if f.counts is Status.REVIEW]
    return " ".join((why, *asked))


def _reason(case: Case, findings: Sequence[Finding]) -> str:
    if case.run is not None and case.run.outcome != "scored":
        return f"The run did not reach its score: {case.run.reason}"
    return next((f.summary for f in findings if f.rule in MUST_HAVE and f.status is Status.NOT_COVERED), "")


def score_of(case: Case) -> Score:
    """The numbers of the claimed line; those of the miniature world are never comparable with the official score."""
    if case.trace is None:
        return Score(claimed_bpb=case.claim.claimed_bpb)
    books = case.trace.balance
    return Score(
        claimed_bpb=case.claim.claimed_bpb,
        emulated_loss=books.printed_loss,
        emulated_bpb=books.printed_bpb,
        rebuilt_loss=books.rebuilt_loss,
        rebuilt_bpb=books.rebuilt_bpb,
        line=books.line,
    )
