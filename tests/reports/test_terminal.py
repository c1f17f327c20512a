"""The terminal report: verdict first, everything readable, nothing that moves the cursor."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from harness.case import Audit
from reports.terminal import print_audits


def shown(*audits: Audit, color: bool = False) -> str:
    out = io.StringIO()
    print_audits(
        audits, Console(file=out, width=110, force_terminal=color, color_system="standard" if color else None)
    )
    return out.getvalue()


def test_verdict_and_why_lead(cheat: Audit) -> None:
    lines = shown(cheat).splitlines()
    assert lines[1].split() == ["FAIL", "2026-03-21_XSA_EMA_TTT"]
    assert lines[2] == cheat.why


def test_rules_and_evidence_are_there(cheat: Audit) -> None:
    text = shown(cheat)
    for expected in (
        "C3 Score before update",
        "train_gpt.py:1094",
        "optimizer.step()",
        "No witness spoke",
        "TTT_EPOCHS=1",
    ):
        assert expected in text


def test_experiments_are_told(cheat: Audit) -> None:
    text = shown(cheat)
    assert "Experiment: Random tokens, proved" in text


def test_markup_and_escapes_of_a_submission_stay_text(hostile: Audit) -> None:
    text = shown(hostile)
    assert "[red]x[/red]" in text
    assert not set(text) & set("\x1b\x9b\u202e\u200b\x00")


def test_only_our_own_colours_reach_a_terminal(hostile: Audit) -> None:
    colored = shown(hostile, color=True)
    assert "\x1b[" in colored
    assert "\u241b[31mred" in colored
    assert "]8;" not in colored


def test_a_run_that_failed_is_named(crash: Audit) -> None:
    assert "The script crashed. ModuleNotFoundError" in shown(crash)


@pytest.mark.parametrize("width", [40, 80, 200])
def test_any_width(cheat: Audit, width: int) -> None:
    out = io.StringIO()
    print_audits([cheat], Console(file=out, width=width))
    assert all(len(line) <= width for line in out.getvalue().splitlines())


def test_several_end_with_the_worst(honest: Audit, cheat: Audit) -> None:
    assert shown(honest, cheat).splitlines()[-1].split()[:3] == ["FAIL", "the", "worst"]
