"""Bytes of tokens by the challenge's rule, against hand-worked cases and against the text itself."""

from __future__ import annotations

import numpy as np
import pytest
import sentencepiece

from harness.worlds.bytetable import ByteTable, byte_level_table
from tests.worlds.conftest import Make


def test_each_kind_of_token(make_world: Make) -> None:
    world = make_world(1024)
    table = world.byte_lengths()
    sp = sentencepiece.SentencePieceProcessor(model_file=str(world.tokenizer()))

    def row(piece: str) -> tuple[int, bool, bool]:
        token = sp.piece_to_id(piece)
        return (
            int(table.base_bytes[token]),
            bool(table.has_leading_space[token]),
            bool(table.is_boundary[token]),
        )

    assert [row(p) for p in ("<pad>", "<s>", "</s>", "<unk>")] == [(0, False, True)] * 4
    assert row("<0xE2>") == (1, False, False)
    assert row("\u2581") == (0, True, False)
    assert row("\u2581the") == (3, True, False)
    assert row("ing") == (3, False, False)
    assert table.base_bytes.shape == (1024,)


def test_a_leading_space_counts_unless_a_boundary_comes_before() -> None:
    table = ByteTable(
        base_bytes=np.array([0, 3, 2], dtype=np.int16),
        has_leading_space=np.array([False, True, False]),
        is_boundary=np.array([True, False, False]),
    )
    assert table.position_bytes([0, 1, 1, 2, 0, 1]).tolist() == [0, 3, 4, 2, 0, 3]
    assert table.position_bytes([1]).tolist() == [3]
    assert table.position_bytes([]).tolist() == []


def test_byte_level() -> None:
    assert byte_level_table(260, 4).position_bytes([1, 4, 259, 2, 70]).tolist() == [0, 1, 1, 0, 1]
    assert byte_level_table(256, 0).position_bytes([10, 0, 255]).tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("vocab_size", "caseops"), [(260, False), (1024, False), (8192, False), (8192, True)]
)
def test_a_document_counts_as_many_bytes_as_its_text(
    make_world: Make, vocab_size: int, caseops: bool
) -> None:
    world = make_world(vocab_size, caseops=caseops)
    val, counts = world.val_stream(), world.position_bytes()
    starts = np.flatnonzero(val == world.bos_id)
    compared = 0
    for tokens, length in zip(np.split(val, starts)[1:], np.split(counts, starts)[1:], strict=True):
        text = world.decode(tokens)
        if "\ufffd" not in text:  # an exchange may have broken a character of several bytes
            assert int(length.sum()) == len(text.encode())
            compared += 1
    assert compared > 0.7 * len(starts)
