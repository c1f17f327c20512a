"""When surplus bits are proof, and when something else may explain them: another unit, a constant, an unknown line."""

from __future__ import annotations

import dataclasses
import importlib

import pytest

from harness.witnesses.probes.facts import CLEAR, DOUBTFUL, NOT_COVERED, PROVED, SCORED, RandomRun
from harness.witnesses.probes.incompressibility import AMPLIFIED, PLAIN, Reference, judge, total

incompressibility = importlib.import_module("harness.witnesses.probes.incompressibility")
TEXT = Reference(loss=4.9, bpb=2.0, watched_loss=5.1, digits=8)
BOUND = 40_000.0


def run(surplus: float, setting: str = PLAIN.name, *, balanced: bool = True, **changes: object) -> RandomRun:
    made = RandomRun(
        setting, 1, SCORED, "final val_loss: val_bpb:", 6.5, 3.1, 4000, BOUND - surplus, BOUND, BOUND - surplus,
        balanced, True, 3.0, 3.0, 6.93,
    )  # fmt: skip
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type]


def test_an_honest_script_is_clear() -> None:
    assert judge([run(-7.0), run(-11.0, AMPLIFIED.name)], 1024, TEXT).status == CLEAR


def test_sixty_four_bits_are_proof_and_the_words_can_be_quoted() -> None:
    found = judge([run(900.0)], 1024, TEXT)
    assert found.status == PROVED
    assert "39,100 bits" in found.reason
    assert "899 bits, p < 1e-270" in found.reason


@pytest.mark.parametrize(("surplus", "status"), [(30.0, CLEAR), (50.0, DOUBTFUL), (65.5, PROVED)])
def test_less_is_no_proof(surplus: float, status: str) -> None:
    assert judge([run(surplus)], 1024, TEXT).status == status


def test_a_line_that_was_not_named_beforehand_is_a_question() -> None:
    assert judge([run(900.0, fixed=False)], 1024, TEXT).status == DOUBTFUL


def test_a_leak_outside_torch_is_proved_by_its_number() -> None:
    leaks = [run(26_000.0, balanced=False, loss=2.359), run(26_000.0, balanced=False, loss=2.389)]
    assert judge(leaks, 1024, TEXT).status == PROVED


def test_a_scaled_loss_is_a_question() -> None:
    scaled = [run(9_000.0, balanced=False, loss=0.7 * 6.93), run(9_000.0, balanced=False, loss=0.7 * 6.93)]
    reference = dataclasses.replace(TEXT, loss=0.7 * 5.1)
    assert judge(scaled, 1024, reference).status == DOUBTFUL


def test_a_share_that_differs_beyond_the_printed_digits_is_a_leak() -> None:
    leaks = [run(9_000.0, balanced=False, loss=0.7 * 6.93), run(9_000.0, balanced=False, loss=0.7007 * 6.93)]
    reference = dataclasses.replace(TEXT, loss=0.7 * 5.1)
    assert judge(leaks, 1024, reference).status == PROVED


def test_a_small_number_may_differ_by_its_last_digit() -> None:
    scaled = [run(39_000.0, balanced=False, loss=0.1400), run(39_000.0, balanced=False, loss=0.1401)]
    reference = dataclasses.replace(TEXT, loss=0.0202 * 5.1)
    assert judge(scaled, 1024, reference).status == DOUBTFUL


def test_a_strong_cache_is_no_fixed_denominator() -> None:
    strong = [run(39_000.0, balanced=False, loss=0.18936), run(39_000.0, balanced=False, loss=0.18832)]
    assert judge(strong, 1024, TEXT).status == PROVED


def test_a_constant_share_of_noise_but_not_of_text_is_a_leak() -> None:
    leaks = [run(9_000.0, balanced=False, loss=0.7 * 6.93), run(9_000.0, balanced=False, loss=0.7 * 6.93)]
    assert judge(leaks, 1024, dataclasses.replace(TEXT, loss=0.9 * 5.1)).status == PROVED


