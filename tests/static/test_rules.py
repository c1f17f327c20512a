"""C1 and C2: findings from static facts, with precedents."""

from __future__ import annotations

from pathlib import Path

from harness.case import Case, Claim, Finding, Grade, Origin, Status, Submission
from harness.witnesses.static import examine
from rules.C1 import strict_causality
from rules.C2 import full_distribution
from rules.precedents import cite, precedents
from tests.static import scripts
from tests.static.test_order import packed


def case_of(body: str) -> Case:
    """A case in which only the code was looked at."""
    script = packed(scripts.script(body))
    submission = Submission("mine", ".", Path(), Origin("mine"), script, {})
    return Case(submission, Claim(), static=examine(script, Claim(), {}), static_only=True)


def both(body: str) -> tuple[Finding, Finding]:
    """What C1 and C2 find."""
    case = case_of(body)
    return strict_causality(case), full_distribution(case)


def test_an_honest_script_passes_with_lines() -> None:
    for finding in both(scripts.SCORE_FIRST):
        assert finding.status is Status.PASS
        assert finding.grade is Grade.STATIC
        assert finding.evidence


def test_a_violation_fails_with_its_category_and_a_precedent() -> None:
    c1, c2 = both(scripts.TARGET_IN_KEY)
    assert (c1.status, c1.category) == (Status.FAIL, "ngram_target_in_key")
    assert "#" in c1.summary
    assert c2.status is Status.PASS
    c1, c2 = both(scripts.ORACLE)
    assert (c2.status, c2.category) == (Status.FAIL, "unnormalised_mixture")


def test_what_was_not_examined_is_not_covered() -> None:
    script = packed("print('val_bpb')")
    submission = Submission("mine", ".", Path(), Origin("mine"), script, {})
    for static in (None, examine(script, Claim(), {})):
        case = Case(submission, Claim(), static=static)
        assert strict_causality(case).status is Status.NOT_COVERED
        assert full_distribution(case).status is Status.NOT_COVERED


def test_precedents_are_facts_with_links() -> None:
    rows = precedents()
    assert all(p.link.endswith(f"/pull/{p.pr}") for p in rows)
    first = next(p for p in rows if p.category == "ngram_target_in_key" and p.verdict == "invalid")
    assert f"#{first.pr}" in cite("ngram_target_in_key")
    assert f"#{first.pr} " not in cite("ngram_target_in_key", own=first.pr)
    assert cite("no such category") == ""
