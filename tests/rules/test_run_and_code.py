"""B1 and D1 where both speak: what a small run shows, and what the code says for certain."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.case import Case, Claim, Origin, Status, Submission
from harness.witnesses.static.facts import CERTAIN, Fact, StaticFacts
from harness.witnesses.trace import Balance, Coverage, Trace
from rules.B1 import books_balance
from rules.D1 import whole_validation_set

WHOLE = Coverage(1000, 1000, 0, 0, 0, 0, 0, 0, 64, 64)
HALF = Coverage(1000, 500, 0, 0, 0, 0, 500, 250, 64, 64)


def case_of(facts: tuple[Fact, ...], seen: Coverage, bpb: float = 2.0, track: str = "record") -> Case:
    """A case with a run that printed a BPB where 2.0 follows from its losses."""
    books = Balance("final val_bpb:2.0", 1.5, bpb, 1.5, 2.0, True, abs(bpb - 2.0) < 1e-4, "followed")
    trace = Trace(
        books, None, seen, (), None, (), 0, 0, (), None, complete=True, blinded=False, evaluated_at=1,
        turn=None, holes=(),
    )  # fmt: skip
    submission = Submission("t", "t", Path("t"), Origin("t"), None, {}, track)
    return Case(submission, Claim(), static=StaticFacts(facts), trace=trace)


MISCOUNT = Fact("byte_count", CERTAIN, "a byte token counts as three bytes")
CAP = Fact("partial_val", CERTAIN, "the first 3,000,000 only", unreached=True)
DRAWN = Fact("partial_val", CERTAIN, "positions drawn at random")


@pytest.mark.parametrize(
    ("facts", "bpb", "status"),
    [
        ((), 2.0, Status.PASS),
        ((), 1.996, Status.REVIEW),
        ((MISCOUNT,), 1.996, Status.FAIL),
        ((MISCOUNT,), 2.2, Status.FAIL),
        ((), 1.9, Status.FAIL),
        ((MISCOUNT,), 2.0, Status.REVIEW),
    ],
)
def test_bytes_that_code_and_run_miscount(facts: tuple[Fact, ...], bpb: float, status: Status) -> None:
    assert books_balance(case_of(facts, WHOLE, bpb)).status is status


@pytest.mark.parametrize(
    ("facts", "seen", "track", "status"),
    [
        ((), WHOLE, "record", Status.PASS),
        ((), HALF, "record", Status.REVIEW),
        ((DRAWN,), HALF, "record", Status.FAIL),
        ((DRAWN,), WHOLE, "record", Status.REVIEW),
        ((CAP,), WHOLE, "record", Status.FAIL),
        ((CAP,), WHOLE, "non_record", Status.REVIEW),
        ((DRAWN,), HALF, "non_record", Status.REVIEW),
    ],
)
def test_a_part_of_val_by_run_and_code(
    facts: tuple[Fact, ...], seen: Coverage, track: str, status: Status
) -> None:
    assert whole_validation_set(case_of(facts, seen, track=track)).status is status
