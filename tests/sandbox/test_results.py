"""Results are read without following links, without waiting and without trusting a size."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.sandbox import ResultError, read_result


def test_a_plain_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "trace").mkdir()
    (tmp_path / "trace" / "events").write_bytes(b"1234")
    assert read_result(tmp_path, "trace/events", 4) == b"1234"


def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "file").write_text("x")
    work = tmp_path / "work"
    work.mkdir()
    (work / "file").symlink_to(tmp_path / "secret" / "file")
    (work / "folder").symlink_to(tmp_path / "secret")
    for name in ("file", "folder/file"):
        with pytest.raises(ResultError, match="cannot be read"):
            read_result(work, name, 100)


@pytest.mark.parametrize("name", ["../secret", "a/../../secret", "/etc/passwd", "", "."])
def test_names_stay_below_the_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret").write_text("x")
    (tmp_path / "work" / "a").mkdir(parents=True)
    with pytest.raises(ResultError):
        read_result(tmp_path / "work", name, 100)


def test_size_is_bounded(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    with pytest.raises(ResultError, match="more than 4 bytes"):
        read_result(tmp_path, "file", 4)


def test_pipes_and_folders_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(ResultError, match="not a plain file"):
            read_result(tmp_path, name, 100)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="trace/events cannot be read"):
        read_result(tmp_path, "trace/events", 100)
