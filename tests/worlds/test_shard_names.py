"""A script that looks for shards under names of its own finds the world's; the challenge's names stay where they are."""

from __future__ import annotations

import pytest

from harness.worlds.shard_names import shard_names

SHARDS = (
    "fineweb_train_000000.bin",
    "fineweb_train_000001.bin",
    "fineweb_val_000000.bin",
    "fineweb_val_bytes_000000.bin",
)


@pytest.mark.parametrize(
    ("source", "names"),
    [
        (
            'open(os.path.join(base, f"fineweb_{split}_sp1024.bin"))',
            {"fineweb_train_sp1024.bin": SHARDS[0], "fineweb_val_sp1024.bin": SHARDS[2]},
        ),
        (
            'glob(f"{root}/fineweb_bpe4096_{split}_*.bin")',
            {
                "fineweb_bpe4096_train_000000.bin": SHARDS[0],
                "fineweb_bpe4096_train_000001.bin": SHARDS[1],
                "fineweb_bpe4096_val_000000.bin": SHARDS[2],
            },
        ),
        ('np.fromfile("data/fineweb-val.bin")', {}),
        ('np.fromfile("data/fineweb_val.bin")', {"fineweb_val.bin": SHARDS[2]}),
        ('f"{path}/fineweb_train_{i:06d}.bin"; "fineweb_val_*.bin"; "fineweb_val_bytes_*.bin"', {}),
    ],
)
def test_other_names(source: str, names: dict[str, str]) -> None:
    assert shard_names(source, SHARDS) == names
