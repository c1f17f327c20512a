"""Which val positions the rows of a loss call hold, told by their content in a stream where text may repeat itself."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

SPAN = 12
"""So many tokens are looked up at once; shorter rows are looked up by fewer."""
_SHORTEST = 4
_MOST_CANDIDATES = 64
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)

Positions = npt.NDArray[np.int64]


class Locator:
    """Finds rows of targets in the stream of targets [n]."""

    def __init__(self, targets: npt.NDArray[np.uint16], row: int) -> None:
        self.targets, self.row = targets, row
        self._indices: dict[int, tuple[npt.NDArray[np.uint64], Positions]] = {}
        self._next = 0

    def restart(self) -> None:
        """Another pass begins: it may start anywhere."""
        self._next = 0

    def locate(self, tokens: npt.NDArray[np.uint16], row: int) -> tuple[Positions, Positions]:
        """(positions [n], -1 where unknown; index in its row [n]) of one call's targets.

        `row` is the length of its rows, 0 where they were flattened: the usual row length is tried then.
        """
        if not row:
            row = self.row if tokens.size % self.row == 0 else int(tokens.size)
        where = np.full(tokens.size, -1, np.int64)
        for begin in range(0, tokens.size, row):
            part = tokens[begin : begin + row]
            start, length = self._find(part)
            if length:
                where[begin : begin + length] = np.arange(start, start + length)
        return where, np.arange(tokens.size, dtype=np.int64) % row

    def _find(self, row: npt.NDArray[np.uint16]) -> tuple[int, int]:
        """(first position, matching length) of the place that agrees longest; of several, the next in order."""
        span = min(SPAN, row.size)
        if span < _SHORTEST:
            return 0, 0
        candidates = self._candidates(row[:span])
        if not candidates.size:
            return 0, 0
        lengths = np.array([self._agreement(int(c), row) for c in candidates])
        best = candidates[lengths == lengths.max()]
        later = best[best >= self._next]
        start = int(later[0] if later.size else best[0])
        length = int(lengths.max())
        if length < span:
            return 0, 0
        self._next = start + 1
        return start, length

    def _agreement(self, start: int, row: npt.NDArray[np.uint16]) -> int:
        text = self.targets[start : start + row.size]
        same = text == row[: text.size]
        return int(text.size if same.all() else np.argmin(same))

    def _candidates(self, head: npt.NDArray[np.uint16]) -> Positions:
        keys, order = self._index(head.size)
        if not keys.size:
            return np.empty(0, np.int64)
        key = _keys(head, head.size)[0]
        low, high = np.searchsorted(keys, key, "left"), np.searchsorted(keys, key, "right")
        found = order[low:high]
        if found.size > _MOST_CANDIDATES:
            near = np.searchsorted(found, self._next)
            found = found[max(0, near - 8) : near + _MOST_CANDIDATES - 8]
        return found

    def _index(self, span: int) -> tuple[npt.NDArray[np.uint64], Positions]:
        """Hashes of every window of `span` targets, sorted, and where they are (ascending where they are equal)."""
        if span not in self._indices:
            keys = _keys(self.targets, span)
            order = np.argsort(keys, kind="stable")
            self._indices[span] = (keys[order], order.astype(np.int64))
        return self._indices[span]


def _keys(tokens: npt.NDArray[np.uint16], span: int) -> npt.NDArray[np.uint64]:
    count = max(tokens.size - span + 1, 0)
    key = np.zeros(count, np.uint64)
    with np.errstate(over="ignore"):
        for i in range(span if count else 0):
            key = (key ^ (tokens[i : i + count].astype(np.uint64) + np.uint64(1))) * _MULTIPLIER
            key ^= key >> np.uint64(29)
    return key
