"""The hardest windows of the val stream as readable text, with the loss of each token."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

WINDOW = 48
HARDEST = 5


@dataclasses.dataclass(frozen=True)
class WindowToken:
    """One token of a window as text, with its loss in nats; None where the position was not scored."""

    text: str
    nats: float | None


@dataclasses.dataclass(frozen=True)
class Window:
    """A run of consecutive val positions [start, end) with the mean loss of those that were scored."""

    start: int
    end: int
    mean_nats: float
    tokens: tuple[WindowToken, ...]


def hardest_windows(
    position: Ints, loss: Floats, stream: npt.NDArray[Any], decode: Callable[[Sequence[int]], str]
) -> tuple[Window, ...]:
    """The windows of the val stream (cut every WINDOW positions) with the highest mean loss, hardest first.

    A window counts when at least half of it was scored; of a position scored twice the mean is taken.
    """
    cell = position // WINDOW
    counts = np.bincount(cell)
    sums = np.bincount(cell, weights=loss)
    scored = np.zeros(len(stream), dtype=np.bool_)
    scored[position] = True
    distinct = np.bincount(np.flatnonzero(scored) // WINDOW, minlength=len(counts))
    covered = 2 * distinct >= min(WINDOW, len(stream))
    means = np.where(covered, sums / np.maximum(counts, 1), -np.inf)
    ranked = np.argsort(-means, kind="stable")[:HARDEST]
    return tuple(
        _window(int(c), float(means[c]), position, loss, stream, decode) for c in ranked if covered[c]
    )


def _window(
    cell: int,
    mean: float,
    position: Ints,
    loss: Floats,
    stream: npt.NDArray[Any],
    decode: Callable[[Sequence[int]], str],
) -> Window:
    start, end = cell * WINDOW, min((cell + 1) * WINDOW, len(stream))
    inside = (position >= start) & (position < end)
    offset = position[inside] - start
    counts = np.bincount(offset, minlength=end - start)
    sums = np.bincount(offset, weights=loss[inside], minlength=end - start)
    texts = token_texts([int(i) for i in stream[max(0, start - 1) : end]], decode)[-(end - start) :]
    tokens = tuple(
        WindowToken(text, float(sums[i]) / int(counts[i]) if counts[i] else None)
        for i, text in enumerate(texts)
    )
    return Window(start, end, mean, tokens)


def _shared(before: str, now: str) -> int:
    """The length of the common start of two texts; a token may change the text before it."""
    pairs = zip(before, now, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(before), len(now)))


def token_texts(ids: Sequence[int], decode: Callable[[Sequence[int]], str]) -> list[str]:
    """The text that each id adds to what stands before it; a token that ends inside a character adds nothing.

    Decoding ids one by one would lose the leading spaces and break characters that are spelled in bytes.
    """
    texts, before = [], ""
    for end in range(1, len(ids) + 1):
        now = decode(list(ids[:end])).rstrip("\ufffd")
        texts.append(now[_shared(before, now) :])
        before = now
    return texts
