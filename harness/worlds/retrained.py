"""A world with the same val and other training shards: the same documents, in another order and in other shards."""

from __future__ import annotations

import dataclasses
import shutil
from collections import deque
from pathlib import Path

import numpy as np

from harness.worlds.miniature import prove_unique
from harness.worlds.shards import Tokens, read_shard, write_shard
from harness.worlds.unique import Window, windows
from harness.worlds.world import World

_ATTEMPTS = 20


def train_shards(world: World) -> list[Path]:
    """The training shards of a world, in name order."""
    return sorted((world.root / world.layout.dataset).glob("fineweb_train_[0-9]*.bin"))


def retrained(world: World, root: Path, seed: int = 0) -> World:
    """A copy of the world at `root` whose training shards hold its documents in an order drawn from `seed`.

    Each shard keeps its name and its length, so its last document is cut where it must be. Raises ValueError where no
    order keeps every val window out of training data.
    """
    old = [read_shard(path) for path in train_shards(world)]
    val = world.val_stream().tolist()
    taken = set(windows(val, world.ngram))
    documents = [d for shard in old for d in np.split(shard, np.flatnonzero(shard == world.bos_id)) if d.size]
    for attempt in range(_ATTEMPTS):
        order = np.random.default_rng([seed, attempt]).permutation(len(documents))
        source = deque(documents[i] for i in order)
        try:
            shards = [_filled(source, len(shard), taken, world.ngram) for shard in old]
            prove_unique(val, [shard.tolist() for shard in shards], world.ngram)
        except (RuntimeError, ValueError):
            continue
        shutil.copytree(world.root, root, symlinks=True)
        copy = dataclasses.replace(world, root=root)
        for path, shard in zip(train_shards(copy), shards, strict=True):
            write_shard(path, shard)
        return copy
    raise ValueError("no other order of the training documents keeps val windows out of them")


def _filled(source: deque[Tokens], size: int, taken: set[Window], n: int) -> Tokens:
    """A shard of `size` tokens: the next documents of a ring, but for those that would make a val window where they begin.

    Raises ValueError where every document would.
    """
    shard: list[int] = []
    passed = 0
    while len(shard) < size:
        document = source[0].tolist()
        source.rotate(-1)
        if taken.isdisjoint(windows(shard[-n + 1 :] + document[: n - 1], n)):
            shard += document[: size - len(shard)]
            passed = 0
            continue
        passed += 1
        if passed == len(source):
            raise ValueError("every document begins with a val window")
    return np.array(shard, dtype=np.uint16)
