"""The claimed line is found by its label, fixed beforehand, and its numbers come with the rounding of their print."""

from __future__ import annotations

import pytest

from harness.witnesses.probes.printed import half_digit, last_line, read_line

TEXT = """\
step:4/4 val_loss:6.9000 val_bpb:3.2000
final_exact val_loss:6.93155983 val_bpb:3.41040977
oracle upper bound val_loss:1.2 val_bpb:0.5
"""


def test_the_claimed_line_is_the_last_of_its_label() -> None:
    line = last_line(TEXT, "final_exact val_loss: val_bpb:")
    assert line is not None
    assert (line.loss, line.bpb, line.fixed) == (6.93155983, 3.41040977, True)
    assert line.loss_rounding == pytest.approx(0.5e-8)


def test_without_a_label_the_last_line_with_a_bpb_is_not_fixed() -> None:
    line = last_line(TEXT, None)
    assert line is not None
    assert (line.bpb, line.fixed) == (0.5, False)


def test_another_line_never_stands_for_the_claimed_one() -> None:
    assert last_line(TEXT, "legal_ttt val_loss: val_bpb:") is None


def test_the_val_loss_is_read_where_a_train_loss_stands_before_it() -> None:
    line = read_line("end train_loss:2.1 val_loss:6.93 val_bpb:3.3")
    assert line is not None
    assert line.loss == 6.93


@pytest.mark.parametrize(
    ("text", "wanted"), [("6.93", 0.005), ("1.0000", 5e-5), ("1.5e-3", 5e-5), (None, 0.0)]
)
def test_half_of_the_last_digit(text: str | None, wanted: float) -> None:
    assert half_digit(text) == pytest.approx(wanted)
