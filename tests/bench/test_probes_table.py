"""The table of the probes reads the JSON of an audit, also one that stopped early."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from harness.bench.probes import probe_table
from harness.bench.targets import Target

RANDOM: dict[str, Any] = {
    "status": "proved",
    "reason": "For 4,083 tokens.",
    "invented": False,
    "evidence": 927.4,
    "runs": [{"claimed": 39896.2, "bound": 40824.0}, {"claimed": None, "bound": None}],
}
FUTURE: dict[str, Any] = {
    "status": "not_covered",
    "reason": "The books | do not balance.",
    "moved": 0,
    "compared": 0,
    "largest": 0.0,
    "artifact": "same",
}


def table(tmp_path: Path, audit: dict[str, Any]) -> list[str]:
    (tmp_path / "pr-1.json").write_text(json.dumps(audit))
    target = Target(key="pr-1", arguments=("--pr", "1"))
    return probe_table(tmp_path, [target]).split("\n")


def test_numbers_and_reasons(tmp_path: Path) -> None:
    lines = table(
        tmp_path,
        {
            "run": {"outcome": "scored"},
            "probes": {
                "incompressibility": RANDOM,
                "repeating": RANDOM,
                "future": FUTURE,
                "transplant": {"status": "clear", "reason": "Followed."},
            },
        },
    )
    bounded = "**proved** | 39,896 | 40,824 | 927"
    assert lines[2].startswith(f"| pr-1 | {bounded} | {bounded} | not covered |  |  | same |  | clear |")
    assert "The books / do not balance." in lines[2]
    assert {line.count("|") for line in lines} == {17}


def test_a_run_that_crashed(tmp_path: Path) -> None:
    lines = table(tmp_path, {"run": {"outcome": "crashed", "reason": "ValueError"}, "probes": None})
    assert lines[2].endswith("| ValueError |")
