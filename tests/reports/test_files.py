"""Files of a report: which are written, under which names, and that none is ever half there."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from harness.case import Audit
from reports import write_atomically, write_reports
from reports.files import folder_names


def test_one_submission(cheat: Audit, tmp_path: Path) -> None:
    written = write_reports([cheat], tmp_path / "out", tmp_path / "deep" / "x.json")
    assert sorted(p.name for p in written) == ["report.html", "report.json", "report.md", "x.json"]
    assert all(p.stat().st_size for p in written)
    assert (tmp_path / "out" / "report.json").read_bytes() == (tmp_path / "deep" / "x.json").read_bytes()


def test_several_get_a_folder_each(scenes: dict[str, Audit], tmp_path: Path) -> None:
    written = {p.relative_to(tmp_path).as_posix() for p in write_reports(list(scenes.values()), tmp_path)}
    assert {"report.html", "report.md", "report.json"} < written
    assert "2026-03-21_XSA_EMA_TTT/report.html" in written
    assert len(written) == 3 * 5
    assert json.loads((tmp_path / "report.json").read_text())["verdict"] == "FAIL"


def test_json_alone(cheat: Audit, tmp_path: Path) -> None:
    assert write_reports([cheat], None, tmp_path / "x.json") == [tmp_path / "x.json"]
    assert [p.name for p in tmp_path.iterdir()] == ["x.json"]


def test_nothing_to_report_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no audit"):
        write_reports([], tmp_path)


def test_names_stay_inside_and_apart() -> None:
    names = ["../../etc/passwd", "..", "", "a/b", "a b", "a_b", "A_B", "x" * 300, "\u202e\x00"]
    folders = folder_names(names)
    assert len({f.lower() for f in folders}) == len(names)
    for folder in folders:
        assert folder
        assert len(folder) < 90
        assert "/" not in folder
        assert not folder.startswith(".")


def test_two_of_one_name_do_not_overwrite_each_other(honest: Audit, cheat: Audit, tmp_path: Path) -> None:
    same = dataclasses.replace(cheat, case=dataclasses.replace(cheat.case, submission=honest.case.submission))
    write_reports([honest, same], tmp_path)
    verdicts = {json.loads(p.read_text())["verdict"] for p in tmp_path.glob("*/report.json")}
    assert verdicts == {"PASS", "FAIL"}


def test_a_failed_write_leaves_the_old_file_and_no_draft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = write_atomically(tmp_path / "a.txt", "old")

    def fail(self: Path, other: Path) -> None:
        raise OSError("disk is gone")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="gone"):
        write_atomically(target, "new")
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert target.read_text() == "old"
