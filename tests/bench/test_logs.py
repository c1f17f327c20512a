"""The share of a log's lines that are understood, on a log written for it, through a clone with one pull request."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness.bench.logs import table

LOG = (
    "| NVIDIA-SMI 550.90 |\nseed: 7\nstep 5/10 | loss 2.5000\nblocks.3.attn.weight kept\nnothing to count\n"
    "Serialized model int8: 1500 bytes\nfinal_exact val_loss:2.0 val_bpb:1.2000\n"
)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A repository whose pull request 3 brings two folders with the same log, and a log without a score."""
    place = tmp_path / "clone"

    def git(*arguments: str) -> None:
        subprocess.run(["git", "-C", str(place), *arguments], check=True, capture_output=True)

    for name, text in (("a/train.log", LOG), ("b/train.log", LOG), ("b/other.log", "10 files\n")):
        file = place / "records" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    git("init", "-q")
    git("add", ".")
    git("-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "t")
    git("update-ref", "refs/pull/3/head", "HEAD")
    return place


def test_lines_with_a_number_are_counted_once_and_told_by_kind(clone: Path, tmp_path: Path) -> None:
    text, drawn = table(clone, tmp_path, sample=5)
    assert text.startswith("1 logs with a score at 1 heads: of 4 of 6 lines with a number, 66.7%")
    assert "| the machine: nvidia-smi, versions, dates | 1 |" in text
    assert "| names of tensors and layers | 1 |" in text
    assert len(drawn) == 1
    assert "   <- " in drawn[0]
