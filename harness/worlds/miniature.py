"""The built-in world: real text, a tokenizer trained on it, tiny shards; built in seconds, kept in a cache.

Every window of n consecutive val tokens (n is the world's `ngram`) occurs once in val and nowhere in train, the
seams between train shards included, so that val tokens tell their positions by content.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from harness.worlds.alphabet import Alphabet, alphabet
from harness.worlds.files import write_files
from harness.worlds.store import Specification, stored
from harness.worlds.text import documents
from harness.worlds.unique import Stream, Window, windows
from harness.worlds.world import NGRAM, World

TRAIN_SHARDS = 4
BYTE_NGRAM = 8
"""Windows of a byte-level world: four bytes of English are never new."""


def miniature(
    vocab_size: int,
    cache: Path,
    *,
    val_tokens: int = 16_385,
    train_tokens: int = 262_144,
    caseops: bool = False,
    seed: int = 0,
) -> World:
    """The miniature world of these sizes, from the cache or built into it. ValueError: no such world exists."""
    wanted = Specification("miniature", vocab_size, caseops, val_tokens, train_tokens, seed)
    return stored(cache, wanted, _build)


def _build(root: Path, wanted: Specification) -> World:
    texts = documents(wanted.seed)
    letters = alphabet(wanted.vocab_size, texts, caseops=wanted.caseops)
    n = NGRAM if ".model" in letters.files else BYTE_NGRAM
    taken: set[Window] = set()
    encoded = iter([letters.encode(text) for text in texts])
    val = _fill(Stream(letters, n, taken, own=True), encoded, wanted.val_tokens, n)
    train = _train_shards(letters, n, taken, list(encoded), wanted.train_tokens)
    prove_unique(val, train, n)
    world = World(
        name=wanted.name,
        root=root,
        vocab_size=wanted.vocab_size,
        caseops=wanted.caseops,
        val_tokens=len(val),
        train_tokens=sum(map(len, train)),
        bos_id=letters.bos_id,
        ngram=n,
    )
    write_files(world, letters, np.array(val, dtype=np.uint16), [np.array(s, dtype=np.uint16) for s in train])
    return world


def _fill(stream: Stream, texts: Iterator[list[int]], size: int, n: int) -> list[int]:
    """Grow the stream to exactly `size` tokens; each document, a cut one too, has at least n after BOS."""
    for ids in texts:
        room = size - len(stream.tokens) - 1
        if 0 < room - len(ids) <= n:
            ids = ids[: -(n + 1)]
        if len(ids) < n:
            continue
        stream.append(ids[:room])
        if len(stream.tokens) == size:
            return stream.tokens
    raise ValueError(f"the built-in text gives {len(stream.tokens)} tokens, {size} were asked for")


def _train_shards(
    letters: Alphabet, n: int, taken: set[Window], texts: list[list[int]], size: int
) -> list[list[int]]:
    """Shards of whole documents, the text repeated as often as it takes; any shard may follow any other."""
    source = itertools.cycle(texts)
    sizes = [size * (i + 1) // TRAIN_SHARDS - size * i // TRAIN_SHARDS for i in range(TRAIN_SHARDS)]
    streams = [Stream(letters, n, taken, own=False) for _ in sizes]
    for stream, length in zip(streams, sizes, strict=True):
        _fill(stream, source, length, n)
    for stream in streams:
        stream.seal([other.tokens for other in streams])
    return [stream.tokens for stream in streams]


def prove_unique(val: Sequence[int], shards: Sequence[Sequence[int]], n: int) -> None:
    """Raises RuntimeError unless each window of n val tokens is once in val and never in train, seams too."""
    ours = windows(val, n)
    if len(set(ours)) != len(ours):
        raise RuntimeError(f"a window of {n} val tokens comes twice in val")
    seams = [[*a[-n + 1 :], *b[: n - 1]] for a in shards for b in shards]
    if any(not set(ours).isdisjoint(windows(tokens, n)) for tokens in (*shards, *seams)):
        raise RuntimeError(f"a window of {n} val tokens comes in train")
