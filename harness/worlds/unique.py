"""Makes streams whose every window of a few tokens is new, exchanging a token where text repeats itself.

The watcher knows val tokens by content: it needs each window of n consecutive val tokens to occur once in val
and nowhere in train. English repeats itself, so wherever a window would come twice its last token is
exchanged for a common one of the same kind (a word for a word, a word's end for a word's end). BOS is never
exchanged.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from harness.worlds.alphabet import Alphabet

Window = tuple[int, ...]


def windows(tokens: npt.ArrayLike, n: int) -> list[Window]:
    """Every window of n consecutive tokens, in order."""
    ids = np.asarray(tokens).tolist()
    return list(zip(*(ids[i:] for i in range(n)), strict=False))


class Stream:
    """A growing stream of documents that repeats no window in `taken`; with `own`, none of its own either."""

    def __init__(self, letters: Alphabet, n: int, taken: set[Window], *, own: bool) -> None:
        self.tokens: list[int] = []
        self._letters, self._n, self._taken, self._own = letters, n, taken, own

    def append(self, document: Sequence[int]) -> None:
        """Add BOS and the ids of one document, exchanging tokens where a window would come again."""
        self._begin()
        for token in document:
            self.tokens.append(token)
            if self._window() in self._taken:
                self._exchange(())
            self._note()

    def _begin(self) -> None:
        """Add BOS. Where that repeats a window, the token before it gives way."""
        bos = self._letters.bos_id
        if self.tokens and (*self.tokens[-self._n + 1 :], bos) in self._taken:
            if self._own:
                self._taken.discard(self._window())
            self._exchange((bos,))
            self._note()
        self.tokens.append(bos)
        self._note()

    def seal(self, followings: Sequence[Sequence[int]]) -> None:
        """Exchange the last token where the stream, followed by any of these, would repeat a window."""
        if not self._all_new(followings):
            self._exchange(*followings)

    def _window(self) -> Window:
        return tuple(self.tokens[-self._n :])

    def _all_new(self, followings: Sequence[Sequence[int]]) -> bool:
        """Whether no window that holds the last token is taken, whichever of these follows."""
        n = self._n
        ends = ([*self.tokens[-n:], *following[: n - 1]] for following in followings)
        return not any(w in self._taken for end in ends for w in windows(end, n))

    def _exchange(self, *followings: Sequence[int]) -> None:
        """Put a stand-in for the last token that makes its windows new; the context says where to search."""
        old = self.tokens[-1]
        choice = self._letters.stand_ins(old)
        start = sum(self.tokens[-self._n :]) % len(choice)
        for step in range(len(choice)):
            self.tokens[-1] = choice[(start + step) % len(choice)]
            if self._all_new(followings):
                return
        raise RuntimeError(f"no stand-in for token {old} makes its window of {self._n} new")

    def _note(self) -> None:
        if self._own and len(self.tokens) >= self._n:
            self._taken.add(self._window())
