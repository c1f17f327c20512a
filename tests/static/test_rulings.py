"""The report that measures the auditor against rulings."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.bench.batch import Row
from harness.bench.rulings import Ruling, confusion, ending, outcomes, read_labels, valid
from harness.intake import IntakeError


def row(pr: int, verdict: str, **categories: str) -> Row:
    """One audited submission: rule -> category, of failing rules."""
    return Row(
        f"pr-{pr}",
        "n",
        "s",
        verdict,
        "why",
        "",
        "",
        0.0,
        0.0,
        dict.fromkeys(categories, "fail"),
        dict(categories),
    )


def ruling(pr: int, verdict: str, *categories: str) -> Ruling:
    """An organizer's ruling."""
    return Ruling(pr, "organizer", verdict, categories[0], categories, "because")


SAID = outcomes(
    [
        row(1, "PASS"),
        row(1, "FAIL", C3="train_on_val_before_score"),
        row(2, "FAIL", C4="multi_pass_rescore"),
        row(3, "PASS"),
        row(4, "FAIL", C1="slot"),
    ]
)


def test_the_worst_submission_speaks_for_a_pull_request() -> None:
    assert SAID[1].verdict == "FAIL"
    assert SAID[1].failed == {"train_on_val_before_score"}


def test_endings() -> None:
    assert ending(ruling(1, "invalid", "train_on_val_before_score"), SAID[1]) == 0
    assert ending(ruling(2, "invalid", "train_on_val_before_score"), SAID[2]) == 1
    assert ending(ruling(3, "invalid", "slot"), SAID[3]) == 3


def test_tables_name_what_is_wrong() -> None:
    rulings = [
        ruling(1, "invalid", "train_on_val_before_score"),
        ruling(3, "invalid", "slot"),
        ruling(4, "valid", "ok"),
    ]
    table = confusion(rulings, SAID)
    assert "| train_on_val_before_score | 1 | 1 | 0 | 0 | 0 | 100% | 1/1 |" in table
    assert "| slot | 1 | 0 | 0 | 0 | 1 | 0% | 0/1 |" in table
    assert "Wrong FAILs: #4 (slot)" in valid(rulings, SAID)


def test_labels_of_another_form_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(IntakeError, match="lacks"):
        read_labels(path)
