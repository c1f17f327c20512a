"""The random world: uniform, independent, unique windows, the layout of the miniature one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.worlds.miniature import prove_unique
from harness.worlds.random import uniform
from harness.worlds.shards import read_shard


@pytest.mark.parametrize(("vocab_size", "caseops"), [(256, False), (1024, False), (1024, True)])
def test_tokens_are_uniform_and_unique(tmp_path: Path, vocab_size: int, caseops: bool) -> None:
    world = uniform(vocab_size, tmp_path, val_tokens=16_385, train_tokens=65_536, caseops=caseops)
    val = world.val_stream()
    paths = sorted((world.root / world.layout.dataset).glob("fineweb_train_*.bin"))
    train = [read_shard(path) for path in paths]
    assert (len(val), sum(map(len, train))) == (16_385, 65_536)
    prove_unique(val.tolist(), [shard.tolist() for shard in train], world.ngram)
    assert world.position_bytes().shape == val.shape
    for tokens in (val, *train):
        starts = np.flatnonzero(tokens == world.bos_id)
        assert starts[0] == 0
        assert np.diff([*starts, len(tokens)]).min() >= 4
        counts = np.bincount(np.delete(tokens, starts), minlength=vocab_size)
        expected = (len(tokens) - len(starts)) / (vocab_size - 1)
        # Chi-square of so many cells lies within six deviations of its mean.
        chi = float(((np.delete(counts, world.bos_id) - expected) ** 2 / expected).sum())
        assert abs(chi - (vocab_size - 2)) < 6 * (2 * vocab_size) ** 0.5
        pairs = np.delete(tokens, starts).astype(np.int64)
        repeats = float((pairs[1:] == pairs[:-1]).mean())  # neighbours agree by chance alone
        assert repeats < 3 / (vocab_size - 1)


def test_it_is_the_same_each_time(tmp_path: Path) -> None:
    sizes = {"val_tokens": 1_024, "train_tokens": 8_192}
    first = uniform(1024, tmp_path / "a", **sizes).val_stream()
    assert np.array_equal(uniform(1024, tmp_path / "b", **sizes).val_stream(), first)
    assert not np.array_equal(uniform(1024, tmp_path / "b", seed=1, **sizes).val_stream(), first)
