"""A changed world differs where it was asked to and nowhere else, and its windows still tell positions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.worlds.changed import changed
from harness.worlds.unique import windows
from tests.worlds.conftest import Make


@pytest.mark.parametrize("caseops", [False, True])
def test_only_these_positions_change(tmp_path: Path, make_world: Make, caseops: bool) -> None:
    world = make_world(caseops=caseops)
    asked = np.arange(1000, world.val_tokens)
    other = changed(world, asked, tmp_path / "changed")
    before, after = world.val_stream(), other.val_stream()
    assert (before[:1000] == after[:1000]).all()
    bos = before == world.bos_id
    assert (bos == (after == world.bos_id)).all()
    assert (before[1000:] != after[1000:])[~bos[1000:]].all()
    found = windows(after, world.ngram)
    assert len(set(found)) == len(found)
    assert (np.load(other.root / "val_stream.npy") == after).all()
    spelled = world.position_bytes(), other.position_bytes()
    assert (spelled[0][:1000] == spelled[1][:1000]).all()
    assert len(spelled[1]) == len(after)


def test_it_is_the_same_each_time(tmp_path: Path, make_world: Make) -> None:
    world = make_world()
    asked = np.array([5, 900, 1500])
    streams = [changed(world, asked, tmp_path / name, seed=3).val_stream() for name in ("a", "b")]
    assert (streams[0] == streams[1]).all()
