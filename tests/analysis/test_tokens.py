"""Per-token loss analysis against numbers worked out by hand."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from harness.analysis.tokens import TokenAnalysis, analyse
from harness.analysis.windows import WINDOW, token_texts
from harness.case import to_json


def letters(ids: Sequence[int]) -> str:
    return "".join(chr(96 + i) for i in ids)


def run(loss: Sequence[float], **columns: Any) -> TokenAnalysis:
    n = len(loss)
    given = {
        "position": np.arange(n),
        "loss_nats": np.array(loss, dtype=np.float64),
        "order": np.zeros(n, dtype=np.int64),
        "window_offset": np.arange(n),
        "chunk": np.zeros(n, dtype=np.int64),
        "stream": np.ones(n, dtype=np.uint16),
        "position_bytes": np.full(n, 2.0),
        "decode": letters,
    }
    result = analyse(**{**given, **columns})
    assert result is not None
    return result


def test_totals_are_in_nats_bits_and_bits_per_byte() -> None:
    result = run([np.log(2), np.log(4), np.log(2)])
    assert result.total_nats == pytest.approx(4 * np.log(2))
    assert result.bits == pytest.approx(4)
    assert result.bytes == 6
    assert result.bits_per_byte == pytest.approx(4 / 6)


def test_thresholds_count_what_lies_strictly_above() -> None:
    rows = {t.over: t for t in run([1.0, 1.5, 3.5, 4.0]).thresholds}
    assert [rows[t].tokens for t in (1.0, 3.0, 5.0)] == [3, 2, 0]
    assert rows[1.0].token_share == 0.75
    assert rows[3.0].loss_share == pytest.approx(0.75)
    assert rows[5.0].loss_share == 0


def test_equal_losses_have_no_inequality() -> None:
    result = run([2.0] * 40)
    assert result.gini == pytest.approx(0)
    assert all(share == pytest.approx(part) for share, part in result.lorenz)


def test_gini_of_a_single_bearer() -> None:
    result = run([0.0] * 9 + [5.0])
    assert result.gini == pytest.approx(0.9)
    assert result.hardest_tenth_share == pytest.approx(1)
    assert result.lorenz[90][1] == pytest.approx(0)


def test_a_loss_that_is_not_finite_is_counted_and_left_out() -> None:
    result = run([1.0, np.nan, np.inf, 3.0])
    assert (result.tokens, result.not_finite, result.mean_nats) == (2, 2, 2.0)


def test_nothing_finite_is_no_analysis() -> None:
    empty = np.zeros(0, dtype=np.int64)
    assert analyse(empty, empty * 1.0, empty, empty, empty, np.ones(3), np.ones(3), letters) is None


def test_a_negative_total_has_no_shares() -> None:
    result = run([-3.0, 1.0])
    assert result.gini is None
    assert result.lorenz == ()
    assert result.thresholds[0].loss_share is None


def test_chunks_stand_in_order_of_scoring_not_of_number() -> None:
    result = run([1.0, 2.0, 3.0], chunk=np.array([7, 3, 5]), order=np.array([20, 10, 30]))
    assert result.chunks == 3
    assert [b.mean_nats for b in result.by_chunk] == [2.0, 1.0, 3.0]


def test_order_puts_what_was_scored_first_first() -> None:
    result = run([1.0, 2.0, 3.0], order=np.array([9, 5, 7]))
    assert [b.mean_nats for b in result.by_order] == [2.0, 3.0, 1.0]


def test_bins_hold_every_token_once() -> None:
    result = run([1.0] * 1000)
    for bins in (result.by_offset, result.by_order, result.histogram):
        assert sum(b.tokens for b in bins) == 1000
    assert result.by_offset[0].low == 0
    assert result.by_offset[-1].high == 999


def test_unknown_offsets_are_left_out() -> None:
    result = run([1.0, 5.0], window_offset=np.array([-1, 3]))
    assert [(b.low, b.tokens, b.mean_nats) for b in result.by_offset] == [(3, 1, 5.0)]


def test_frequency_is_that_of_the_whole_stream() -> None:
    stream = np.array([1, 2, 2, 3, 3, 3, 3], dtype=np.uint16)
    result = run([6.0, 1.0], position=np.array([0, 3]), stream=stream, position_bytes=np.ones(7))
    classes = {c.low: c for c in result.by_frequency}
    assert set(classes) == {1, 4}
    assert classes[1].mean_nats == 6
    assert classes[1].high == 1
    assert classes[4].high is None


def test_the_hardest_window_comes_first_and_reads() -> None:
    loss = np.ones(3 * WINDOW)
    loss[WINDOW : 2 * WINDOW] = 4
    stream = np.tile(np.arange(1, 25), 6).astype(np.uint16)
    hardest = run(loss.tolist(), stream=stream).hardest[0]
    assert (hardest.start, hardest.end, hardest.mean_nats) == (WINDOW, 2 * WINDOW, 4.0)
    assert "".join(t.text for t in hardest.tokens) == letters(stream[WINDOW : 2 * WINDOW])
    assert {t.nats for t in hardest.tokens} == {4.0}


def test_a_window_scored_by_less_than_half_is_not_shown() -> None:
    few = np.arange(5)
    result = run([9.0] * 5, position=few, stream=np.ones(200), position_bytes=np.ones(200))
    assert result.hardest == ()


def test_a_token_inside_a_character_adds_no_text() -> None:
    pieces = [b"a", b"\xc3", b"\xa9", b" b"]

    def decode(ids: Sequence[int]) -> str:
        return b"".join(pieces[i] for i in ids).decode("utf-8", errors="replace")

    assert token_texts([0, 1, 2, 3], decode) == ["a", "", "é", " b"]


def test_a_position_outside_the_stream_is_refused() -> None:
    with pytest.raises(ValueError, match="outside the val stream"):
        run([1.0], position=np.array([5]))


def test_columns_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match="one length"):
        run([1.0, 2.0], chunk=np.zeros(3, dtype=np.int64))


def test_the_result_is_plain_json() -> None:
    result = run(list(np.linspace(0.1, 12, 300)))
    assert json.loads(json.dumps(to_json(result), allow_nan=False))["tokens"] == 300
    assert dataclasses.is_dataclass(result)
