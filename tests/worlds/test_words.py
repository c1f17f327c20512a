"""The world of few long words: uniform over them, long, told apart by their first bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.worlds.miniature import prove_unique
from harness.worlds.words import START, WORDS, word_costs, words


@pytest.mark.parametrize(("vocab_size", "caseops"), [(1024, False), (1024, True), (8192, False)])
def test_words_are_long_and_uniform(tmp_path: Path, vocab_size: int, caseops: bool) -> None:
    world = words(vocab_size, tmp_path, train_tokens=8_192, caseops=caseops)
    val = world.val_stream()
    prove_unique(val.tolist(), [], world.ngram)
    letters = val[val != world.bos_id]
    ids, counts = np.unique(letters, return_counts=True)
    assert len(ids) == WORDS
    assert abs(counts - len(letters) / WORDS).max() < 6 * (len(letters) / WORDS) ** 0.5
    starts = {world.decode([i]).strip()[:START] for i in ids.tolist()}
    assert caseops or len(starts) == WORDS
    assert world.position_bytes().mean() > (3 if vocab_size == 1024 else 9)
    costs = word_costs(val, world.bos_id)
    assert costs.sum() == pytest.approx(6.0 * len(letters))


def test_bytes_have_no_words(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no words"):
        words(256, tmp_path, train_tokens=8_192)
