"""The table of the bound: the submission of which most is proved speaks for its pull request, beside the cruder test."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from harness.bench.bound import Tried, report, tried
from harness.bench.rulings import Ruling

WORLD = {"val_tokens": 4_096, "vocab_size": 1_024}


def audit(
    status: str, evidence: float | None, lowest: float | None, outcome: str = "scored"
) -> dict[str, Any]:
    """One audit with an experiment on random tokens."""
    run = {"outcome": outcome, "reason": "why", "world": WORLD}
    found = {"status": status, "reason": "said", "evidence": evidence, "runs": [{"lowest": lowest}]}
    return {"run": run, "probes": {"incompressibility": found}}


def written(tmp_path: Path, *parts: dict[str, Any]) -> Tried:
    place = tmp_path / "pr-1.json"
    place.write_text(json.dumps({"submissions": list(parts)} if len(parts) != 1 else parts[0]))
    return tried(place)


def test_the_crude_figure_is_that_of_the_lowest_printed_loss(tmp_path: Path) -> None:
    found = written(tmp_path, audit("clear", -12.0, 6.9))
    assert found.crude == pytest.approx(4_096 * (10 - 6.9 / math.log(2)))
    assert found.crudely
    assert not found.proved


def test_the_submission_of_which_most_is_proved_speaks(tmp_path: Path) -> None:
    crashed = audit("not_covered", None, None, "crashed")
    found = written(tmp_path, crashed, audit("clear", -3.0, 6.95), audit("proved", 900.0, None))
    assert (found.proved, found.evidence, found.crude) == (True, 900.0, None)
    assert written(tmp_path, crashed) == Tried("not_covered", why="the run: crashed")


def test_each_ruling_has_a_line_and_the_summaries_count(tmp_path: Path) -> None:
    rulings = [
        Ruling(1, "organizer", "invalid", "slot", ("slot",), ""),
        Ruling(2, "leaderboard", "valid", "ok", ("ok",), ""),
        Ruling(3, "organizer", "invalid", "packaging", ("packaging",), ""),
    ]
    found = {1: Tried("proved", 900.5, 1.0, True), 2: Tried("clear", -3.0, 2.5, True), 3: Tried("")}
    lines = report(rulings, found).split("\n")
    assert "1 pull requests, 1 ran to a score, of these the probe proves 1 and the cruder test 0" in lines[0]
    assert "Most evidence -3 bits, most by the cruder test 2." in lines[1]
    assert lines[5] == "| #1 | organizer: invalid slot | **proved** | 900 | 1 |  |"
    assert lines[6].startswith("| #2 | leaderboard: valid ok | clear | -3 | 2 |")
    assert len(lines) == 8
