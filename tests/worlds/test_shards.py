"""The shard format, byte for byte."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from harness.worlds.shards import ShardError, read_shard, read_stream, write_shard


def test_bytes_on_disk(tmp_path: Path) -> None:
    write_shard(tmp_path / "s.bin", [1, 513, 65_535])
    expected = struct.pack("<256i", 20240520, 1, 3, *[0] * 253) + bytes([1, 0, 1, 2, 255, 255])
    assert (tmp_path / "s.bin").read_bytes() == expected


def test_it_reads_what_it_wrote(tmp_path: Path) -> None:
    tokens = np.random.default_rng(0).integers(0, 2**16, 1000)
    write_shard(tmp_path / "s.bin", tokens)
    assert read_shard(tmp_path / "s.bin").tolist() == tokens.tolist()


def test_streams_come_in_name_order(tmp_path: Path) -> None:
    for i in (2, 0, 1):
        write_shard(tmp_path / f"fineweb_val_{i:06d}.bin", [i])
    write_shard(tmp_path / "fineweb_train_000000.bin", [9])
    assert read_stream(tmp_path, "fineweb_val_*.bin").tolist() == [0, 1, 2]


@pytest.mark.parametrize("tokens", [[-1], [65_536]])
def test_tokens_that_do_not_fit(tmp_path: Path, tokens: list[int]) -> None:
    with pytest.raises(ShardError, match="outside"):
        write_shard(tmp_path / "s.bin", tokens)


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "not a shard"),
        (struct.pack("<256i", 1, 1, 0, *[0] * 253), "not a shard"),
        (struct.pack("<256i", 20240520, 2, 0, *[0] * 253), "not a shard"),
        (struct.pack("<256i", 20240520, 1, 2, *[0] * 253) + b"\0\0", "says 2 tokens, it holds 1"),
        (struct.pack("<256i", 20240520, 1, 1, *[0] * 253) + b"\0\0\0", r"says 1 tokens, it holds 1\.5"),
    ],
)
def test_files_that_are_no_shards(tmp_path: Path, data: bytes, complaint: str) -> None:
    (tmp_path / "s.bin").write_bytes(data)
    with pytest.raises(ShardError, match=complaint):
        read_shard(tmp_path / "s.bin")


def test_no_shard_at_all(tmp_path: Path) -> None:
    with pytest.raises(ShardError, match=r"no shard matches fineweb_val_\*"):
        read_stream(tmp_path, "fineweb_val_*.bin")
