"""The copying world: its law gives every token its exact chance, and its tokens follow the law."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.worlds.copying import CHANCE, Memory, code_lengths, copying, most_bits, sightings
from harness.worlds.miniature import prove_unique
from harness.worlds.shards import read_shard

V = 1024


@pytest.mark.parametrize(("vocab_size", "caseops"), [(V, False), (V, True), (8192, False)])
def test_tokens_follow_the_law(tmp_path: Path, vocab_size: int, caseops: bool) -> None:
    world = copying(vocab_size, tmp_path, train_tokens=8_192, caseops=caseops, seed=1)
    val = world.val_stream()
    train = [read_shard(p).tolist() for p in (world.root / world.layout.dataset).glob("fineweb_train_*.bin")]
    prove_unique(val.tolist(), train, world.ngram)
    bits = code_lengths(val, world.bos_id, vocab_size)
    letters = val != world.bos_id
    assert (bits[~letters] == 0).all()
    assert bits.max() <= most_bits(vocab_size)
    flat = np.log2(vocab_size - 1)
    copied = bits[letters] < flat - 3
    known = copied | (bits[letters] > flat)
    share = CHANCE * (1 - CHANCE) / known.sum()
    assert known.mean() > 0.1
    assert abs(copied.sum() / known.sum() - CHANCE) < 4 * share**0.5


def test_the_chances_of_all_tokens_sum_to_one() -> None:
    past = [0, 5, 6, 7, 5, 6, 9, 5, 6]  # after 5, 6 came 7 and 9
    chances = [2.0 ** -code_lengths(np.array([*past, x], np.uint16), 0, 12)[-1] for x in range(1, 12)]
    assert sum(chances) == pytest.approx(1.0)
    assert chances[6] == chances[8] > chances[0]


def test_a_context_is_known_by_its_longest_end_and_ends_with_its_document() -> None:
    memory = Memory(2)
    for context, token in (([1, 2], 3), ([1, 2], 3), ([4, 2], 5)):
        memory.learn(context, token)
    assert memory.known([1, 2]) == {3: 2}
    assert memory.known([4, 2]) == {3: 2, 5: 1}
    assert memory.known([4]) == {}
    stream = np.array([0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 2], np.uint16)
    bits = code_lengths(stream, 0, 32)
    assert bits[10] == pytest.approx(np.log2(31))  # nothing is known of what follows BOS
    assert (
        bits[8] == bits[5] < bits[2] == pytest.approx(np.log2(31))
    )  # one sighting is enough in so short a stream


def test_the_sightings_fit_the_stream() -> None:
    assert [sightings(v, 8_229) for v in (512, 1024, 2048, 4096)] == [3, 3, 2, 1]
    assert sightings(8192, 4_133) == 1


def test_it_is_the_same_each_time(tmp_path: Path) -> None:
    sizes = {"val_tokens": 1_024, "train_tokens": 8_192}
    first = copying(V, tmp_path / "a", **sizes).val_stream()
    assert np.array_equal(copying(V, tmp_path / "b", **sizes).val_stream(), first)
    assert not np.array_equal(copying(V, tmp_path / "b", seed=1, **sizes).val_stream(), first)
