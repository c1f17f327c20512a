"""What rules share: a run's PASS is held back where the claimed settings are in doubt."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from harness.case import Case, Claim, Evidence, Finding, Grade, Origin, Status, Submission
from harness.witnesses.static.facts import CERTAIN, DEPENDS, Fact, StaticFacts
from rules.evidence import capped

DOUBT = "two commands disagree on TTT_ENABLED"
AGAINST = ("train_on_val_before_score",)


def judged(ambiguous: tuple[str, ...], *facts: Fact) -> Finding:
    claim = Claim(ambiguous=ambiguous)
    case = Case(
        Submission("t", "t", Path("t"), Origin("t"), None, {}, "record"), claim, static=StaticFacts(facts)
    )
    return capped(case, Finding("C3", Status.PASS, "Nothing seen.", grade=Grade.TRACE), AGAINST)


def fact(certainty: str) -> Fact:
    on = "whether the claimed run had TTT_ENABLED=1" if certainty == DEPENDS else None
    return Fact(AGAINST[0], certainty, "val is trained on first", depends_on=on)


@pytest.mark.parametrize(
    ("ambiguous", "facts", "status"),
    [
        ((), (), Status.PASS),
        ((DOUBT,), (), Status.PASS),
        ((), (fact(DEPENDS),), Status.PASS),
        ((DOUBT,), (fact(DEPENDS),), Status.REVIEW),
        ((), (fact(CERTAIN),), Status.REVIEW),
        ((), (dataclasses.replace(fact(DEPENDS), unreached=True),), Status.REVIEW),
    ],
)
def test_pass_of_a_run_with_settings_in_doubt(
    ambiguous: tuple[str, ...], facts: tuple[Fact, ...], status: Status
) -> None:
    finding = judged(ambiguous, *facts)
    assert finding.status is status
    assert (finding.category == AGAINST[0]) is (status is Status.REVIEW)


LINE = Evidence("train_gpt.py", 40, "opt.step()")


@pytest.mark.parametrize("whichever", [False, True])
def test_a_violation_that_either_setting_has_stays_one(whichever: bool) -> None:
    static = StaticFacts((dataclasses.replace(fact(CERTAIN), whichever=whichever),))
    case = Case(
        Submission("t", "t", Path("t"), Origin("t"), None, {}, "record"),
        Claim(ambiguous=(DOUBT,)),
        static=static,
    )
    finding = capped(case, Finding("C3", Status.FAIL, "Told.", AGAINST[0], Grade.STATIC, (LINE,)), AGAINST)
    assert finding.status is (Status.FAIL if whichever else Status.REVIEW)


def told(static: StaticFacts) -> Finding:
    """What a violation that a run saw becomes beside what the code says."""
    case = Case(Submission("t", "t", Path("t"), Origin("t"), None, {}, "record"), Claim(), static=static)
    seen = Finding("C3", Status.FAIL, "Seen.", AGAINST[0], Grade.TRACE, (LINE,))
    return capped(case, seen, AGAINST)


def test_where_both_witnesses_speak_a_finding_carries_both() -> None:
    other = Evidence("train_gpt.py", 12, "tune(val)")
    shown = dataclasses.replace(fact(CERTAIN), path=(other, LINE))
    finding = told(StaticFacts((shown,)))
    assert finding.status is Status.FAIL
    assert finding.evidence == (LINE, other)
    assert "The code shows it as well: val is trained on first." in finding.summary
    doubtful = told(StaticFacts((fact(DEPENDS),)))
    assert "depending on whether the claimed run had TTT_ENABLED=1" in doubtful.summary


def test_what_was_seen_stands_where_the_code_shows_nothing_and_the_finding_says_so() -> None:
    finding = told(StaticFacts(score_followed=True))
    assert finding.status is Status.FAIL
    assert "The code alone, followed to the score, does not show it" in finding.summary
    assert told(StaticFacts()).summary == "Seen."
