"""A2: a claimed line that says that its weights were not quantized yet is no score of the artifact."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.case import Case, Claim, Origin, Status, Submission
from rules.A2 import score_comes_from_the_artifact


@pytest.mark.parametrize(
    ("label", "asked"),
    [
        ("pre-quantization post-ema val_loss: val_bpb:", True),
        ("DIAGNOSTIC post_ema val_loss: val_bpb:", True),
        ("unquantized val_bpb:", True),
        ("final_int8_zlib_roundtrip_exact val_loss: val_bpb:", False),
        ("post_ema_int6_sliding val_loss: val_bpb:", False),
        ("quantized_ttt val_loss: val_bpb:", False),
        (None, False),
    ],
)
def test_the_claimed_line_says_which_weights_it_scores(label: str | None, asked: bool) -> None:
    submission = Submission("t", "t", Path("t"), Origin("t"), None, {}, "record")
    finding = score_comes_from_the_artifact(Case(submission, Claim(label=label)))
    assert finding.status is (Status.REVIEW if asked else Status.NOT_COVERED)
