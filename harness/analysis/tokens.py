"""Per-token loss analysis: where the nats of the claimed score are, by size, place, time, frequency and text.

Pure numpy over the counted loss of every scored position. Losses are in nats, byte counts in bytes, and a
Lorenz curve runs from the easiest token to the hardest.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.analysis.windows import Window, hardest_windows

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

THRESHOLDS = (1.0, 3.0, 5.0, 7.0, 10.0)
HISTOGRAM_STEP = 0.5
HISTOGRAM_END = 15.0
MOST_BINS = 48


@dataclasses.dataclass(frozen=True)
class Threshold:
    """The tokens that cost more than `over` nats: how many, their share of tokens and of the total loss."""

    over: float
    tokens: int
    token_share: float
    loss_share: float | None


@dataclasses.dataclass(frozen=True)
class Bin:
    """Mean loss in nats of the tokens whose key lies in [low, high], both ends included."""

    low: float
    high: float
    tokens: int
    mean_nats: float


@dataclasses.dataclass(frozen=True)
class FrequencyClass:
    """Tokens whose id occurs low..high times in the val stream. `high` is None in the last class."""

    low: int
    high: int | None
    ids: int
    tokens: int
    token_share: float
    mean_nats: float
    loss_share: float | None


@dataclasses.dataclass(frozen=True)
class TokenAnalysis:
    """What :func:`analyse` found. Shares are fractions; None where the total loss is not positive."""

    tokens: int
    not_finite: int
    total_nats: float
    mean_nats: float
    bits: float
    bytes: float
    bits_per_byte: float | None
    median_nats: float
    p90_nats: float
    p99_nats: float
    max_nats: float
    thresholds: tuple[Threshold, ...]
    lorenz: tuple[tuple[float, float], ...]
    gini: float | None
    hardest_tenth_share: float | None
    histogram: tuple[Bin, ...]
    by_offset: tuple[Bin, ...]
    chunks: int
    by_chunk: tuple[Bin, ...]
    by_order: tuple[Bin, ...]
    by_frequency: tuple[FrequencyClass, ...]
    hardest: tuple[Window, ...]


def analyse(
    position: Ints,
    loss_nats: Floats,
    order: Ints,
    window_offset: Ints,
    chunk: Ints,
    stream: npt.NDArray[Any],
    position_bytes: npt.NDArray[Any],
    decode: Callable[[Sequence[int]], str],
) -> TokenAnalysis | None:
    """Analyse the counted losses of one run; None when no loss is finite.

    position, order, window_offset, chunk: int64 [n]; loss_nats: float64 [n] in nats. `order` is the sequence
    number of the event that scored the position, `window_offset` the place of the token in its window
    (negative: not known), `chunk` the span between two updates. stream: token ids [N] of all val positions;
    position_bytes: official bytes [N] of each position; decode: ids -> text. Raises ValueError when lengths
    differ or a position is outside the stream.
    """
    lengths = {len(a) for a in (position, loss_nats, order, window_offset, chunk)}
    if len(lengths) != 1:
        raise ValueError(f"the columns of a loss table must have one length, not {sorted(lengths)}")
    if len(position) and (int(position.min()) < 0 or int(position.max()) >= len(stream)):
        raise ValueError(f"a scored position lies outside the val stream of {len(stream)} tokens")
    finite = np.isfinite(loss_nats)
    position, order, window_offset, chunk = (a[finite] for a in (position, order, window_offset, chunk))
    loss = np.asarray(loss_nats[finite], dtype=np.float64)
    if not len(loss):
        return None
    ascending = np.sort(loss)
    total = float(ascending.sum())
    size = float(np.asarray(position_bytes, dtype=np.float64)[position].sum())
    bits = total / math.log(2)
    lorenz, gini, tenth = _lorenz(ascending, total)
    chunk_rank, chunks = _rank_chunks(chunk, order)
    return TokenAnalysis(
        tokens=len(loss),
        not_finite=int(len(finite) - len(loss)),
        total_nats=total,
        mean_nats=total / len(loss),
        bits=bits,
        bytes=size,
        bits_per_byte=bits / size if size > 0 else None,
        median_nats=float(np.quantile(ascending, 0.5)),
        p90_nats=float(np.quantile(ascending, 0.9)),
        p99_nats=float(np.quantile(ascending, 0.99)),
        max_nats=float(ascending[-1]),
        thresholds=_thresholds(ascending, total),
        lorenz=lorenz,
        gini=gini,
        hardest_tenth_share=tenth,
        histogram=_histogram(ascending),
        by_offset=_equal_width(window_offset, loss),
        chunks=chunks,
        by_chunk=_equal_width(chunk_rank, loss),
        by_order=_equal_width(_place_in_order(order, position), loss),
        by_frequency=_by_frequency(position, loss, stream, total),
        hardest=hardest_windows(position, loss, stream, decode),
    )


def _thresholds(ascending: Floats, total: float) -> tuple[Threshold, ...]:
    rows = []
    for over in THRESHOLDS:
        first = int(np.searchsorted(ascending, over, side="right"))
        count = len(ascending) - first
        share = float(ascending[first:].sum()) / total if total > 0 else None
        rows.append(Threshold(over, count, count / len(ascending), share))
    return tuple(rows)


def _lorenz(
    ascending: Floats, total: float
) -> tuple[tuple[tuple[float, float], ...], float | None, float | None]:
    """Points (share of tokens, share of loss) at every hundredth, Gini coefficient, hardest tenth's share.

    Gini of a sorted sample: 2 * sum(i * x_i) / (n * sum(x)) - (n + 1) / n with i from 1.
    """
    n = len(ascending)
    if total <= 0:
        return (), None, None
    running = np.concatenate(([0.0], np.cumsum(ascending))) / total
    shares = np.linspace(0.0, 1.0, 101)
    curve = np.interp(shares * n, np.arange(n + 1), running)
    curve[-1] = 1.0
    gini = 2.0 * float(np.dot(np.arange(1, n + 1, dtype=np.float64), ascending)) / (n * total) - (n + 1) / n
    return tuple(zip(shares.tolist(), curve.tolist(), strict=True)), gini, 1.0 - float(curve[90])


def _histogram(ascending: Floats) -> tuple[Bin, ...]:
    """Tokens per half nat; the last bin holds all that exceeds it, the first also what is negative."""
    edges = np.arange(0.0, HISTOGRAM_END + HISTOGRAM_STEP, HISTOGRAM_STEP)
    key = np.clip(np.floor(ascending / HISTOGRAM_STEP), 0, len(edges) - 1).astype(np.int64)
    counts = np.bincount(key, minlength=len(edges))
    sums = np.bincount(key, weights=ascending, minlength=len(edges))
    last = int(np.flatnonzero(counts)[-1])
    return tuple(
        Bin(float(edges[i]), float(edges[i] + HISTOGRAM_STEP), int(counts[i]), _mean(sums[i], counts[i]))
        for i in range(last + 1)
    )


def _mean(total: float, count: int) -> float:
    return float(total) / int(count) if count else 0.0


def _equal_width(key: Ints, loss: Floats) -> tuple[Bin, ...]:
    """Mean loss over at most MOST_BINS equal ranges of an integer key; negative keys are left out."""
    known = key >= 0
    key, loss = key[known], loss[known]
    if not len(key):
        return ()
    low, high = int(key.min()), int(key.max())
    count = min(MOST_BINS, high - low + 1)
    edges = low + np.arange(count + 1) * (high - low + 1) // count
    index = np.searchsorted(edges, key, side="right") - 1
    counts = np.bincount(index, minlength=count)
    sums = np.bincount(index, weights=loss, minlength=count)
    return tuple(
        Bin(float(edges[i]), float(edges[i + 1] - 1), int(counts[i]), _mean(sums[i], counts[i]))
        for i in range(count)
        if counts[i]
    )


def _rank_chunks(chunk: Ints, order: Ints) -> tuple[Ints, int]:
    """Each token's chunk as a rank in order of scoring, and how many chunks there are."""
    values, inverse = np.unique(chunk, return_inverse=True)
    first = np.full(len(values), np.iinfo(np.int64).max)
    np.minimum.at(first, inverse, order)
    rank = np.empty(len(values), dtype=np.int64)
    rank[np.argsort(first, kind="stable")] = np.arange(len(values))
    return rank[inverse], len(values)


def _place_in_order(order: Ints, position: Ints) -> Ints:
    """The place of each token in the order of scoring; inside one event, the order of the stream."""
    place = np.empty(len(order), dtype=np.int64)
    place[np.lexsort((position, order))] = np.arange(len(order))
    return place


def _by_frequency(
    position: Ints, loss: Floats, stream: npt.NDArray[Any], total: float
) -> tuple[FrequencyClass, ...]:
    counts = np.bincount(np.asarray(stream, dtype=np.int64))
    ids = counts[counts > 0]
    seen = counts[np.asarray(stream, dtype=np.int64)[position]]
    edges = [1, 2, 4]
    while edges[-1] <= int(ids.max()):
        edges.append(edges[-1] * 4)
    rows = []
    for low, end in itertools.pairwise(edges):
        inside = (seen >= low) & (seen < end)
        tokens = int(inside.sum())
        if tokens:
            nats = float(loss[inside].sum())
            known = int(((ids >= low) & (ids < end)).sum())
            share = nats / total if total > 0 else None
            high = None if end > int(ids.max()) else end - 1
            rows.append(FrequencyClass(low, high, known, tokens, tokens / len(loss), nats / tokens, share))
    return tuple(rows)
