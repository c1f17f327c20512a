"""A second run finds the plain files of the first, and nothing that could reach out of the sandbox."""

from __future__ import annotations

import os
from pathlib import Path

from harness.emulate import _carry_over
from harness.witnesses.probes.again import same
from harness.witnesses.probes.printed import read_line


def test_plain_files_are_carried_over_and_links_and_pipes_stay(tmp_path: Path) -> None:
    left, work, outside = tmp_path / "left", tmp_path / "work", tmp_path / "outside.txt"
    outside.write_text("ours")
    (left / "mine" / "deep").mkdir(parents=True)
    (left / "data").mkdir()
    (left / "data" / "shard.bin").write_text("x")
    (left / "mine" / "deep" / "memory.pt").write_text("learned")
    (left / ".hidden").write_text("too")
    (left / "mine" / "train_gpt.py").symlink_to(outside)
    (left / "elsewhere").symlink_to(tmp_path)
    os.mkfifo(left / "pipe")
    _carry_over(left, work)
    found = sorted(str(p.relative_to(work)) for p in work.rglob("*"))
    assert found == [".hidden", "mine", "mine/deep", "mine/deep/memory.pt"]


def test_scores_are_the_same_where_their_numbers_are() -> None:
    lines = [read_line(f"final val_loss:{v} val_bpb:1.5") for v in ("2.10", "2.1", "2.2")]
    one, two, three = (line for line in lines if line is not None)
    assert same(one, two)
    assert not same(one, three)
