"""B1: a score that no log has, with the bytes that its tokenizer has, is not the number that a wrong count prints."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from harness.case import Case, Claim, Evidence, Origin, Status, Submission
from harness.witnesses.claims import Artifact, ClaimFacts
from harness.witnesses.claims.packaging import packaging
from harness.witnesses.static.facts import CERTAIN, Fact, StaticFacts
from rules.B1 import books_balance

WRONG = Fact(
    "byte_count", CERTAIN, "the loss is divided by a constant number of bytes for each token (line 9)", ()
)
CODE = StaticFacts((WRONG,), parsed=True, followed=True, score_followed=True)
STATED = Evidence("submission.json", 0, '"val_loss": 2.5127')


def case(bytes_per_token: float | None) -> Case:
    """The code of a constant count; loss and BPB of submission.json imply so many bytes per token."""
    pairs = ((1.4882, 1.4882 * math.log(2.0) * bytes_per_token, STATED),) if bytes_per_token else ()
    submission = Submission("t", "t", Path("t"), Origin("t"), None, {}, "non_record")
    artifact, papers = Artifact(0, 0, 0, None, None, None, None, None), packaging(submission, {}, 0)
    claims = ClaimFacts(None, (), artifact, papers, (), None, False, None, pairs=pairs)
    return Case(submission, Claim(), static=CODE, claims=claims)


@pytest.mark.parametrize(
    ("implied", "status"), [(2.436, Status.REVIEW), (3.5, Status.FAIL), (None, Status.FAIL)]
)
def test_a_corrected_score_is_a_question(implied: float | None, status: Status) -> None:
    finding = books_balance(case(implied))
    assert finding.status is status
    assert ("sp1024" in finding.summary) is (status is Status.REVIEW)
