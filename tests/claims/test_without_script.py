"""A record folder without a script: its papers are read all the same, and the verdict is REVIEW, never silence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.audit import Options, audit
from harness.case import (
    Audit,
    Case,
    Change,
    Claim,
    Finding,
    Origin,
    Script,
    Status,
    Submission,
    Verdict,
    to_json,
)
from harness.witnesses import claims
from reports.html import audit_html
from reports.markdown import audit_markdown
from rules.P1 import packaging
from tests.claims.test_papers import SOURCE, log


def papers(root: Path, text: str, *, left_out: tuple[str, ...] = ()) -> Audit:
    """The static audit of a folder with these papers and no script."""
    folder = root / "submission"
    folder.mkdir()
    (folder / "README.md").write_text("# A new record: 1.1234 BPB\n\nval_bpb 1.1234\n")
    (folder / "train.log").write_text(text)
    if not left_out:
        stated = {"author": "a", "name": "n", "val_bpb": 1.1234}
        (folder / "submission.json").write_text(json.dumps(stated))
    sizes = {p.name: p.stat().st_size for p in folder.iterdir()}
    note = "No script in records/x/t computes a loss on validation tokens, so there is nothing to run."
    held = Submission(
        "t",
        "records/track_10min_16mb/2026-05-02_T",
        folder,
        Origin("t"),
        None,
        sizes,
        "record",
        (note,),
        left_out=left_out,
    )
    return audit(held, Options(None, root / "cache"))


def of(audited: Audit, rule: str) -> Finding:
    return next(f for f in audited.findings if f.rule == rule)


def test_papers_without_a_script_are_judged_and_a_person_looks(tmp_path: Path) -> None:
    found = papers(tmp_path, log())
    assert found.verdict is Verdict.REVIEW
    assert "nothing to run" in found.why
    assert "P1: The submission lacks a script that scores." in found.why
    assert of(found, "T1").status is Status.PASS
    assert of(found, "D2").status is Status.PASS
    assert of(found, "S1").category == "significance"
    assert of(found, "P4").status is Status.NOT_COVERED
    assert "there is no script" in of(found, "C3").summary


@pytest.mark.parametrize(("model", "status"), [(15_900_000, Status.PASS), (16_100_000, Status.FAIL)])
def test_the_log_alone_counts_the_artifact(tmp_path: Path, model: int, status: Status) -> None:
    found = of(papers(tmp_path, log(model=model)), "A1")
    assert found.status is status
    assert "shipped" not in found.summary


def test_what_breaks_a_limit_fails_without_a_script_too(tmp_path: Path) -> None:
    found = papers(tmp_path, log(train_ms=900_000))
    assert found.verdict is Verdict.FAIL
    assert found.why.startswith("T1")


@pytest.mark.parametrize(
    ("folder", "folders", "status"),
    [
        ("", (), Status.NOT_APPLICABLE),
        ("tools", (), Status.NOT_APPLICABLE),
        ("", ("records/track_10min_16mb/x",), Status.REVIEW),
        ("records/mine", (), Status.REVIEW),
    ],
)
def test_no_papers_are_missed_where_no_record_folder_is_brought(
    tmp_path: Path, folder: str, folders: tuple[str, ...], status: Status
) -> None:
    origin = Origin("t", 7, change=Change(folders))
    (tmp_path / "tool.py").write_text(SOURCE)
    script = Script("tool.py", len(SOURCE), "0" * 64, SOURCE, SOURCE, "tool.py")
    held = Submission("t", folder, tmp_path, origin, script, {"tool.py": len(SOURCE)})
    found = packaging(Case(held, Claim(), claims=claims.examine(held, Claim())))
    assert found.status is status


@pytest.mark.parametrize(
    ("track", "merged", "status"),
    [("record", False, Status.REVIEW), ("record", True, Status.PASS), ("non_record", False, Status.PASS)],
)
def test_what_was_merged_or_is_a_non_record_may_lack_its_script(
    tmp_path: Path, track: str, merged: bool, status: Status
) -> None:
    for name, text in {"README.md": "x", "submission.json": "{}", "a.log": log()}.items():
        (tmp_path / name).write_text(text)
    sizes = {p.name: p.stat().st_size for p in tmp_path.iterdir()}
    held = Submission("t", "records/x/t", tmp_path, Origin("t", merged=merged), None, sizes, track)
    found = packaging(Case(held, Claim(), claims=claims.examine(held, Claim())))
    assert found.status is status
    assert "script that scores" in found.summary


def test_a_script_outside_its_record_folder_is_asked_for(tmp_path: Path) -> None:
    for name, text in {
        "README.md": "x",
        "submission.json": "{}",
        "a.log": log(),
        "train_gpt.py": SOURCE,
    }.items():
        (tmp_path / name).write_text(text)
    sizes = {p.name: p.stat().st_size for p in tmp_path.iterdir()}
    script = Script("train_gpt.py", len(SOURCE), "0" * 64, SOURCE, SOURCE, "train_gpt.py")
    held = Submission("t", "records/x/t", tmp_path, Origin("t"), script, sizes, "record", script_from="")
    found = packaging(Case(held, Claim(), claims=claims.examine(held, Claim())))
    assert found.status is Status.REVIEW
    assert "that lies in the top level" in found.summary


def test_a_paper_that_could_not_be_read_is_not_called_missing(tmp_path: Path) -> None:
    found = of(papers(tmp_path, log(), left_out=("submission.json",)), "P1")
    assert found.status is Status.REVIEW
    assert "submission.json, which was left out" in found.summary


def test_every_report_tells_of_it(tmp_path: Path) -> None:
    found = papers(tmp_path, log())
    assert json.loads(json.dumps(to_json(found)))["verdict"] == "REVIEW"
    for text in (audit_html(found), audit_markdown(found)):
        assert "nothing to run" in text
        assert "lacks a script that scores" in text
