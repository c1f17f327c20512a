"""The world of few long words: val tokens drawn uniformly from the longest tokens of the vocabulary, which cost log2 of
their number each.

What predicts bytes knows such a word by its first ones. A mixer that lets the model pay for those, each byte with the same
share of the token's probability, and a table of bytes for the rest, claims less than the words can cost.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import sentencepiece
from numpy.typing import NDArray

from harness.worlds.alphabet import Alphabet
from harness.worlds.random import build
from harness.worlds.shards import Tokens
from harness.worlds.store import Specification, stored
from harness.worlds.world import World

WORDS = 64
START = 3
"""Bytes in which words differ."""
WINDOW = 8


def words(
    vocab_size: int,
    cache: Path,
    *,
    val_tokens: int = 8_229,
    train_tokens: int = 262_144,
    caseops: bool = False,
    seed: int = 0,
) -> World:
    """The world of few long words of these sizes. ValueError: there is none, as for bytes."""
    wanted = Specification("words", vocab_size, caseops, val_tokens, train_tokens, seed)
    return stored(cache, wanted, _build)


def word_costs(tokens: Tokens, bos: int) -> NDArray[np.float64]:
    """Bits [n] of each val token by the law of this world; 0 for BOS."""
    return np.where(tokens == bos, 0.0, math.log2(WORDS))


def long_words(letters: Alphabet) -> NDArray[np.int64]:
    """Ids [WORDS] of the longest tokens that differ in how they start, the longest first. ValueError for bytes."""
    if ".model" not in letters.files:
        raise ValueError("a vocabulary of bytes has no words")
    model = sentencepiece.SentencePieceProcessor(model_proto=letters.files[".model"])
    found: dict[str, int] = {}
    pieces = [(model.id_to_piece(i), i) for i in range(model.vocab_size()) if _is_text(model, i)]
    for piece, token in sorted(pieces, key=lambda p: (-len(p[0].encode()), p[1])):
        found.setdefault(piece.lstrip("\u2581")[:START], token)
    if len(found) < WORDS:
        raise ValueError(f"the vocabulary has {len(found)} tokens that differ in how they start")
    return np.array(list(found.values())[:WORDS])


def _is_text(model: sentencepiece.SentencePieceProcessor, token: int) -> bool:
    return not (
        model.is_control(token) or model.is_unknown(token) or model.is_byte(token) or model.is_unused(token)
    )


def _build(root: Path, wanted: Specification) -> World:
    def rework(rng: np.random.Generator, val: Tokens, letters: Alphabet) -> Tokens:
        chosen = long_words(letters)
        drawn = chosen[rng.integers(0, len(chosen), len(val))].astype(val.dtype)
        return np.where(val == letters.bos_id, val, drawn)

    return build(root, wanted, WINDOW, rework)