@pytest.mark.parametrize(("surplus", "status"), [(9_000.0, DOUBTFUL), (26_000.0, PROVED)])
def test_bits_per_byte_alone_may_be_wrong_bytes(surplus: float, status: str) -> None:
    leaks = [run(surplus, balanced=False, loss=None, bpb=b) for b in (1.0, 1.1)]
    assert judge(leaks, 1024, TEXT).status == status
    assert judge([run(surplus, loss=None)], 1024, TEXT).status == PROVED


def test_a_fixed_denominator_is_a_question() -> None:
    tiny = [run(BOUND - 10, balanced=False, loss=0.0005), run(BOUND - 10, balanced=False, loss=0.0006)]
    assert judge(tiny, 1024, TEXT).status == DOUBTFUL


def test_a_number_that_is_the_same_for_other_data_is_invented() -> None:
    fixed = run(0.0, balanced=False, loss=TEXT.loss, bpb=TEXT.bpb, claimed=None, outcome="unknown")
    found = judge([fixed], 1024, TEXT)
    assert (found.status, found.invented) == (PROVED, True)


def test_two_decimals_may_coincide() -> None:
    fixed = run(0.0, balanced=False, loss=TEXT.loss, bpb=TEXT.bpb, claimed=None, outcome="unknown")
    coarse = dataclasses.replace(TEXT, digits=2)
    assert judge([fixed], 1024, coarse).status == NOT_COVERED


@pytest.mark.parametrize(("surplus", "status"), [(900.0, PROVED), (-7.0, CLEAR)])
def test_a_second_run_that_fails_takes_nothing_from_the_first(surplus: float, status: str) -> None:
    late = RandomRun(AMPLIFIED.name, 2, "did not finish")
    found = judge([run(surplus), late], 1024, TEXT)
    assert found.status == status
    assert len(found.runs) == 2


def test_further_seeds_are_factors() -> None:
    runs = [run(40.0), run(-10.0, AMPLIFIED.name), run(39.0)]
    assert total(runs) == pytest.approx(78.0)


def planned(
    monkeypatch: pytest.MonkeyPatch, shown: list[RandomRun], *, amplifies: bool
) -> list[tuple[str, int]]:
    """The runs that are made when they show this, one after the other."""
    monkeypatch.setattr(incompressibility, "_amplifies", lambda case: amplifies)
    runs: list[RandomRun] = []
    made = []
    for (tuning, seed), seen in zip(incompressibility._plan(None, runs, False), shown, strict=False):  # type: ignore[arg-type]
        made.append(("loud" if tuning is AMPLIFIED else "plain", seed))
        runs.append(dataclasses.replace(seen, setting=tuning.name))
    return made


def test_a_proof_or_a_script_that_never_adapts_needs_one_run(monkeypatch: pytest.MonkeyPatch) -> None:
    assert planned(monkeypatch, [run(900.0)] * 9, amplifies=True) == [("plain", 1)]
    assert planned(monkeypatch, [run(-7.0)] * 9, amplifies=False) == [("plain", 1)]


def test_adaptation_is_raised_and_unwatched_losses_are_looked_at_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert planned(monkeypatch, [run(-7.0)] * 9, amplifies=True) == [("plain", 1), ("loud", 2)]
    leak = run(900.0, balanced=False)
    assert planned(monkeypatch, [leak] * 9, amplifies=False) == [("plain", 1), ("plain", 2)]


def test_where_raised_rates_break_the_script_the_plain_ones_run_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    leak, broken = run(900.0, balanced=False), run(0.0, claimed=None, bound=None, outcome="crashed")
    assert planned(monkeypatch, [leak, broken, leak], amplifies=True) == [
        ("plain", 1),
        ("loud", 2),
        ("plain", 7),
    ]


def test_what_shows_a_little_is_looked_at_until_it_is_proved(monkeypatch: pytest.MonkeyPatch) -> None:
    weak = [run(-4.0), *[run(20.0)] * 9]
    assert planned(monkeypatch, weak, amplifies=True) == [
        ("plain", 1),
        *[("loud", seed) for seed in (2, 3, 4, 5)],
    ]
