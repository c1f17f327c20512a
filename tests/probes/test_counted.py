"""Which positions count: each once where the audit's own run showed it, else BOS is free and weights are as found."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from harness.witnesses.probes.bits import LN2, by_loss, uniform_costs
from harness.witnesses.probes.counted import _balanced, counts_once
from harness.witnesses.trace import Balance, Coverage, LossTable, Trace

N, V = 1000, 1024
BOS = np.arange(N) % 100 == 0
FLAT = uniform_costs(N, V)


def trace(position: np.ndarray, loss: np.ndarray, repeated: int = 0) -> Any:
    neutral = np.zeros(len(position), np.int64)
    table = LossTable(position, loss, neutral, neutral, neutral, neutral, neutral.astype(bool))
    coverage = Coverage(N - 1, len(np.unique(position)), repeated, 0, 0, 0, 0, -1, 64, 64)
    balance = Balance("final", float(loss.mean()), None, float(loss.mean()), None, True, True, "summed")
    fields = {f.name: None for f in dataclasses.fields(Trace)}
    return Trace(
        **{
            **fields,
            "balance": balance,
            "coverage": coverage,
            "losses": table,
            "classes": (V,),
            "blinded": False,
        }
    )  # type: ignore[arg-type]


def flat(copies: int = 1) -> tuple[np.ndarray, np.ndarray]:
    position = np.tile(np.arange(1, N), copies)
    return position, np.full(len(position), np.log(V))


def test_bos_is_subtracted_where_each_position_counts_once() -> None:
    seen = _balanced(trace(*flat()), BOS, once=True)
    assert seen.counted.bos_bits == pytest.approx(9 * 10.0)
    assert -3 < by_loss(float(np.log(V)), 0.0, seen.counted, FLAT).surplus < 0


def test_rows_found_four_times_by_coincidence_count_once() -> None:
    seen = _balanced(trace(*flat(4)), BOS, once=True)
    assert seen.counted.weights.max() == 1.0


def test_bos_is_free_where_positions_repeat() -> None:
    seen = _balanced(trace(*flat(4)), BOS, once=False)
    assert seen.counted.bos_bits == 0.0
    assert by_loss(float(np.log(V)), 0.0, seen.counted, FLAT).surplus < -80


def test_cheap_bos_is_no_surplus_where_the_rows_lack_it() -> None:
    """An honest script that foresees every BOS; the rows that were found to add up leave BOS out."""
    position = np.flatnonzero(~BOS)
    honest = float(np.log(V - 1)) * len(position) / (N - 1)
    seen = _balanced(trace(position, np.full(len(position), honest)), BOS, once=False)
    assert by_loss(honest, 0.0, seen.counted, FLAT).surplus < 1.0


def test_the_least_that_bos_was_seen_to_cost_is_subtracted() -> None:
    position, loss = flat(2)
    loss[: N - 1][BOS[1:]] = LN2
    assert _balanced(trace(position, loss), BOS, once=True).counted.bos_bits == pytest.approx(9.0)


def test_counting_once_is_read_from_the_audits_own_run() -> None:
    assert counts_once(trace(*flat()))
    assert counts_once(trace(*flat(), repeated=3))
    assert not counts_once(trace(*flat(), repeated=100))
    assert not counts_once(None)
