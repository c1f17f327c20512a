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
Stretch = tuple[int, int, int]
"""(place in the call, position in the stream, how many tokens agree)."""


class Index:
    """The stream of targets [n], and where in it each run of so many targets begins; shared by the processes of a run."""

    def __init__(self, targets: npt.NDArray[np.uint16]) -> None:
        self.targets = targets
        self._made: dict[int, tuple[npt.NDArray[np.uint64], Positions]] = {}

    def of(self, span: int) -> tuple[npt.NDArray[np.uint64], Positions]:
        """Hashes of every window of `span` targets, sorted, and where they are (ascending where they are equal)."""
        if span not in self._made:
            keys = _keys(self.targets, span)
            order = np.argsort(keys, kind="stable")
            self._made[span] = (keys[order], order.astype(np.int64))
        return self._made[span]

    def holds(self, tokens: npt.NDArray[np.uint16], span: int) -> npt.NDArray[np.bool_]:
        """Whether the stream holds the `span` tokens from each place on [n - span + 1]."""
        keys, wanted = self.of(span)[0], _keys(tokens, span)
        if not keys.size:
            return np.zeros(wanted.size, np.bool_)
        at = np.minimum(np.searchsorted(keys, wanted), keys.size - 1)
        found: npt.NDArray[np.bool_] = keys[at] == wanted
        return found


class Locator:
    """Finds rows of targets in the stream."""

    def __init__(self, index: Index) -> None:
        self.index = index
        self.targets = index.targets
        self._next = 0

    def restart(self) -> None:
        """Another pass begins: it may start anywhere."""
        self._next = 0

    def locate(self, tokens: npt.NDArray[np.uint16], row: int) -> tuple[Positions, Positions]:
        """(positions [n], -1 where unknown; tokens of context before it in its stretch [n]) of one call's targets.

        `row` is the length of its rows, 0 where they were flattened. Each stretch of the stream that is met counts: rows
        may overlap, documents of many lengths may be padded, or masked in front.
        """
        where, context = np.full(tokens.size, -1, np.int64), np.zeros(tokens.size, np.int64)
        begin, found = self._next, [] if row else self._stretches(tokens, 0)
        row = row or self._late(tokens, found)
        if row:
            self._next = begin
            found = [
                s for at in range(0, tokens.size, row) for s in self._stretches(tokens[at : at + row], at)
            ]
        for at, start, length in found:
            where[at : at + length] = np.arange(start, start + length)
            context[at : at + length] = np.arange(length)
        return where, context

    def _late(self, tokens: npt.NDArray[np.uint16], stretches: list[Stretch]) -> int:
        """The length of rows that were flattened, where a stretch begins late: the one before ran on over tokens that are
        by chance the same. 0 where all begin where rows of one length do, or no length fits.
        """
        begins = [(at, self._common(tokens, at, start)) for at, start, _ in stretches if at]
        for row in (r for r in range(tokens.size // 2, SPAN - 1, -1) if tokens.size % r == 0):
            if all(at % row <= common for at, common in begins):
                return row if any(at % row for at, _ in begins) else 0
        return 0

    def _common(self, tokens: npt.NDArray[np.uint16], at: int, start: int) -> int:
        """How many tokens before `at` are those before `start` in the stream too."""
        most = min(at, start)
        same = tokens[at - most : at][::-1] == self.targets[start - most : start][::-1]
        return int(most if same.all() else np.argmin(same))

    def _stretches(self, row: npt.NDArray[np.uint16], offset: int) -> list[Stretch]:
        """The stretches of the stream in one row, one after the other; padding between them stays unknown."""
        found: list[Stretch] = []
        at, met, span = 0, None, min(SPAN, row.size)
        while row.size - at >= max(span, _SHORTEST):
            start, length = self._find(row[at:])
            if length:
                found.append((offset + at, start, length))
                at += length
                continue
            if met is None:
                met = np.flatnonzero(self.index.holds(row, span))
            later = met[met > at]
            if not later.size:
                break
            at = int(later[0])
        return found

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
        keys, order = self.index.of(head.size)
        if not keys.size:
            return np.empty(0, np.int64)
        key = _keys(head, head.size)[0]
        low, high = np.searchsorted(keys, key, "left"), np.searchsorted(keys, key, "right")
        found = order[low:high]
        if found.size > _MOST_CANDIDATES:
            near = np.searchsorted(found, self._next)
            found = found[max(0, near - 8) : near + _MOST_CANDIDATES - 8]
        return found


def _keys(tokens: npt.NDArray[np.uint16], span: int) -> npt.NDArray[np.uint64]:
    count = max(tokens.size - span + 1, 0)
    key = np.zeros(count, np.uint64)
    with np.errstate(over="ignore"):
        for i in range(span if count else 0):
            key = (key ^ (tokens[i : i + count].astype(np.uint64) + np.uint64(1))) * _MULTIPLIER
            key ^= key >> np.uint64(29)
    return key
