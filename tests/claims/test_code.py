"""The script in a log beside the submitted one, and what P4 says of the difference."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from harness.case import Case, Claim, Evidence, Finding, Origin, Script, Status, Submission
from harness.witnesses import claims
from harness.witnesses.claims.code import CodeOfLog, code_of
from harness.witnesses.claims.log import read_log
from rules.P4 import code_of_the_log

LINES = ["import os", *(f"value_{n} = {n}" for n in range(200))]
SCRIPT = Script("train_gpt.py", 6, "0" * 64, "pass", "pass", "train_gpt.py")


def compared(tmp_path: Path, embedded: list[str], submitted: list[str]) -> CodeOfLog | None:
    file = tmp_path / "train.log"
    file.write_text("\n".join([*embedded, "=" * 100, "Running Python 3.12", "final val_bpb:1.2", ""]))
    source = "\n".join(submitted)
    script = Script("train_gpt.py", len(source), "0" * 64, source, source, "train_gpt.py")
    return code_of(read_log(file, "train.log"), script)


def test_the_same_script(tmp_path: Path) -> None:
    found = compared(tmp_path, LINES, LINES)
    assert found is not None
    assert (found.same, found.missing, found.added) == (True, 0, 0)


def test_comments_and_layout_are_no_difference(tmp_path: Path) -> None:
    found = compared(tmp_path, [*LINES[:50], "# a note", *LINES[50:]], [*LINES[:90], "", *LINES[90:]])
    assert found is not None
    assert found.same


def test_a_difference_is_shown_with_both_places(tmp_path: Path) -> None:
    found = compared(tmp_path, [*LINES[:50], "rate = 2", *LINES[50:]], [*LINES[:50], "rate = 3", *LINES[50:]])
    assert found is not None
    assert (found.same, found.missing, found.added) == (False, 1, 1)
    assert [(e.file, e.line, e.snippet) for e in found.diff] == [
        ("train.log", 51, "- rate = 2"),
        ("train_gpt.py", 51, "+ rate = 3"),
    ]


def test_a_log_without_a_script_is_not_compared(tmp_path: Path) -> None:
    assert compared(tmp_path, [], LINES) is None


def judged(code: CodeOfLog, track: str = "record", *, merged: bool = False) -> Finding:
    where = Submission("t", "records/x/t", Path("t"), Origin("t", merged=merged), SCRIPT, {}, track)
    facts = claims.examine(where, Claim())
    return code_of_the_log(Case(where, Claim(), claims=dataclasses.replace(facts, code=(code,))))


@pytest.mark.parametrize(("missing", "status"), [(0, Status.PASS), (100, Status.PASS), (400, Status.REVIEW)])
def test_the_log_of_another_program_is_a_question(missing: int, status: Status) -> None:
    assert judged(CodeOfLog("train.log", 1000, missing, 5, missing == 0)).status is status


def test_of_accepted_rows_and_of_the_other_track_it_is_told_only() -> None:
    another = CodeOfLog("train.log", 1000, 400, 5, same=False)
    assert judged(another, merged=True).status is Status.PASS
    assert judged(another, "non_record").status is Status.PASS


@pytest.mark.parametrize(
    ("counted", "status"),
    [
        (50_000, Status.PASS),
        (20_000, Status.NOT_COVERED),
        (54_000, Status.NOT_COVERED),
        (98_000, Status.REVIEW),
    ],
)
def test_a_log_that_counts_more_code_than_there_is(counted: int, status: Status) -> None:
    where = Submission("t", "records/x/t", Path("t"), Origin("t"), SCRIPT, {}, "record")
    facts = claims.examine(where, Claim())
    logged = claims.Stated(counted, Evidence("train.log", 9, f"Code size: {counted} bytes"))
    artifact = dataclasses.replace(facts.artifact, shipped_code=50_000, logged_code=logged, all_code=50_000)
    found = code_of_the_log(Case(where, Claim(), claims=dataclasses.replace(facts, artifact=artifact)))
    assert found.status is status
    if status is Status.REVIEW:
        script = Script("train_gpt.py", 50_000, "0" * 64, "", "", "train_gpt.py", stages=("base85", "lzma"))
        packed = dataclasses.replace(where, script=script)
        again = Case(packed, Claim(), claims=dataclasses.replace(facts, artifact=artifact))
        assert code_of_the_log(again).status is Status.NOT_COVERED


def test_a_count_too_large_for_code_is_none() -> None:
    where = Submission("t", "records/x/t", Path("t"), Origin("t"), SCRIPT, {}, "record")
    facts = claims.examine(where, Claim())
    counted = claims.Stated(11_125_178, Evidence("train.log", 9, ""))
    facts = dataclasses.replace(facts, artifact=dataclasses.replace(facts.artifact, logged_code=counted))
    assert code_of_the_log(Case(where, Claim(), claims=facts)).status is Status.NOT_COVERED
