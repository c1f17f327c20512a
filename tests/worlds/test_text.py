"""The built-in text and the CaseOps transform."""

from __future__ import annotations

import pytest

from harness.worlds import caseops
from harness.worlds.text import documents


def test_text_is_plenty_varied_and_the_same_each_time() -> None:
    texts = documents(0)
    assert texts == documents(0)
    assert sum(map(len, texts)) > 800_000
    lengths = sorted(map(len, texts))
    assert lengths[len(lengths) // 10] < 200
    assert lengths[len(lengths) // 2] < 800
    assert lengths[-len(lengths) // 10] > 1_000
    assert not any("\n" in text for text in texts)


def test_the_seed_changes_the_order() -> None:
    assert documents(0)[:20] != documents(1)[:20]


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("plain text 12", "plain text 12"),
        ("The NASA launch", "\ue001the \ue002nasa launch"),
        ("I am", "\ue001i am"),
        ("iPhone McDonald", "i\ue003phone \ue001mc\ue003donald"),
        ("É Öl", "É Öl"),
    ],
)
def test_capitals_become_markers_and_come_back(text: str, encoded: str) -> None:
    assert caseops.encode(text) == encoded
    assert caseops.decode(encoded) == text


def test_every_document_survives_the_transform() -> None:
    assert all(caseops.decode(caseops.encode(text)) == text for text in documents(0))


def test_markers_stand_for_no_byte() -> None:
    assert caseops.original_bytes("\ue001") == 0
    assert caseops.original_bytes("\u2581the") == 4
    assert caseops.original_bytes("ö") == 2


def test_text_with_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="marker"):
        caseops.encode("a\ue002b")
