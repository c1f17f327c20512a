"""Rates and repetitions changed for an experiment, on top of scale: what is zero stays zero, and no feature changes.

Training at a rate near zero leaves the model as it began: on random tokens it then claims ln V, whatever its quality,
and what a leak gains is not lost in the noise of training. Adaptation to val tokens keeps its own rate, or more of it.
"""

from __future__ import annotations

import dataclasses
import re

_RATE = re.compile(r"(.*_)?(lr|learning_rate)(_.*)?")
_NOT_A_RATE = re.compile(
    r".*(warm|step|iter|epoch|scale|mul|factor|ratio|decay|frac|power|schedule|start|end).*"
)
_OF_EVALUATION = re.compile(
    r".*(ttt|lora|slot|adapt|eval|test|score|phase|global|delta|etlb|doc|chunk|online|post|bias_lr|hedge|mix|cache).*"
)
_REPEATS = re.compile(r"(.*_)?(ttt|slot|adapt|lora|eval)_?(.*_)?(epochs?|steps|iters|passes|rounds)")


@dataclasses.dataclass(frozen=True)
class Tuning:
    """What an experiment changes: the number of training `steps`, training rates down to `train_rate`, rates of
    adaptation times `rate_factor` and at least `least_rate`, small numbers of adaptation epochs up to `repeats`; `name`
    is what reports call it."""

    name: str
    steps: int
    train_rate: float
    rate_factor: float = 1.0
    least_rate: float = 0.0
    repeats: int = 0

    def tuned(self, name: str, value: float) -> float | None:
        """The value that `name` takes, None where the experiment leaves it alone. A rate that is written as a whole number
        is a switch ("cosine_lr" 1), and read as one."""
        if value <= 0:
            return None
        if _RATE.fullmatch(name) and not _NOT_A_RATE.fullmatch(name):
            if isinstance(value, int):
                return None
            if _OF_EVALUATION.fullmatch(name):
                new = max(value * self.rate_factor, self.least_rate)
                return new if new != value else None
            return min(value, self.train_rate)
        if value < self.repeats and value == int(value) and _REPEATS.fullmatch(name):
            return self.repeats
        return None
