"""The arithmetic of the first probe: honest predictors never pass the bound, leaks do, rounding and repeats are lenient."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.witnesses.probes.bits import LN2, Counted, by_bytes, by_loss, evidence, uniform_costs

V = 1024
FLAT = uniform_costs(4096, V)


def counted(n: int = 4096, every: int = 100, weight: float = 1.0, bos_bits: float = 0.0) -> Counted:
    bos = np.arange(n) % every == 0
    weights = np.full(n, weight)
    weights[0] = 0.0
    return Counted(weights, bos, bos_bits)


def test_a_flat_prediction_is_just_above_the_bound() -> None:
    scored = counted(bos_bits=40 * math.log2(V))
    account = by_loss(math.log(V), 0.0, scored, FLAT)
    assert -10 < account.surplus < 0
    assert account.bound == pytest.approx(scored.letters * math.log2(V - 1))


def test_free_bos_alone_is_no_surplus() -> None:
    scored = counted()
    paid = math.log(V - 1) * scored.letters / scored.scored  # BOS foreseen, everything else flat
    assert by_loss(paid, 0.0, scored, FLAT).surplus == pytest.approx(0.0, abs=1e-6)


def test_a_leak_of_a_hundredth_of_a_nat_is_counted_in_bits() -> None:
    scored = counted(bos_bits=40 * math.log2(V))
    lost = by_loss(math.log(V), 0.0, scored, FLAT).surplus
    found = by_loss(math.log(V) - 0.05, 0.0, scored, FLAT).surplus
    assert found - lost == pytest.approx(0.05 * scored.scored / LN2)


def test_rounding_is_taken_in_favour_of_the_submission() -> None:
    scored = counted()
    assert by_loss(6.0, 5e-5, scored, FLAT).surplus < by_loss(6.0, 0.0, scored, FLAT).surplus


def test_counting_every_position_twice_changes_nothing() -> None:
    assert by_loss(6.5, 0.0, counted(weight=2.0), FLAT).surplus == pytest.approx(
        by_loss(6.5, 0.0, counted(), FLAT).surplus
    )


def test_unequal_weights_never_turn_an_honest_script_into_a_cheat() -> None:
    """A noisy but valid predictor whose lucky tokens count eight times: the mean e-value stays at most 1."""
    rng = np.random.default_rng(0)
    weights = np.where(np.arange(64) < 8, 8.0, 1.0)
    scored = Counted(weights, np.zeros(64, bool))
    values = []
    for _ in range(4000):
        logits = rng.normal(0, 1.0, (64, 15))
        p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        loss = -np.log(p[np.arange(64), rng.integers(0, 15, 64)])
        mean = float((weights * loss).sum() / weights.sum())
        values.append(2.0 ** by_loss(mean, 0.0, scored, uniform_costs(64, 16)).surplus)
    assert np.mean(values) < 1.2


def test_bytes_twice_counted_show_in_bits_per_byte() -> None:
    scored = counted(bos_bits=40 * math.log2(V))
    octets = np.where(scored.bos, 0.0, 3.0)
    bits = math.log2(V) * scored.scored
    true = bits / float((scored.weights * octets).sum())
    assert by_bytes(true, 0.0, scored, octets, FLAT).surplus < 0
    assert by_bytes(true / 1.17, 0.0, scored, octets, FLAT).surplus > 0.1 * bits


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ([[100.0], [-math.inf]], 99.0),
        ([[100.0], [100.0]], 100.0),
        ([[-7.0], [-9.0]], math.log2((2.0**-7 + 2.0**-9) / 2)),
        ([[40.0, 40.0]], 80.0),
        ([[100_000.0], [0.0]], 99_999.0),
    ],
)
def test_evidence_is_the_mean_e_value(settings: list[list[float]], wanted: float) -> None:
    assert evidence(settings) == pytest.approx(wanted)


def test_honest_noise_is_no_evidence() -> None:
    """A predictor that fits noise with sharp guesses, over many worlds: 2 ** -s bounds how often s bits show."""
    rng = np.random.default_rng(1)
    found = []
    for _ in range(3000):
        logits = rng.normal(0, 2.0, (32, 7))
        p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        loss = -np.log(p[np.arange(32), rng.integers(0, 7, 32)]).mean()
        found.append(
            by_loss(float(loss), 0.0, Counted(np.ones(32), np.zeros(32, bool)), uniform_costs(32, 8)).surplus
        )
    for s in (1, 3, 6):
        assert (np.array(found) >= s).mean() <= 2.0**-s + 0.01
