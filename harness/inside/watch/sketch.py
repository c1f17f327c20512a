"""One number for a whole prediction, that of all tokens and not only of the one that came.

The loss of a position holds the answer; the prediction must not. A sketch is the product of the scores over the alphabet
with fixed signs that sum to zero, so it stays where a constant is added to all scores: two runs that differ in the answer
alone have the same sketch, unless the prediction knew the answer.
"""

from __future__ import annotations

import functools

import numpy as np
import torch


@functools.lru_cache(maxsize=8)
def _signs(classes: int) -> torch.Tensor:
    """Fixed weights of mean 0 and length 1, float32 [classes]."""
    drawn = np.random.default_rng(classes).standard_normal(classes)
    drawn -= drawn.mean()
    return torch.from_numpy((drawn / np.linalg.norm(drawn)).astype(np.float32))


def sketch(source: torch.Tensor | None, axis: int, count: int) -> np.ndarray:
    """The sketches of `count` predictions, float32 [count]; not a number where the scores are not known.

    `source` holds scores, log-probabilities or probabilities, with the alphabet along `axis`.
    """
    nothing = np.full(count, np.nan, np.float32)
    if source is None or source.dim() == 0:
        return nothing
    rows = source.detach().movedim(axis, -1).reshape(-1, source.shape[axis])
    if len(rows) != count or rows.shape[-1] < 2:
        return nothing
    found: np.ndarray = torch.mv(rows.float(), _signs(rows.shape[-1])).numpy()
    return found
