"""What rules share: a run's PASS is held back where the claimed settings are in doubt."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from harness.case import Case, Claim, Finding, Grade, Origin, Status, Submission
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
