"""A world with some val tokens exchanged: BOS stays where it is, everything else is the same, windows stay unique."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.worlds.files import original_bytes
from harness.worlds.miniature import prove_unique
from harness.worlds.shards import Tokens, read_shard, write_shard
from harness.worlds.world import World

_ATTEMPTS = 50


def changed(world: World, positions: npt.NDArray[np.int64], root: Path, seed: int = 0) -> World:
    """A copy of the world at `root` in which each of these val positions that is not BOS holds another token.

    The new tokens are drawn uniformly from those that occur in val, so none is without text. Raises ValueError when
    no draw keeps every window unique.
    """
    val = world.val_stream()
    where = positions[val[positions] != world.bos_id]
    letters = np.setdiff1d(val, [world.bos_id])
    train = [read_shard(p).tolist() for p in sorted(_dataset(world).glob("fineweb_train_[0-9]*.bin"))]
    for attempt in range(_ATTEMPTS):
        stream = _exchanged(val, where, letters, np.random.default_rng([seed, attempt]))
        try:
            prove_unique(stream.tolist(), train, world.ngram)
        except RuntimeError:
            continue
        return _written(world, stream, root)
    raise ValueError(f"no exchange of {len(where)} val tokens keeps all windows of {world.ngram} unique")


def _exchanged(
    val: Tokens, where: npt.NDArray[np.int64], letters: Tokens, rng: np.random.Generator
) -> Tokens:
    """The stream with another letter at each of these positions."""
    stream = val.copy()
    old = np.searchsorted(letters, val[where])
    shift = rng.integers(1, len(letters), len(where))
    stream[where] = letters[(old + shift) % len(letters)]
    return stream


def _written(world: World, stream: Tokens, root: Path) -> World:
    shutil.copytree(world.root, root, symlinks=True)
    copy = dataclasses.replace(world, root=root)
    shards = sorted(_dataset(copy).glob("fineweb_val_[0-9]*.bin"))
    assert len(shards) == 1
    write_shard(shards[0], stream)
    np.save(root / "val_stream.npy", stream.astype(np.int32))
    if world.caseops:
        write_shard(_dataset(copy) / "fineweb_val_bytes_000000.bin", original_bytes(copy.tokenizer())[stream])
    return copy


def _dataset(world: World) -> Path:
    return world.root / world.layout.dataset
