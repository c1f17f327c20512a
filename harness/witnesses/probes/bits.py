"""The arithmetic of bounds: bits claimed on tokens of a known law, the bound that no valid predictor passes, evidence.

On tokens drawn from a law P every code of them obeys P(bits <= -log2 P(tokens) - s) <= 2**-s, since its likelihood ratio
against P is an e-value: non-negative, of mean at most 1, also where the predictor knows P. On tokens drawn uniformly from
V - 1 letters the bound is n log2(V-1). Averages of e-values are e-values, so runs with different seeds or settings add up
to one figure, whatever each of them shows.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

LN2 = math.log(2.0)
PROVED = 64.0
"""Bits of evidence from which on the probe fails: a chance of 5e-20."""


@dataclasses.dataclass(frozen=True)
class Counted:
    """Which positions the printed mean is over.

    `weights` float64 [n]: how often each val position entered it (0 where it did not). `bos` bool [n]: document starts.
    `bos_bits` is what the script was seen to pay for them, 0 where that is unknown: they are free then.
    """

    weights: NDArray[np.float64]
    bos: NDArray[np.bool_]
    bos_bits: float = 0.0

    @property
    def scored(self) -> int:
        """Scored positions, each once."""
        return int((self.weights > 0).sum())

    @property
    def tokens(self) -> float:
        """The total weight of the scored tokens that are not BOS.

        Where BOS is free, its share is at least that of the whole stream: then which rows count is not known well.
        """
        total, share = float(self.weights.sum()), float(self.bos[1:].mean())
        counted = float(self.weights[~self.bos].sum())
        return counted if self.bos_bits > 0 else min(counted, total * (1.0 - share))

    @property
    def letters(self) -> int:
        """Scored tokens that are not BOS, each with its share of the largest weight."""
        return round(self.tokens / float(self.weights.max()))


@dataclasses.dataclass(frozen=True)
class Sum:
    """One run's account in bits: `claimed` for the non-BOS positions, the `bound` for them, and bound less claimed."""

    claimed: float
    bound: float

    @property
    def surplus(self) -> float:
        """Bits that the claim lies below the bound."""
        return self.bound - self.claimed


def uniform_costs(size: int, vocab_size: int) -> NDArray[np.float64]:
    """Bits [size] of tokens drawn uniformly from all ids but BOS."""
    return np.full(size, math.log2(vocab_size - 1))


def by_loss(
    loss: float, rounding: float, counted: Counted, costs: NDArray[np.float64], spare: float = 0.0
) -> Sum:
    """The account of a mean loss in nats per token. Its rounding is taken in favour of the submission.

    `costs` float64 [n]: bits of each val token by the law that drew it; `spare` bits are taken off the bound. Where
    positions count unequally often, each counts with its share of the largest weight: a power of a likelihood ratio
    below one keeps its mean below one, a power above one does not.
    """
    total = float(counted.weights.sum()) * (loss + rounding) / LN2 - counted.bos_bits
    return Sum(total / float(counted.weights.max()), _bound(counted, costs) - spare)


def by_bytes(
    bpb: float, rounding: float, counted: Counted, octets: NDArray[np.float64], costs: NDArray[np.float64],
    spare: float = 0.0,
) -> Sum:  # fmt: skip
    """The account of bits per byte, with the official bytes of the positions that count."""
    total = float((counted.weights * octets).sum()) * (bpb + rounding) - counted.bos_bits
    return Sum(total / float(counted.weights.max()), _bound(counted, costs) - spare)


def _bound(counted: Counted, costs: NDArray[np.float64]) -> float:
    """Bits of the tokens that count, each with its share of the largest weight."""
    weights = counted.weights[~counted.bos]
    mean = float(weights @ costs[~counted.bos] / weights.sum())
    return counted.tokens * mean / float(counted.weights.max())


def evidence(settings: Sequence[Sequence[float]]) -> float:
    """Bits of evidence of some settings, each with the surpluses of its seeds: log2 of the mean e-value.

    Within a setting the seeds are independent, so their e-values multiply; over settings they are averaged.
    """
    exponents = [sum(surpluses) for surpluses in settings]
    top = max(exponents)
    return top + math.log2(sum(2.0 ** max(x - top, -1000.0) for x in exponents) / len(exponents))
