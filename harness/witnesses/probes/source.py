"""The laws that val tokens are drawn from in experiments on code length: how many bits each token has by its law."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from harness.witnesses.probes.bits import uniform_costs
from harness.witnesses.probes.counted import WHOLE, Watched
from harness.witnesses.probes.laboratory import Laboratory
from harness.worlds import World
from harness.worlds.copying import code_lengths, most_bits
from harness.worlds.taught import pair_costs
from harness.worlds.words import WORDS, word_costs

Floats = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Source:
    """`tokens` is what reports call them, `kind` names the folders of runs. `costs(world)` float64 [val_tokens]: bits of
    each token given all before it. `most(world)`: the most bits of any token, None where tokens are independent.
    `above_law` tells that a model at its start pays far more than the law, so that a wrong count of bytes cannot
    bring it below."""

    kind: str
    tokens: str
    world: Callable[[Laboratory, int], World]
    costs: Callable[[World], Floats]
    most: Callable[[World], float] | None = None
    above_law: bool = False


UNIFORM = Source(
    "random",
    "uniformly random val tokens",
    lambda lab, seed: lab.random_world(seed),
    lambda world: uniform_costs(world.val_tokens, world.vocab_size),
)
COPYING = Source(
    "repeating",
    "randomly repeating val tokens",
    lambda lab, seed: lab.copying_world(seed),
    lambda world: code_lengths(world.val_stream(), world.bos_id, world.vocab_size),
    lambda world: most_bits(world.vocab_size),
)
TAUGHT = Source(
    "taught",
    "val tokens that repeat training pairs at random",
    lambda lab, seed: lab.taught_world(seed),
    pair_costs,
    lambda world: most_bits(world.vocab_size),
)
LONG_WORDS = Source(
    "long-word",
    f"val tokens drawn uniformly from {WORDS} long ones",
    lambda lab, seed: lab.words_world(seed),
    lambda world: word_costs(world.val_stream(), world.bos_id),
    above_law=True,
)


def spare(source: Source, seen: Watched, world: World, costs: Floats) -> float | str:
    """Bits to be taken off the bound for what tokens that do not count tell of those that do; a sentence where that is
    not known.

    In the order of the stream a predictor knows what came before, whether it counts or not, as the law does. In another
    order -log2 P(counted | others) is at least that of all less what the others can have: `most` for each.
    """
    if source.most is None:
        return 0.0
    weights = seen.counted.weights
    if float((weights[1:] > 0).mean()) < WHOLE:
        return "Only a part of the val tokens was seen to count, and parts may differ in what they cost."
    if seen.ordered:
        return 0.0
    used = weights[weights > 0]
    if used.min() < used.max():
        return "Tokens are not scored in their order, and some count more often than others."
    before = np.arange(len(weights)) < np.flatnonzero(weights)[-1]
    left_out = before & (weights == 0) & ~seen.counted.bos
    return float((source.most(world) - costs[left_out]).sum())
