"""The taught world: a short training text that repeats itself, and val tokens that repeat its pairs with a known chance.

An n-gram table that is filled in training, or that the artifact brings, knows what follows a token here. The training text
is short, so that a few steps have seen it all. Given it, each val token's probability depends on the token before alone.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.worlds.alphabet import Alphabet
from harness.worlds.copying import CHANCE, WINDOW
from harness.worlds.random import build, draw
from harness.worlds.shards import Tokens, read_shard
from harness.worlds.store import Specification, stored
from harness.worlds.world import World

LESSON = 1_024
"""Tokens of the training text: four small steps read more."""

Pairs = dict[int, list[int]]


def taught(
    vocab_size: int,
    cache: Path,
    *,
    val_tokens: int = 8_229,
    train_tokens: int = 262_144,
    caseops: bool = False,
    seed: int = 0,
) -> World:
    """The taught world of these sizes, from the cache or built into it. ValueError: no such world exists."""
    wanted = Specification("taught", vocab_size, caseops, val_tokens, train_tokens, seed)
    return stored(cache, wanted, _build)


def pair_costs(world: World) -> NDArray[np.float64]:
    """Bits [val_tokens] of each val token given the training text and the token before it; 0 for BOS."""
    first = min((world.root / world.layout.dataset).glob("fineweb_train_[0-9]*.bin"))
    return costs(
        world.val_stream(), pairs(read_shard(first)[:LESSON], world.bos_id), world.bos_id, world.vocab_size
    )


def costs(tokens: Tokens, known: Pairs, bos: int, vocab_size: int) -> NDArray[np.float64]:
    """Bits [n] of each token by the law, with these pairs; 0 for BOS."""
    bits = np.zeros(len(tokens))
    before = bos
    for at, token in enumerate(tokens.tolist()):
        if token != bos:
            seen = known.get(before, [])
            chance = CHANCE if seen else 0.0
            share = seen.count(token) / len(seen) if seen else 0.0
            bits[at] = -math.log2(chance * share + (1.0 - chance) / (vocab_size - 1))
        before = token
    return bits


def pairs(text: Tokens, bos: int) -> Pairs:
    """What followed each token in a text, BOS aside."""
    found: Pairs = {}
    for before, token in zip(text[:-1].tolist(), text[1:].tolist(), strict=True):
        if bos not in (before, token):
            found.setdefault(before, []).append(token)
    return found


def _lesson(wanted: Specification, letters: Alphabet) -> Tokens:
    rng = np.random.default_rng([wanted.seed, LESSON])
    return draw(rng, wanted.vocab_size, letters.bos_id, LESSON)


def _build(root: Path, wanted: Specification) -> World:
    def rework(rng: np.random.Generator, val: Tokens, letters: Alphabet) -> Tokens:
        return _repeated(rng, val, pairs(_lesson(wanted, letters), letters.bos_id), letters.bos_id)

    return build(root, wanted, WINDOW, rework, _lesson)


def _repeated(rng: np.random.Generator, tokens: Tokens, known: Pairs, bos: int) -> Tokens:
    """A uniform stream in which what followed the token before takes the place of a share of the tokens."""
    stream = tokens.copy()
    before = bos
    for at, token in enumerate(tokens.tolist()):
        if token != bos and before in known and rng.random() < CHANCE:
            stream[at] = rng.choice(known[before])
        before = int(stream[at])
    return stream
