"""P3 one folder: a pull request adds one new folder under records/ and touches nothing else.

What it does
    Looks at the whole change against the main line: how many record folders it brings, whether it changes or deletes
    files of other records, and what it adds outside records/. It never fails a submission. It is a question where no record
    folder is brought, where records of others are changed, and where more than 50 files lie outside records/, which nobody
    sees through at a glance; further folders and a few files beside are told and no more: they say nothing about the score,
    and #1945 (two folders) went to the leaderboard with them.

Why it breaks the score
    It does not; but a maintainer cannot merge a record together with somebody's experiments, and with two record folders
    nobody knows which one is claimed.

Example
    records/track_10min_16mb/2026-05-01_Mine/...  and  experiments/run.sh         # told

Legal alternative
    A branch from the main line with the one folder; a pull request for each further result.

Rulings
    README of the challenge: a pull request adds one new folder in a subfolder of records/ and nothing else.
    #236: the diff must be cleaned up. #1120: 238 files outside the record (its score became a row of the leaderboard all
    the same, unmerged). #1031, #1143: two record folders.
    Merged all the same: #65 (three folders), #77 (changes the baseline's train_gpt.py).
    https://github.com/openai/parameter-golf#readme

Since
    0.1.0
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.case import Case, Change, Evidence, Finding, Grade, Status
from rules.registry import rule

_SHOWN = 5
_MANY = 50


@rule("P3", title="One folder", categories=("packaging",), needs=("claims",))
def one_folder(case: Case) -> Finding:
    """Review where an open pull request brings no record folder or changes other records; the rest is told."""
    change = case.submission.origin.change
    if change is None:
        told = "This is a folder, not a pull request: there is no change to look at."
        return Finding("P3", Status.NOT_APPLICABLE, told, grade=Grade.CLAIM)
    if not change.folders and case.submission.script is None and not case.submission.files:
        told = "The change brings neither a record folder nor a script that scores: it is no submission."
        return Finding("P3", Status.NOT_APPLICABLE, told, grade=Grade.CLAIM)
    asked = _asked(change)
    if not asked:
        told = "The change adds one record folder and nothing else."
        return Finding("P3", Status.PASS, told, grade=Grade.CLAIM)
    told = (
        f"The change {' and '.join(asked)}; a submission adds one new folder under records/ and nothing else."
    )
    shown = _lines((*(change.folders if len(change.folders) > 1 else ()), *change.altered, *change.outside))
    if change.folders and not change.altered_count and change.outside_count <= _MANY:
        told = f"{told.removesuffix('.')}: to be cleaned up before a merge, no question about the score."
        return Finding("P3", Status.PASS, told, grade=Grade.CLAIM, evidence=shown)
    if case.submission.origin.merged:
        told = f"{told.removesuffix('.')} (merged all the same)."
        return Finding("P3", Status.PASS, told, grade=Grade.CLAIM, evidence=shown)
    return Finding("P3", Status.REVIEW, told, "packaging", Grade.CLAIM, shown)


def _asked(change: Change) -> list[str]:
    """What a maintainer would ask to be put right, in words."""
    asked = []
    if not change.folders:
        asked.append("adds no record folder")
    elif len(change.folders) > 1:
        asked.append(f"brings {len(change.folders)} record folders")
    if change.altered_count:
        asked.append(f"changes or deletes {_files(change.altered_count)} of records that are there already")
    if change.outside_count:
        asked.append(f"touches {_files(change.outside_count)} outside records/")
    return asked


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count:,} files"


def _lines(paths: Sequence[str]) -> tuple[Evidence, ...]:
    return tuple(Evidence(path, 0, "") for path in paths[:_SHOWN])
