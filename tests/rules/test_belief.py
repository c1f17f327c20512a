"""C1: a score that no technique has ever reached is not passed on the word of the code alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.case import Case, Claim, Evidence, Origin, Status, Submission
from harness.witnesses.probes.facts import CLEAR, Future, ProbeFacts
from harness.witnesses.static.facts import Site, StaticFacts
from rules.C1 import strict_causality

SCORE = Site("cross-entropy", Evidence("train_gpt.py", 40, "F.cross_entropy(logits, targets)"))
FACTS = StaticFacts((), parsed=True, followed=True, score_followed=True, scores=(SCORE,))


def case(claimed: float | None, future: str | None = None) -> Case:
    """A clean script with that claim, and the changed future tried or not."""
    probes = ProbeFacts(future=Future(status=future, reason="")) if future is not None else None
    submission = Submission("t", "t", Path("t"), Origin("t"), None, {}, "record")
    return Case(submission, Claim(claimed_bpb=claimed), static=FACTS, probes=probes)


@pytest.mark.parametrize(
    ("claimed", "future", "status"),
    [
        (1.0565, None, Status.PASS),
        (1.0, None, Status.PASS),
        (None, None, Status.PASS),
        (0.68, None, Status.REVIEW),
        (0.68, CLEAR, Status.PASS),
        (0.68, "not_covered", Status.REVIEW),
    ],
)
def test_a_score_beyond_belief(claimed: float | None, future: str | None, status: Status) -> None:
    finding = strict_causality(case(claimed, future))
    assert finding.status is status
    if status is Status.REVIEW:
        assert "36% below the last best row" in finding.summary
        assert finding.category is None
