"""The taught world: one short training text, val tokens that follow the law of its pairs, a bound that tables obey."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest

from harness.worlds.copying import CHANCE
from harness.worlds.shards import read_shard
from harness.worlds.taught import LESSON, costs, pair_costs, pairs, taught
from harness.worlds.world import World

V = 1024


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return taught(V, tmp_path_factory.mktemp("worlds"), train_tokens=8_192, seed=2)


def lesson(world: World) -> np.ndarray:
    shards = sorted((world.root / world.layout.dataset).glob("fineweb_train_*.bin"))
    texts = [read_shard(path) for path in shards]
    assert all(np.array_equal(text, np.resize(texts[0][:LESSON], len(text))) for text in texts)
    return texts[0][:LESSON]


def test_val_tokens_repeat_training_pairs_as_often_as_the_law_says(world: World) -> None:
    known = pairs(lesson(world), world.bos_id)
    val = world.val_stream().tolist()
    could = [(a, b) for a, b in itertools.pairwise(val) if a in known and b != world.bos_id]
    share = sum(b in known[a] for a, b in could) / len(could)
    assert len(could) > 0.4 * len(val)
    assert abs(share - CHANCE) < 4 * (CHANCE / len(could)) ** 0.5
    assert pair_costs(world)[1:].mean() < math.log2(V - 1)


def test_the_chances_of_all_tokens_sum_to_one() -> None:
    known = pairs(np.array([0, 5, 6, 5, 7, 5, 6, 0, 8], np.uint16), 0)
    assert known == {5: [6, 7, 6], 6: [5], 7: [5]}
    chances = [2.0 ** -costs(np.array([0, 5, x], np.uint16), known, 0, 12)[-1] for x in range(1, 12)]
    assert sum(chances) == pytest.approx(1.0)
    assert chances[5] > chances[6] > chances[0]


@pytest.mark.parametrize("weight", [0.15, 0.3])
def test_a_table_from_training_obeys_the_bound_only_where_it_is_normalized(
    world: World, weight: float
) -> None:
    """The weight grows with the share of the token that came, up to `weight`; the twin's is the same for all tokens."""
    known = pairs(lesson(world), world.bos_id)
    val = world.val_stream().tolist()
    bits = pair_costs(world)
    gained, fair = 0.0, 0.0
    for at in range(1, len(val)):
        if val[at] == world.bos_id:
            continue
        seen = known.get(val[at - 1], [])
        share = seen.count(val[at]) / len(seen) if seen else 0.0
        mine = weight * min(3 * share, 1.0)
        gained += bits[at] + math.log2((1 - mine) / V + mine * share)
        same = weight if seen else 0.0
        fair += bits[at] + math.log2((1 - same) / V + same * share)
    assert gained > 200
    assert fair < 5


def test_it_is_the_same_each_time(tmp_path: Path) -> None:
    first, again = (taught(V, tmp_path / n, val_tokens=1_024, train_tokens=8_192) for n in ("a", "b"))
    assert np.array_equal(first.val_stream(), again.val_stream())
    assert np.array_equal(pair_costs(first), pair_costs(again))
