"""Files get other content when the script reads one of them back, and not before."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.exchange import Exchange as Wanted
from harness.inside.emulator.exchange import Exchange


def reading(path: Path | str) -> tuple[str, str, int]:
    return (str(path), "rb", os.O_RDONLY)


def test_writing_exchanges_nothing_and_reading_does(tmp_path: Path) -> None:
    artifact, other = tmp_path / "final.ptz", tmp_path / "other.bin"
    artifact.write_bytes(b"mine and long")
    other.write_bytes(b"theirs")
    waiting = Exchange([str(artifact)], {str(artifact): b"B", str(other): b"C"})
    waiting.hook("open", (str(artifact), "wb", os.O_WRONLY))
    waiting.hook("open", (str(artifact), None, os.O_RDWR))
    waiting.hook("open", reading(other))
    waiting.hook("os.listdir", (str(tmp_path),))
    waiting.hook("open", (3, "rb", 0))
    assert artifact.read_bytes() == b"mine and long"
    waiting.hook("open", reading(artifact))
    assert (artifact.read_bytes(), other.read_bytes()) == (b"B", b"C")


def test_what_is_written_again_is_exchanged_again(tmp_path: Path) -> None:
    artifact = tmp_path / "final.ptz"
    waiting = Exchange([str(artifact)], {str(artifact): b"B"})
    waiting.hook("open", reading(artifact))  # it is not there yet
    assert not artifact.exists()
    for _ in range(2):
        (tmp_path / "tmp").write_bytes(b"mine")
        (tmp_path / "tmp").rename(artifact)
        waiting.hook("open", reading(artifact))
        assert artifact.read_bytes() == b"B"


def test_other_names_of_the_file_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    artifact = tmp_path / "final.ptz"
    artifact.write_bytes(b"mine")
    monkeypatch.chdir(tmp_path)
    waiting = Exchange([str(artifact)], {str(artifact): b"B"})
    waiting.hook("open", reading("./final.ptz"))
    assert artifact.read_bytes() == b"B"


def test_contents_are_laid_out_for_the_sandbox(tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"B")
    told = Wanted(("/work/x/a",), {"/work/x/a": tmp_path / "b"}).lay_out(tmp_path / "exchange", "/inside")
    assert told == {"when": ["/work/x/a"], "files": {"/work/x/a": "/inside/0"}}
    assert (tmp_path / "exchange" / "0").read_bytes() == b"B"
