"""The official data: found, checked with one sentence for each fault, its bytes those of the tokenizer."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from harness.worlds import World
from harness.worlds.fineweb import official_data
from harness.worlds.miniature import miniature
from harness.worlds.shards import ShardError, write_shard


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return miniature(1024, tmp_path_factory.mktemp("worlds"), val_tokens=2_000, train_tokens=9_000)


@pytest.fixture
def copy(world: World, tmp_path: Path) -> Path:
    return Path(shutil.copytree(world.root / world.layout.dataset, tmp_path / "fineweb10B_sp1024"))


def damage(folder: Path, at: int, value: int) -> Path:
    path = folder / "fineweb_val_000000.bin"
    header = np.fromfile(path, dtype="<i4")
    header[at] = value
    header.tofile(path)
    return path


def test_found_by_its_folder_or_by_the_data_folder(world: World) -> None:
    by_root = official_data(world.root, world.tokenizer())
    assert by_root == official_data(world.root / world.layout.dataset, world.tokenizer())
    assert by_root.val_tokens == world.val_tokens
    assert sum(n for _, n in by_root.train) == world.train_tokens
    assert (by_root.bos_id, by_root.caseops) == (world.bos_id, False)


def test_stream_and_bytes_are_the_worlds(world: World) -> None:
    data = official_data(world.root, world.tokenizer())
    assert (data.val_stream() == world.val_stream()).all()
    assert (data.target_bytes() == world.position_bytes()[1:]).all()


def test_caseops_counts_by_the_sidecar(tmp_path: Path) -> None:
    world = miniature(8192, tmp_path, val_tokens=2_000, train_tokens=9_000, caseops=True)
    data = official_data(world.root, world.tokenizer())
    assert data.caseops
    assert (data.target_bytes() == world.position_bytes()[1:]).all()


def test_byte_level(tmp_path: Path) -> None:
    world = miniature(260, tmp_path, val_tokens=2_000, train_tokens=9_000)
    data = official_data(world.root, world.tokenizer())
    assert (data.vocab_size, data.bos_id) == (260, world.bos_id)
    assert (data.target_bytes() == world.position_bytes()[1:]).all()


@pytest.mark.parametrize(
    ("at", "value", "sentence"),
    [(0, 7, "begins with 7"), (1, 2, "of version 2"), (2, 1_999, "says 1999 tokens, it holds 2000")],
)
def test_a_damaged_header(world: World, copy: Path, at: int, value: int, sentence: str) -> None:
    damage(copy, at, value)
    with pytest.raises(ShardError, match=sentence):
        official_data(copy, world.tokenizer())


def test_a_cut_file(world: World, copy: Path) -> None:
    path = copy / "fineweb_val_000000.bin"
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(ShardError, match=r"it holds 1998\.5"):
        official_data(copy, world.tokenizer())
    path.write_bytes(b"short")
    with pytest.raises(ShardError, match="a header alone has 1024"):
        official_data(copy, world.tokenizer())


def test_another_tokenizer(world: World, copy: Path) -> None:
    write_shard(copy / "fineweb_val_000001.bin", [5, 1024])
    with pytest.raises(ShardError, match="holds token 1024"):
        official_data(copy, world.tokenizer())


def test_a_larger_tokenizer_than_the_data_set_names(world: World, copy: Path) -> None:
    other = Path(copy.rename(copy.with_name("fineweb10B_sp512")))
    with pytest.raises(ShardError, match="is of 512 tokens"):
        official_data(other, world.tokenizer())


def test_nothing_there(world: World, tmp_path: Path) -> None:
    with pytest.raises(ShardError, match="no folder"):
        official_data(tmp_path / "absent", world.tokenizer())
    with pytest.raises(ShardError, match="which data set"):
        official_data(tmp_path, world.tokenizer())
    with pytest.raises(ShardError, match="no tokenizer"):
        official_data(world.root, tmp_path / "absent.model")
    (tmp_path / "text.model").write_text("text")
    with pytest.raises(ShardError, match="no SentencePiece model"):
        official_data(world.root, tmp_path / "text.model")
