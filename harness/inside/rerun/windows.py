"""The sliding windows of an evaluation: each target counts in exactly one window, the tail included."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np


@dataclasses.dataclass(frozen=True)
class Plan:
    """Windows over `targets` predictions: window i reads `length` tokens from `starts[i]` on, and the last `counts[i]` of
    its predictions count. Target t is token t + 1 of the stream.

    The first window counts whole; every later one counts the `stride` targets that are new, the last one what is left:
    it is moved back so that it has its full context too.
    """

    targets: int
    length: int
    stride: int
    starts: np.ndarray
    counts: np.ndarray

    def batches(self, size: int) -> Iterator[slice]:
        """Slices of up to `size` windows whose counts are equal, the same for any number of processes."""
        bounds = np.flatnonzero(np.diff(self.counts)) + 1
        for begin, end in zip([0, *bounds.tolist()], [*bounds.tolist(), len(self.counts)], strict=True):
            for first in range(begin, end, size):
                yield slice(first, min(first + size, end))


def plan(targets: int, length: int, stride: int) -> Plan:
    """The windows over `targets` predictions. Raises ValueError for a stride or a length that cannot be."""
    if targets < 1 or length < 1 or not 1 <= stride <= length:
        raise ValueError(f"no windows of {length} tokens with stride {stride} over {targets} targets")
    length = min(length, targets)
    ends = np.arange(length, targets + stride, stride, dtype=np.int64)
    ends = np.minimum(ends, targets)
    ends = ends[: int(np.searchsorted(ends, targets)) + 1]
    counts = np.diff(ends, prepend=0)
    return Plan(targets, length, stride, ends - length, counts)
