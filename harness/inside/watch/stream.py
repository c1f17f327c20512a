"""Which val positions a tensor of tokens holds, told by its content.

The world makes every val n-gram of a few tokens unique and absent from train, so content alone identifies positions,
however the tokens were copied, batched, sorted or passed through numpy.
"""

from __future__ import annotations

import numpy as np

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_LONGEST = 12


def _keys(tokens: np.ndarray, n: int) -> np.ndarray:
    """uint64 [len-n+1]: a hash of each window of n tokens; empty when there are fewer than n."""
    count = len(tokens) - n + 1
    if count <= 0:
        return np.empty(0, np.uint64)
    values = tokens.astype(np.uint64) + np.uint64(1)
    key = np.zeros(count, np.uint64)
    with np.errstate(over="ignore"):
        for i in range(n):
            key = (key ^ values[i : i + count]) * _MULTIPLIER
            key ^= key >> np.uint64(29)
    return key


class _Index:
    """Windows of n tokens that occur once in the stream, sorted by hash."""

    def __init__(self, stream: np.ndarray, n: int) -> None:
        keys = _keys(stream, n)
        order = np.argsort(keys, kind="stable")
        ordered = keys[order]
        if len(ordered):
            same = np.concatenate([[False], ordered[1:] == ordered[:-1]])
            single = ~(same | np.concatenate([same[1:], [False]]))
        else:
            single = np.zeros(0, bool)
        self.n = n
        self.complete = bool(single.all())
        self.keys = ordered[single]
        self.positions = order[single].astype(np.int64)

    def find(self, tokens: np.ndarray) -> np.ndarray:
        """int64 [max(0, len-n+1)]: the stream position where each window starts, -1 where it is unknown."""
        keys = _keys(tokens, self.n)
        if not len(keys) or not len(self.keys):
            return np.full(len(keys), -1, np.int64)
        at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[at] == keys, self.positions[at], -1)


class ValStream:
    """The val tokens of the world and the look-up from content to position."""

    def __init__(self, tokens: np.ndarray) -> None:
        self.tokens = np.ascontiguousarray(tokens, dtype=np.int64)
        self.n = next((n for n in range(3, _LONGEST) if _Index(self.tokens, n).complete), _LONGEST)
        self._index = _Index(self.tokens, self.n)
        self._short = [_Index(self.tokens, n) for n in range(self.n - 1, 1, -1)]

    def positions(self, tokens: np.ndarray, rows: int = 1) -> np.ndarray | None:
        """int64, same length as the flat `tokens`: the val position of each, -1 where it is none; None when no val
        token is there. `rows` is the number of equal rows that were flattened, where that is known."""
        flat = tokens.reshape(-1)
        if len(flat) < 2:
            return None
        width = len(flat) // rows if rows > 1 and len(flat) % rows == 0 else 0
        found = self._runs(flat, width)
        if found is not None and width:
            self._short_runs(flat, found, width)
        return found

    def _runs(self, flat: np.ndarray, width: int) -> np.ndarray | None:
        starts = self._index.find(flat)
        if width > self.n:
            # Rows are found each by itself: the first token of one may by chance be what follows the row before.
            starts[np.arange(len(starts)) % width > width - self.n] = -1
        known = starts >= 0
        if not known.any():
            return None
        # A window by itself may be an accident at the seam of two rows; two in succession are not.
        follows = np.zeros(len(starts), bool)
        follows[1:] = known[1:] & known[:-1] & (starts[1:] == starts[:-1] + 1)
        confirmed = follows.copy()
        confirmed[:-1] |= follows[1:]
        if len(starts) == 1:
            confirmed = known
        if not confirmed.any():
            return None
        found = np.full(len(flat), -1, np.int64)
        for shift in range(self.n):
            at = np.nonzero(confirmed)[0]
            found[at + shift] = starts[at] + shift
        return found

    def _short_runs(self, flat: np.ndarray, found: np.ndarray, width: int) -> None:
        """Fill rows of few val tokens (short documents, the end of the stream), by shorter windows that are unique, for as
        far as the row goes on like the stream."""
        for row in range(0, len(flat), width):
            if (found[row : row + width] >= 0).any():
                continue
            for index in (self._index, *self._short):
                head = index.find(flat[row : row + min(width, index.n)])
                if len(head) and head[0] >= 0:
                    text = self.tokens[head[0] : head[0] + width]
                    same = flat[row : row + len(text)] == text
                    length = len(same) if same.all() else int(np.argmin(same))
                    found[row : row + length] = np.arange(head[0], head[0] + length)
                    break
