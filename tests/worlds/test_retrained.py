"""Other training shards beside the same val: the same documents in another order, shards of the same lengths."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.worlds.retrained import retrained, train_shards
from harness.worlds.shards import read_shard
from tests.worlds.conftest import Make


def test_val_stays_and_training_shards_change(make_world: Make, tmp_path: Path) -> None:
    small = make_world()
    other = retrained(small, tmp_path / "other")
    assert np.array_equal(other.val_stream(), small.val_stream())
    before, after = ([read_shard(p) for p in train_shards(w)] for w in (small, other))
    assert [len(s) for s in before] == [len(s) for s in after]
    assert all(not np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    assert all(s[0] == small.bos_id for s in after)
    assert (other.root / "manifest.json").read_bytes() == (small.root / "manifest.json").read_bytes()


def test_the_same_seed_gives_the_same_shards(make_world: Make, tmp_path: Path) -> None:
    one, two, three = (
        retrained(make_world(), tmp_path / name, seed) for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    shards = [train_shards(world)[0].read_bytes() for world in (one, two, three)]
    assert shards[0] == shards[1] != shards[2]
