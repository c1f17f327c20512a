"""Bets on exchanged tokens: what a valid predictor can win, and what one that sees the answer does."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from harness.witnesses.probes import bits, facts
from harness.witnesses.probes.answers import Answers, answers
from harness.witnesses.probes.facts import Future
from harness.witnesses.probes.future import ANSWERS_DOUBTFUL, decide, throughout

TOKENS, LETTERS = 1_800, 900


def drawn(seed: int, sure: float, hint: float = 0.0) -> np.ndarray:
    """Losses in nats of random tokens by predictions as `sure` as this, whose logit of the answer is raised by `hint`."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0.0, sure, (TOKENS, LETTERS))
    token = rng.integers(0, LETTERS, TOKENS)
    logits[np.arange(TOKENS), token] += hint
    logits -= np.log(np.exp(logits).sum(1, keepdims=True))
    found: np.ndarray = -logits[np.arange(TOKENS), token]
    return found


@pytest.mark.parametrize("sure", [0.0, 1.0, 4.0])
def test_whoever_does_not_see_the_answer_wins_nothing(sure: float) -> None:
    for seed in range(5):
        found = answers(drawn(seed, sure), LETTERS)
        assert found is not None
        assert found.bits < 8.0


@pytest.mark.parametrize(("sure", "hint"), [(0.0, 0.3), (1.0, 0.5), (2.0, 1.5)])
def test_a_hint_shows_however_bad_the_model_is(sure: float, hint: float) -> None:
    found = answers(drawn(1, sure, hint), LETTERS)
    assert found is not None
    assert found.bits >= bits.PROVED
    assert found.times > 1.2


def test_losses_that_were_rounded_low_win_nothing() -> None:
    even = np.full(TOKENS, np.log(LETTERS), np.float32)
    low = (even.view(np.uint32) & 0xFFFF0000).view(np.float32)
    assert low[0] < even[0]
    found = answers(low.astype(np.float64), LETTERS)
    assert found is not None
    assert found.bits < 0.0


def test_nothing_to_bet_on() -> None:
    assert answers(np.array([]), LETTERS) is None
    assert answers(np.array([1.0]), 1) is None
    assert answers(np.array([np.inf]), LETTERS) is None


@pytest.mark.parametrize(
    ("won", "follows", "status"),
    [(500.0, True, facts.PROVED), (500.0, False, facts.DOUBTFUL), (ANSWERS_DOUBTFUL, True, facts.DOUBTFUL)],
)
def test_predicted_answers_are_proof_where_scoring_follows_the_stream(
    won: float, follows: bool, status: str
) -> None:
    seen = Future(facts.CLEAR, "", changed=TOKENS, cut=10, compared=9, answers=Answers(TOKENS, 6.8, won))
    told = decide(seen, follows_stream=follows)
    assert told.status == status
    assert "6.80 times the probability" in told.reason
    few = dataclasses.replace(seen, answers=Answers(TOKENS, 1.1, ANSWERS_DOUBTFUL - 1))
    assert decide(few, follows_stream=follows).status == facts.CLEAR


def test_what_shows_only_where_all_val_tokens_are_exchanged_is_told() -> None:
    first = decide(
        Future(facts.CLEAR, "", changed=9, cut=5, compared=5, artifact="same"), follows_stream=True
    )
    other = Future(facts.CLEAR, "", changed=14, artifact="changed", artifact_file="model.ptz")
    whole = decide(other, follows_stream=True)
    assert throughout(first, whole).status == facts.DOUBTFUL
    assert "14 val tokens, all but the starts of documents, were exchanged" in whole.reason
    clear = throughout(first, dataclasses.replace(other, artifact="same"))
    assert clear.status == facts.CLEAR
    assert clear.reason.endswith("Nor does it change with any other val token.")
