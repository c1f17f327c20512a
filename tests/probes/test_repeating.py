"""The bound of the copying world: who knows the law reaches it and no more, a normalized blend stays above, one that is not
normalized falls below; what does not count is set off."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest

from harness.witnesses.probes.bits import LN2, Counted, by_bytes, by_loss
from harness.witnesses.probes.counted import Watched
from harness.witnesses.probes.facts import Incompressibility, RandomRun
from harness.witnesses.probes.incompressibility import PLAIN, Reference, account, judge
from harness.witnesses.probes.printed import Line
from harness.witnesses.probes.repeating import goes_on, stronger
from harness.witnesses.probes.source import COPYING, LONG_WORDS, UNIFORM, spare
from harness.worlds import World
from harness.worlds.copying import Memory, code_lengths, copying

V = 1024


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return copying(V, tmp_path_factory.mktemp("worlds"), train_tokens=8_192, seed=3)


def counted(world: World) -> Counted:
    weights = np.ones(world.val_tokens)
    weights[0] = 0.0
    return Counted(weights, world.val_stream() == world.bos_id)


def surplus(world: World, nats: np.ndarray) -> float:
    """Bits below the bound of a predictor with these losses, which foresees BOS."""
    scored = counted(world)
    mean = float(nats[1:].mean())
    return by_loss(mean, 5e-9, scored, COPYING.costs(world)).surplus


def blend(world: World, weight: float, *, fewest: int, normalized: bool) -> np.ndarray:
    """Losses of a flat model blended with an exact n-gram table; for the token that came alone, or for all tokens."""
    memory = Memory(fewest)
    nats = np.zeros(world.val_tokens)
    context: list[int] = []
    for at, token in enumerate(world.val_stream().tolist()):
        if token == world.bos_id:
            context = []
            continue
        seen = memory.known(context)
        share = seen.get(token, 0) / sum(seen.values()) if seen else 0.0
        touched = bool(seen) if normalized else share > 0
        chance = (1 - weight) / V + weight * share if touched else 1 / V
        nats[at] = -math.log(chance)
        memory.learn(context, token)
        context = [*context, token][-5:]
    return nats


def test_who_knows_the_law_reaches_the_bound(world: World) -> None:
    nats = code_lengths(world.val_stream(), world.bos_id, V) * LN2
    assert surplus(world, nats) == pytest.approx(0.0, abs=1e-3)


def test_no_sharper_guess_passes_it(world: World) -> None:
    """The law with other chances of copying: each is valid, so none gains more than a few bits."""
    memory = Memory(3)
    found = dict.fromkeys((0.05, 0.1, 0.2, 0.4), 0.0)
    context: list[int] = []
    for token, bits in zip(world.val_stream().tolist(), COPYING.costs(world), strict=True):
        if token == world.bos_id:
            context = []
            continue
        seen = memory.known(context)
        share = seen.get(token, 0) / sum(seen.values()) if seen else 0.0
        for chance in found:
            copied = chance if seen else 0.0
            found[chance] += bits + math.log2(copied * share + (1 - copied) / (V - 1))
        memory.learn(context, token)
        context = [*context, token][-8:]
    assert max(found.values()) < 10


@pytest.mark.parametrize(("weight", "fewest"), [(0.15, 3), (0.4, 2), (0.7, 1), (0.3, 1)])
def test_a_blend_for_the_token_that_came_is_proved_and_its_twin_is_not(
    world: World, weight: float, fewest: int
) -> None:
    assert surplus(world, blend(world, weight, fewest=fewest, normalized=False)) > 200
    assert surplus(world, blend(world, weight, fewest=fewest, normalized=True)) < 0


def test_bytes_obey_the_same_bound(world: World) -> None:
    nats = code_lengths(world.val_stream(), world.bos_id, V) * LN2
    octets = world.position_bytes().astype(np.float64)
    scored = counted(world)
    bpb = float(nats[1:].sum()) / LN2 / float(octets[1:].sum())
    assert by_bytes(bpb, 0.0, scored, octets, COPYING.costs(world)).surplus == pytest.approx(0.0, abs=1e-6)
    assert by_bytes(bpb / 1.1, 0.0, scored, octets, COPYING.costs(world)).surplus > 1000


def watched(world: World, left_out: int = 0, **changes: Any) -> Watched:
    scored = counted(world)
    if left_out:
        where = np.flatnonzero(~scored.bos)[100 : 100 + left_out]
        scored.weights[where] = 0.0
    return dataclasses.replace(Watched(scored, True, 6.9, V, True), **changes)


def test_tokens_that_do_not_count_are_set_off_where_the_order_is_not_the_streams(world: World) -> None:
    costs = COPYING.costs(world)
    assert spare(COPYING, watched(world, 40), world, costs) == 0.0
    assert spare(COPYING, watched(world, ordered=False), world, costs) == 0.0
    told = spare(COPYING, watched(world, 40, ordered=False), world, costs)
    assert isinstance(told, float)
    assert 0 < told < 40 * 13
    assert spare(UNIFORM, watched(world, 40, ordered=False), world, costs) == 0.0


def test_tokens_after_the_last_one_that_counts_tell_nothing(world: World) -> None:
    seen = watched(world, ordered=False)
    seen.counted.weights[-36:] = 0.0
    assert spare(COPYING, seen, world, COPYING.costs(world)) == 0.0


def test_a_part_or_unequal_weights_are_not_covered(world: World) -> None:
    costs = COPYING.costs(world)
    for balanced in (True, False):
        assert isinstance(spare(COPYING, watched(world, 2000, balanced=balanced), world, costs), str)
    assert spare(UNIFORM, watched(world, 2000), world, costs) == 0.0
    uneven = watched(world, ordered=False)
    uneven.counted.weights[7] = 2.0
    assert isinstance(spare(COPYING, uneven, world, costs), str)
    line = Line("final val_loss:6.0 val_bpb:3.0", 6.0, 5e-5, 3.0, 5e-5, True)
    made = account(line, uneven, world, PLAIN.name, 1, COPYING)
    assert made.surplus is None
    assert "in their order" in made.outcome


def run(surplus: float | None, *, balanced: bool = True) -> RandomRun:
    claimed = None if surplus is None else 80_000.0 - surplus
    return RandomRun(PLAIN.name, 1, "scored", claimed=claimed, bound=80_000.0, balanced=balanced)


@pytest.mark.parametrize(
    ("runs", "on"),
    [
        ([], True),
        ([run(-3_000.0)], False),
        ([run(-3_000.0, balanced=False)], False),
        ([run(500.0)], False),
        ([run(500.0, balanced=False)], True),
        ([run(500.0, balanced=False)] * 2, False),
        ([run(30.0)], True),
        ([run(None)], False),
    ],
)
def test_further_seeds(runs: list[RandomRun], on: bool) -> None:
    assert goes_on(runs) is on


def test_the_law_that_shows_more_speaks_over_the_runs_of_both() -> None:
    copied = Incompressibility("clear", "copied", (run(-3_000.0),), V, -3_001.0)
    long = Incompressibility("proved", "long", (run(900.0), run(900.0)), V, 1_799.0)
    both = stronger(copied, long)
    assert (both.status, both.reason, len(both.runs)) == ("proved", "long", 3)
    assert stronger(copied, dataclasses.replace(long, status="not_covered", evidence=None)).reason == "copied"


@pytest.mark.parametrize(("nats", "status"), [(9.0, "proved"), (6.0, "doubtful")])
def test_a_wrong_count_of_bytes_explains_a_line_of_bpb_alone(nats: float, status: str) -> None:
    """44,000 bits for 8,000 words of 6 bits each: nothing for a model that was seen to pay 104,000, not half of them."""
    runs = [
        dataclasses.replace(run(4_000.0, balanced=False), claimed=44_000.0, bound=48_000.0, bpb=b, fixed=True,
                            letters=8_000, watched_loss=nats) for b in (0.5, 0.51)
    ]  # fmt: skip
    assert judge(runs, 8192, Reference(None, 1.2, 6.0, 8), LONG_WORDS).status == status
    assert judge(runs, 8192, Reference(None, 1.2, 6.0, 8), UNIFORM).status == "doubtful"
