"""What the papers say of the training data, and what the rule makes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.case import Case, Claim, Origin, Status, Submission
from harness.witnesses import claims
from rules import D3


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("Val-only training: the loader reads the validation files.", Status.REVIEW),
        ("A small model, trained on the validation shard for ten minutes.", Status.REVIEW),
        ("TRAIN_FILES=./data/fineweb_val_*.bin", Status.REVIEW),
        ("Trained on the published shards (no val-only training).", Status.NOT_COVERED),
        ("We never train on the validation shard.", Status.NOT_COVERED),
        ("TRAIN_FILES=./data/fineweb_train_*.bin", Status.NOT_COVERED),
        ("Adapters are trained on validation tokens that were scored before.", Status.NOT_COVERED),
    ],
)
def test_papers_that_say_that_the_validation_shard_was_trained_on(
    tmp_path: Path, line: str, status: Status
) -> None:
    (tmp_path / "README.md").write_text(f"# A model\n\n- {line}\n")
    sizes = {"README.md": (tmp_path / "README.md").stat().st_size}
    submission = Submission("t", "records/x/t", tmp_path, Origin("t"), None, sizes)
    claim = Claim()
    found = D3.train_and_val_apart(Case(submission, claim, claims=claims.examine(submission, claim)))
    assert found.status is status
    assert (found.category == "train_on_val_before_score") is (status is Status.REVIEW)
