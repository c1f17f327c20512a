"""P3: a change without a record folder, or to records of others, is a question, until it is merged."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.case import Case, Change, Claim, Origin, Script, Status, Submission
from rules.P3 import one_folder

MINE = "records/track_10min_16mb/mine"
SCRIPT = Script("train_gpt.py", 4, "0" * 64, "pass", "pass", "train_gpt.py")


def status(change: Change | None, *, merged: bool = False) -> Status:
    origin = Origin("clone", 7, "a" * 40, "b" * 40, merged, change)
    return one_folder(Case(Submission("t", MINE, Path("t"), origin, SCRIPT, {}, "record"), Claim())).status


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (None, Status.NOT_APPLICABLE),
        (Change(folders=(MINE,)), Status.PASS),
        (Change(folders=(MINE, MINE + "2")), Status.PASS),
        (Change(folders=(MINE,), outside=("run.sh",), outside_count=1), Status.PASS),
        (Change(folders=(MINE,), outside=("run.sh",), outside_count=50), Status.PASS),
        (Change(folders=(MINE,), outside=("run.sh",), outside_count=51), Status.REVIEW),
        (Change(folders=(MINE,), altered=("records/x/y/z.py",), altered_count=1), Status.REVIEW),
        (Change(outside=("train_gpt.py",), outside_count=1), Status.REVIEW),
    ],
)
def test_one_new_folder_and_nothing_else(change: Change | None, expected: Status) -> None:
    assert status(change) is expected


def test_what_was_merged_is_no_question() -> None:
    change = Change(folders=(MINE,), altered=("records/x/y/z.py",), altered_count=1)
    assert status(change, merged=True) is Status.PASS
    assert status(Change(folders=(MINE,), outside_count=238), merged=True) is Status.PASS


def test_a_change_without_script_and_folder_is_no_submission() -> None:
    origin = Origin("clone", 7, "a" * 40, "b" * 40, False, Change(outside=("README.md",), outside_count=1))
    where = Submission("pull request 7", "", Path("t"), origin, None, {})
    assert one_folder(Case(where, Claim())).status is Status.NOT_APPLICABLE
