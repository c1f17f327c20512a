"""Other neighbours: only documents whose own text stayed are measured, by the place of the token in its document."""

from __future__ import annotations

import numpy as np

from harness.witnesses.probes.facts import CLEAR, NOT_COVERED
from harness.witnesses.probes.future import Scored
from harness.witnesses.probes.neighbour import measured, places

BOS = np.arange(600) % 100 == 0
DOCUMENT, PLACE = places(BOS)
POSITION = np.arange(1, 600)


def scored(moved: np.ndarray, by: float = 0.5) -> Scored:
    return Scored(POSITION, 4.0 + by * np.isin(POSITION, moved), np.zeros(len(POSITION), int))


def test_places() -> None:
    assert DOCUMENT[[0, 99, 100, 599]].tolist() == [0, 0, 1, 5]
    assert PLACE[[0, 99, 100, 599]].tolist() == [0, 99, 0, 99]
    late = places(np.arange(10) == 4)
    assert late[0].tolist() == [0] * 4 + [1] * 6


def test_only_the_documents_after_the_exchanged_ones_are_measured() -> None:
    everything = measured(scored(np.array([])), scored(POSITION), DOCUMENT, PLACE, adapts=False)
    assert (everything.documents, everything.moved) == (2, 2)
    assert sum(r.tokens for r in everything.reaches) == 2 * 99
    odd = measured(scored(np.array([])), scored(np.flatnonzero(DOCUMENT % 2)), DOCUMENT, PLACE, adapts=False)
    assert (odd.status, odd.moved, odd.largest) == (CLEAR, 0, 0.0)
    assert "not one loss moved" in odd.reason


def test_the_place_after_bos_is_told() -> None:
    found = measured(scored(np.array([])), scored(np.array([201, 401, 403])), DOCUMENT, PLACE, adapts=True)
    assert [(r.first, r.last) for r in found.reaches] == [(1, 1), (2, 8), (9, 64), (65, 99)]
    assert [round(r.mean, 4) for r in found.reaches] == [0.5, round(0.5 / 14, 4), 0.0, 0.0]
    assert found.moved == 2
    assert "learned" in found.reason


def test_the_bos_itself_is_not_measured() -> None:
    found = measured(scored(np.array([])), scored(np.flatnonzero(BOS)), DOCUMENT, PLACE, adapts=False)
    assert found.moved == 0


def test_one_document_has_no_neighbour() -> None:
    alone = places(np.arange(600) == 0)
    assert measured(scored(POSITION), scored(POSITION), *alone, adapts=False).status == NOT_COVERED
