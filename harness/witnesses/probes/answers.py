"""What exchanged tokens cost: a prediction that does not see them gives them, in the mean, no more than chance.

Tokens that were exchanged are drawn uniformly from n letters that nobody knows. Whatever a valid predictor has learned, and
however sure it is, the probabilities that it gives to such tokens have a mean of at most 1 / n: they sum to at most 1 over
all that the token could have been. So n p - 1 is a fair bet at best, and a gambler who always stakes the same share wins
2**s times his money with a chance of at most 2**-s (Ville's inequality). Unlike the bound on random tokens this asks
nothing of the model: it is trained as claimed, so a look at the answer that has to be learned shows as well.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from numpy.typing import NDArray

from harness.witnesses.probes.bits import LN2

Floats = NDArray[np.float64]

STAKES = (0.01, 0.03, 0.1, 0.2, 0.4, 0.7, 1.0)
"""Shares that are staked, side by side: which is best depends on how a leak shows. Their winnings are averaged."""
COARSE = 2.0**-8
"""Relative rounding of a loss in bfloat16 (its half unit at most), which may make every loss too low alike."""


@dataclasses.dataclass(frozen=True)
class Answers:
    """Of so many exchanged `tokens`: the mean of n p, at most 1 for a valid predictor, and the winnings in `bits`."""

    tokens: int
    times: float
    bits: float


def answers(losses: Floats, letters: int) -> Answers | None:
    """The bets on tokens that were drawn uniformly from so many `letters`. `losses`: float64 [tokens], in nats. None where
    there is nothing to bet on."""
    costs = np.asarray(losses, np.float64)
    if len(costs) == 0 or letters < 2 or not np.isfinite(costs).all():
        return None
    if _rounded(costs):
        costs = costs * (1.0 + COARSE)
    chances = letters * np.exp(-costs)
    won = [float(np.log(np.maximum(1.0 - stake + stake * chances, 1e-300)).sum()) for stake in STAKES]
    top = max(won)
    total = top + math.log(sum(math.exp(w - top) for w in won) / len(won))
    return Answers(len(costs), float(chances.mean()), total / LN2)


def _rounded(costs: Floats) -> bool:
    """Whether all losses are numbers that bfloat16 can hold."""
    raw = costs.astype(np.float32).view(np.uint32)
    return bool(((raw & 0xFFFF) == 0).all())
