"""A changed future: losses before the cut that move are found and named, batch effects and noise are not."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from harness.witnesses.probes.artifact import read_back
from harness.witnesses.probes.facts import CLEAR, DOUBTFUL, NOT_COVERED, PROVED, Future
from harness.witnesses.probes.future import Scored, border, both, compare, decide
from harness.witnesses.trace.record import OpenEvent

N, CUT = 1000, 550
STREAM = np.where(np.arange(N) % 100 == 0, 0, 5)
WORLD: Any = SimpleNamespace(val_tokens=N, bos_id=0, val_stream=lambda: STREAM)
LATER = np.setdiff1d(np.arange(CUT + 1, N), np.flatnonzero(STREAM == 0))


def in_order(position: np.ndarray, moved: dict[int, float] | None = None) -> Scored:
    loss = np.full(len(position), 4.0)
    for rank, by in (moved or {}).items():
        loss[rank] += by
    return Scored(position, loss, np.arange(len(position)) // 64)


STRAIGHT = np.arange(1, N)


def found(moved: dict[int, float], position: np.ndarray = STRAIGHT) -> Future:
    before = in_order(position)
    return decide(
        compare(before, in_order(position, moved), CUT, LATER, WORLD), follows_stream=before.follows_stream
    )


def test_what_comes_after_the_cut_may_move() -> None:
    result = found(dict.fromkeys(range(CUT, N - 1), 1.0))
    assert (result.status, result.moved, result.compared) == (CLEAR, 0, CUT)


def test_batch_effects_are_no_move() -> None:
    assert found(dict.fromkeys(range(100), 5e-05)).status == CLEAR


def test_losses_that_move_are_named_with_place_and_size() -> None:
    result = found(dict.fromkeys(range(500, 540), 0.25))
    assert result.status == PROVED
    assert (result.moved, result.first_position, result.ahead) == (40, 501, CUT + 1 - 501)
    assert "up to 0.2500 nats" in result.reason


def test_a_few_are_a_question() -> None:
    assert found({500: 1.0, 501: 1.0}).status == DOUBTFUL


def test_a_loss_that_is_not_a_number_has_moved() -> None:
    assert compare(in_order(STRAIGHT), in_order(STRAIGHT, {3: np.nan}), CUT, LATER, WORLD).moved == 1


def test_where_scoring_does_not_follow_the_stream_it_is_a_question() -> None:
    documents = np.arange(N).reshape(-1, 100)[::-1].reshape(-1)
    later = documents[CUT:]
    before, after = in_order(documents), in_order(documents, dict.fromkeys(range(100), 1.0))
    result = decide(compare(before, after, CUT, later, WORLD), follows_stream=before.follows_stream)
    assert (result.status, result.ahead) == (DOUBTFUL, None)


def test_a_document_whose_own_past_was_exchanged_is_not_compared() -> None:
    documents = np.arange(N).reshape(-1, 100)[::-1].reshape(-1)
    result = compare(in_order(documents), in_order(documents), CUT, np.array([910]), WORLD)
    assert result.compared == CUT - 90


def test_the_second_cut_lies_where_a_batch_of_scores_ends() -> None:
    order = in_order(STRAIGHT)
    assert [border(order, rank) for rank in (1, 640, 660, 998)] == [64, 640, 640, 960]
    assert border(Scored(order.position, order.loss, np.zeros(N - 1, int)), 850) == 850


def test_of_two_cuts_the_one_that_shows_more_speaks() -> None:
    still, moved = found({}), found(dict.fromkeys(range(500, 540), 0.25))
    late = dataclasses.replace(moved, cut=848)
    assert both(still, late).status == PROVED
    assert both(still, late).cut == 848
    assert both(still, late).reason.endswith("after 550 scores instead of 848: none of 550 moved.")
    assert both(still, dataclasses.replace(still, cut=848)).also == 848
    assert both(still, Future(NOT_COVERED, "It crashed.")) == still


def test_another_order_cannot_be_compared() -> None:
    other = compare(in_order(STRAIGHT), in_order(STRAIGHT[::-1].copy()), CUT, LATER, WORLD)
    assert other.status == NOT_COVERED
    assert compare(None, in_order(STRAIGHT), CUT, LATER, WORLD).status == NOT_COVERED


@pytest.mark.parametrize(
    ("artifact", "status"),
    [("same", CLEAR), ("changed", DOUBTFUL), ("not_deterministic", CLEAR), ("unknown", CLEAR)],
)
def test_an_artifact_that_changes_with_val_is_a_question(artifact: str, status: str) -> None:
    still = compare(in_order(STRAIGHT), in_order(STRAIGHT), CUT, LATER, WORLD)
    assert decide(dataclasses.replace(still, artifact=artifact), follows_stream=True).status == status


def test_the_artifact_is_what_was_read_back_last() -> None:
    def opened(path: str, writes: bool = False) -> OpenEvent:
        return OpenEvent(0, 0, path, writes)

    events = [
        opened("/world/datasets/x/fineweb_val_000000.bin"),
        opened("raw.pt"),
        opened("./final.ptz", writes=True),
        opened("/work/records/mine/./final.ptz"),
        opened("train_gpt.py"),
        opened("data/tokenizers/a.model"),
        opened("/work/data/tokenizers/a.model"),
        opened("log.txt", writes=True),
    ]
    found = read_back(events, "records/mine", {"train_gpt.py", "data/tokenizers/a.model"})
    assert found == ["records/mine/final.ptz", "records/mine/raw.pt"]


def seen_early(own: float, *, before: float = 0.0) -> Future:
    """The sketch of the first exchanged token moves by `own`, those before it by `before`."""
    first = Scored(STRAIGHT, np.full(N - 1, 4.0), STRAIGHT // 64, np.ones(N - 1))
    other = np.ones(N - 1)
    other[:CUT] += before
    other[CUT] += own
    after = Scored(STRAIGHT, first.loss, first.batch, other)
    return decide(compare(first, after, CUT, LATER, WORLD), follows_stream=True)


def test_a_prediction_that_moves_with_its_own_token_is_a_question_and_two_are_proof() -> None:
    once = seen_early(0.02)
    assert (once.status, once.moved, once.own) == (DOUBTFUL, 0, pytest.approx(0.02))
    assert "the prediction of the first exchanged token" in once.reason
    late = dataclasses.replace(once, cut=848)
    assert both(once, late).status == PROVED
    assert both(once, seen_early(0.0)).status == DOUBTFUL


def test_a_prediction_that_moves_as_much_as_those_before_it_is_noise() -> None:
    assert (seen_early(5e-5).own, seen_early(0.02, before=0.01).own) == (0.0, 0.0)
    assert seen_early(0.02, before=0.01).status == CLEAR
    assert seen_early(np.nan).own is None


def test_a_few_that_move_at_both_cuts_are_proof_together() -> None:
    one = found({CUT - 1 - n: 0.5 for n in range(9)})
    late = dataclasses.replace(one, cut=848, moved=7)
    assert (one.status, both(one, late).status) == (DOUBTFUL, PROVED)
    assert "A second cut, after 848 scores instead of 550: 7 of 550 moved" in both(one, late).reason
    assert both(one, dataclasses.replace(late, moved=6)).status == DOUBTFUL
    assert both(one, dataclasses.replace(late, ahead=None)).status == DOUBTFUL


def test_a_bos_to_be_predicted_belongs_to_the_document_that_it_ends() -> None:
    ends = np.array(
        [900, 150, 200]
    )  # targets that are BOS: the documents before them are 800.., 100.. and 100..
    result = compare(in_order(ends), in_order(ends), 2, np.array([850]), WORLD)
    assert result.compared == 1
