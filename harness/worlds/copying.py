"""The copying world: random tokens that repeat themselves by a law known exactly, so that their code length is known too.

A token is drawn from what came before after the longest context that was seen often enough, with a small chance, else
uniformly from all ids but BOS. That is a Markov source with memory (a Pólya urn for each context); the probability of each
token given all before it follows from the stream alone. Training shards are uniform and tell nothing. What looks up
n-grams finds something here, and gains as much as it may: its own normalized form is close to the law of the stream.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.worlds.alphabet import Alphabet
from harness.worlds.random import build
from harness.worlds.shards import Tokens
from harness.worlds.store import Specification, stored
from harness.worlds.world import World

WINDOW = 12
"""Val tokens that tell their position: shorter windows come again."""
CHANCE = 0.15
"""Share of tokens that are copied where a context is known: the normalized form of a blend with weight a copies
a / (1 + a) of them, and weights from 0.1 to 0.7 lose little by the difference."""
LONGEST = 8
"""Tokens of the longest context."""
OFTEN = 3
"""Sightings from which on a context is known: the least count that caches ask for. Fewer in a large vocabulary."""


@dataclasses.dataclass
class Memory:
    """How often each token followed each context of up to LONGEST tokens of its own document."""

    sightings: int
    counts: dict[tuple[int, ...], dict[int, int]] = dataclasses.field(default_factory=dict)

    def known(self, context: Sequence[int]) -> dict[int, int]:
        """What followed the longest known context, with counts; empty where none is known."""
        for size in range(len(context), 0, -1):
            seen = self.counts.get(tuple(context[-size:]))
            if seen is not None and sum(seen.values()) >= self.sightings:
                return seen
        return {}

    def learn(self, context: Sequence[int], token: int) -> None:
        """Count the token after every end of the context."""
        for size in range(1, len(context) + 1):
            seen = self.counts.setdefault(tuple(context[-size:]), {})
            seen[token] = seen.get(token, 0) + 1


def sightings(vocab_size: int, val_tokens: int) -> int:
    """From how many sightings on a context is known in a stream of this length."""
    return min(max(val_tokens // (2 * vocab_size), 1), OFTEN)


def copying(
    vocab_size: int,
    cache: Path,
    *,
    val_tokens: int = 8_229,
    train_tokens: int = 262_144,
    caseops: bool = False,
    seed: int = 0,
) -> World:
    """The copying world of these sizes, from the cache or built into it. ValueError: no such world exists."""
    wanted = Specification("copying", vocab_size, caseops, val_tokens, train_tokens, seed)
    return stored(cache, wanted, _build)


def _build(root: Path, wanted: Specification) -> World:
    def rework(rng: np.random.Generator, val: Tokens, letters: Alphabet) -> Tokens:
        return _copied(rng, val, letters.bos_id, wanted.vocab_size)

    return build(root, wanted, WINDOW, rework)


def _copied(rng: np.random.Generator, tokens: Tokens, bos: int, vocab_size: int) -> Tokens:
    """A uniform stream in which what a known context calls for takes the place of a share of the tokens."""
    memory = Memory(sightings(vocab_size, len(tokens)))
    stream = tokens.copy()
    context: list[int] = []
    for at, token in enumerate(tokens.tolist()):
        if token == bos:
            context = []
            continue
        seen = memory.known(context)
        if seen and rng.random() < CHANCE:
            token = int(rng.choice(np.repeat(list(seen), list(seen.values()))))
            stream[at] = token
        memory.learn(context, token)
        context = [*context, token][-LONGEST:]
    return stream


def code_lengths(tokens: Tokens, bos: int, vocab_size: int) -> NDArray[np.float64]:
    """Bits [n] of each val token by the law of this world, given all tokens before it; 0 for BOS."""
    memory = Memory(sightings(vocab_size, len(tokens)))
    bits = np.zeros(len(tokens))
    context: list[int] = []
    for at, token in enumerate(tokens.tolist()):
        if token == bos:
            context = []
            continue
        seen = memory.known(context)
        share = seen.get(token, 0) / sum(seen.values()) if seen else 0.0
        chance = CHANCE if seen else 0.0
        bits[at] = -math.log2(chance * share + (1.0 - chance) / (vocab_size - 1))
        memory.learn(context, token)
        context = [*context, token][-LONGEST:]
    return bits


def most_bits(vocab_size: int) -> float:
    """The most bits that a token may have."""
    return math.log2((vocab_size - 1) / (1.0 - CHANCE))
