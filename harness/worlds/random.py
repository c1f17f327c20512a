"""The uniformly random world: on its tokens no valid predictor can beat counting.

Train and val tokens are drawn independently and uniformly from all ids but BOS, so a code for n of them that saves
s bits on n * log2(vocab_size - 1) exists only by seeing them, or by a chance of at most 2**-s. BOS stands where
lengths drawn beforehand put it and carries no such promise. Tokenizer, layout and unique windows are those of the
miniature world of the same vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from harness.worlds.alphabet import Alphabet, alphabet
from harness.worlds.files import write_files
from harness.worlds.miniature import BYTE_NGRAM, TRAIN_SHARDS, prove_unique
from harness.worlds.shards import Tokens
from harness.worlds.store import Specification, stored
from harness.worlds.text import documents
from harness.worlds.world import NGRAM, World

SHORTEST, LONGEST = 3, 600
"""Tokens of a document after its BOS."""

Rework = Callable[[np.random.Generator, Tokens, Alphabet], Tokens]
"""What another world makes of a uniform val stream of these letters."""
Lesson = Callable[[Specification, Alphabet], Tokens]
"""Tokens that the train shards of another world repeat over and over."""


def uniform(
    vocab_size: int,
    cache: Path,
    *,
    val_tokens: int = 16_385,
    train_tokens: int = 262_144,
    caseops: bool = False,
    seed: int = 0,
) -> World:
    """The random world of these sizes, from the cache or built into it. ValueError: no such world exists."""
    return stored(cache, Specification("uniform", vocab_size, caseops, val_tokens, train_tokens, seed), build)


def build(
    root: Path,
    wanted: Specification,
    window: int | None = None,
    rework: Rework | None = None,
    lesson: Lesson | None = None,
) -> World:
    """A world of uniform tokens below `root`; `rework` changes the val stream, `lesson` makes the tokens that the train
    shards repeat. Windows of `window` val tokens are unique."""
    letters = alphabet(wanted.vocab_size, documents(0), caseops=wanted.caseops)
    n = window or (NGRAM if ".model" in letters.files else BYTE_NGRAM)
    val, train = _unique_streams(wanted, letters, n, rework, lesson)
    world = World(
        name=wanted.name,
        root=root,
        vocab_size=wanted.vocab_size,
        caseops=wanted.caseops,
        val_tokens=wanted.val_tokens,
        train_tokens=wanted.train_tokens,
        bos_id=letters.bos_id,
        ngram=n,
    )
    write_files(world, letters, val, train)
    return world


def _unique_streams(
    wanted: Specification, letters: Alphabet, n: int, rework: Rework | None, lesson: Lesson | None
) -> tuple[Tokens, list[Tokens]]:
    """Val stream and train shards in which val windows are unique: whole draws are repeated until they are.

    Where one draw in some hundred is thrown away, the bound above weakens by a factor as close to 1; exchanging
    single tokens would make others predictable.
    """
    bos = letters.bos_id
    sizes = [wanted.train_tokens * (i + 1) // TRAIN_SHARDS for i in range(TRAIN_SHARDS)]
    for attempt in range(100):
        rng = np.random.default_rng([wanted.seed, attempt])
        val = draw(rng, wanted.vocab_size, bos, wanted.val_tokens)
        val = rework(rng, val, letters) if rework is not None else val
        train = [draw(rng, wanted.vocab_size, bos, size) for size in np.diff([0, *sizes]).tolist()]
        if lesson is not None:
            train = [np.resize(lesson(wanted, letters), len(shard)) for shard in train]
        try:
            prove_unique(val.tolist(), [shard.tolist() for shard in train], n)
        except RuntimeError:
            continue
        return val, train
    raise ValueError(
        f"{wanted.val_tokens} random val tokens repeat themselves in {wanted.vocab_size} letters"
    )


def draw(rng: np.random.Generator, vocab_size: int, bos: int, size: int) -> Tokens:
    """A stream of documents: BOS, then tokens uniform over all ids but BOS."""
    tokens = rng.integers(0, vocab_size - 1, size)
    tokens += tokens >= bos
    start = 0
    while start < size:
        tokens[start] = bos
        start += 1 + round(SHORTEST * (LONGEST / SHORTEST) ** rng.random())
        if size - start <= SHORTEST:
            break
    return tokens.astype(np.uint16)
