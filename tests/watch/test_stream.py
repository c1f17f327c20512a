"""Positions are told by content, and not by accident at the seam of two rows."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from .conftest import INSIDE, stream

sys.path.insert(0, INSIDE)
from inside.watch.stream import ValStream


@pytest.fixture(scope="module")
def val() -> ValStream:
    return ValStream(stream())


def test_windows_in_any_order_with_padding(val: ValStream) -> None:
    rows = np.zeros((3, 40), np.int64)
    rows[0, :40] = stream()[700:740]
    rows[1, :12] = stream()[5:17]
    rows[2, 10:30] = stream()[1000:1020]
    found = val.positions(rows.reshape(-1), rows=3)
    assert found is not None
    expected = np.full((3, 40), -1)
    expected[0] = np.arange(700, 740)
    expected[1, :12] = np.arange(5, 17)
    expected[2, 10:30] = np.arange(1000, 1020)
    assert (found.reshape(3, 40) == expected).mean() > 0.99
    assert (found.reshape(3, 40)[expected >= 0] == expected[expected >= 0]).all()


def test_other_text_is_nowhere(val: ValStream) -> None:
    other = np.random.default_rng(77).integers(2, 64, 4000)
    assert val.positions(other) is None


def test_the_seam_of_two_rows_is_no_text(val: ValStream) -> None:
    part = stream()[300:306]
    rows = np.random.default_rng(8).integers(2, 64, (2, 20))
    rows[0, 17:], rows[1, :3] = part[:3], part[3:]
    joined = val.positions(rows.reshape(-1), rows=1)
    assert joined is not None
    assert joined[17:23].tolist() == list(range(300, 306))
    assert val.positions(rows.reshape(-1), rows=2) is None


def test_short_rows(val: ValStream) -> None:
    rows = np.zeros((2, 30), np.int64)
    rows[0] = stream()[100:130]
    rows[1, :3] = stream()[500:503]
    found = val.positions(rows.reshape(-1), rows=2)
    assert found is not None
    assert found.reshape(2, 30)[1, :2].tolist() == [500, 501]


def test_a_row_of_exactly_one_window(val: ValStream) -> None:
    rows = np.zeros((2, 30), np.int64)
    rows[0] = stream()[100:130]
    rows[1, : val.n] = stream()[-val.n :]
    found = val.positions(rows.reshape(-1), rows=2)
    assert found is not None
    assert found.reshape(2, 30)[1, : val.n].tolist() == list(range(len(stream()) - val.n, len(stream())))
    assert (found.reshape(2, 30)[1, val.n :] == -1).all()
