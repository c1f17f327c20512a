"""The arithmetic of the first probe: bits claimed on random tokens, the bound that no valid predictor passes, evidence.

On tokens drawn uniformly from V - 1 letters every code of them obeys P(bits <= n log2(V-1) - s) <= 2**-s, since its
likelihood ratio against the uniform law is an e-value: non-negative, of mean at most 1. Averages of e-values are
e-values, so runs with different seeds or settings add up to one figure, whatever each of them shows.
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


def by_loss(loss: float, rounding: float, counted: Counted, vocab_size: int) -> Sum:
    """The account of a mean loss in nats per token. Its rounding is taken in favour of the submission.

    Where positions count unequally often, each counts with its share of the largest weight: a power of a likelihood ratio
    below one keeps its mean below one, a power above one does not.
    """
    most = float(counted.weights.max())
    total = float(counted.weights.sum()) * (loss + rounding) / LN2 - counted.bos_bits
    return Sum(total / most, counted.tokens * math.log2(vocab_size - 1) / most)


def by_bytes(
    bpb: float, rounding: float, counted: Counted, octets: NDArray[np.float64], vocab_size: int
) -> Sum:
    """The account of bits per byte, with the official bytes of the positions that count."""
    most = float(counted.weights.max())
    total = float((counted.weights * octets).sum()) * (bpb + rounding) - counted.bos_bits
    return Sum(total / most, counted.tokens * math.log2(vocab_size - 1) / most)


def evidence(settings: Sequence[Sequence[float]]) -> float:
    """Bits of evidence of some settings, each with the surpluses of its seeds: log2 of the mean e-value.

    Within a setting the seeds are independent, so their e-values multiply; over settings they are averaged.
    """
    exponents = [sum(surpluses) for surpluses in settings]
    top = max(exponents)
    return top + math.log2(sum(2.0 ** max(x - top, -1000.0) for x in exponents) / len(exponents))
