"""An example and its renamed copy get the same verdict, and what differs between two audits is told."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from harness.audit import Options, audit
from harness.bench.renamed import Pair, compare, copy_of, differences, table
from harness.case import Status
from harness.intake import load_target

EXAMPLES = Path(__file__).parents[2] / "submissions"


@pytest.mark.parametrize(
    ("example", "verdict"),
    [("pass/bigram_hash", "PASS"), ("fail/slot", "FAIL"), ("fail/two_pass_rescore", "FAIL")],
)
def test_same_verdict_for_a_copy(example: str, verdict: str, tmp_path: Path) -> None:
    (pair,) = compare(load_target(EXAMPLES / example, tmp_path), Options(None, tmp_path / "cache"))
    assert (pair.before, pair.after, pair.differing) == (verdict, verdict, ())
    assert pair.same
    assert 0.5 * pair.made < pair.changed <= pair.made


def test_names_of_files_beside_stay(tmp_path: Path) -> None:
    """Those of a file that uses the script; a second version beside it does not matter."""
    folder = tmp_path / "mine"
    folder.mkdir()
    text = (EXAMPLES / "pass/plain_eval/train_gpt.py").read_text()
    (folder / "train_gpt.py").write_text(text + "\ndef used_beside(): return 1\ndef only_here(): return 1\n")
    (folder / "helper.py").write_text("import train_gpt\ntrain_gpt.used_beside()\n")
    (folder / "older.py").write_text("def only_here(): return 1\n")
    (submission,) = load_target(folder, tmp_path / "work")
    made = copy_of(submission, tmp_path / "copy")
    assert made is not None
    script = made[0].script
    assert script is not None
    assert "used_beside" in script.runnable
    assert "only_here" not in script.runnable


def test_differences_are_told(tmp_path: Path) -> None:
    (submission,) = load_target(EXAMPLES / "fail/slot", tmp_path)
    before = audit(submission, Options(None, tmp_path / "cache"))
    failed = next(f for f in before.findings if f.status == Status.FAIL)
    changed = dataclasses.replace(failed, status=Status.PASS)
    after = dataclasses.replace(
        before, findings=tuple(changed if f is failed else f for f in before.findings)
    )
    assert differences(before, before) == []
    assert differences(before, after) == [f"{failed.rule} fail ({failed.category}) -> pass"]


def test_table_counts() -> None:
    pairs = [
        Pair("a", 8, 10, "PASS", "PASS"),
        Pair("b", 6, 10, "FAIL", "PASS", ("scored", "scored"), ("C3 fail (slot) -> pass",), labels=3),
        Pair("c", reason="no text"),
    ]
    lines = table(pairs).split("\n")
    assert (
        lines[0]
        == "2 copies, 1 of them with the same verdict for the same rules; 14 of 20 names changed, 3 labels."
    )
    assert lines[5] == "| b | 6 of 10 | 3 | FAIL | PASS | scored / scored | C3 fail (slot) -> pass |"
    assert lines[6] == "| c | 0 of 0 | 0 |  |  |  | no text |"
