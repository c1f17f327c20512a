"""The miniature world: what scripts find in it, what the watcher may rely on, and how it is built."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import sentencepiece

from harness.worlds import NGRAM, World
from harness.worlds.layout import CASEOPS
from harness.worlds.miniature import miniature, prove_unique
from harness.worlds.shards import read_shard
from tests.worlds.conftest import Make

WORLDS = [
    (256, False),
    (260, False),
    (512, False),
    (1024, False),
    (8192, False),
    (8192, True),
    (16384, False),
]


def shards(world: World) -> list[list[int]]:
    return [
        read_shard(p).tolist()
        for p in sorted((world.root / world.layout.dataset).glob("fineweb_train_*.bin"))
    ]


def windows(tokens: list[int], n: int) -> list[tuple[int, ...]]:
    return [tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]


@pytest.mark.parametrize(("vocab_size", "caseops"), WORLDS)
def test_val_windows_are_unique_and_absent_from_train(
    make_world: Make, vocab_size: int, caseops: bool
) -> None:
    world = make_world(vocab_size, caseops=caseops)
    n = world.ngram
    ours = windows(world.val_stream().tolist(), n)
    assert len(set(ours)) == len(ours)
    train = shards(world)
    seams = [
        a[-(n - 1) :] + b[: n - 1] for a in train for b in train
    ]  # loaders cycle, and may shuffle shards
    for tokens in train + seams:
        assert set(ours).isdisjoint(windows(tokens, n))
    assert n == (NGRAM if vocab_size > 260 else 8)


@pytest.mark.parametrize(("vocab_size", "caseops"), WORLDS)
def test_streams(make_world: Make, vocab_size: int, caseops: bool) -> None:
    world = make_world(vocab_size, caseops=caseops)
    val = world.val_stream()
    assert len(val) == world.val_tokens == 8_193
    assert np.array_equal(np.load(world.root / "val_stream.npy"), val)
    assert np.load(world.root / "val_stream.npy").dtype == np.int32
    train = shards(world)
    assert len(train) >= 2
    assert sum(map(len, train)) == world.train_tokens == 65_536
    for tokens in (val.tolist(), *train):
        assert tokens[0] == world.bos_id
        assert max(tokens) < vocab_size
        lengths = np.diff([i for i, t in enumerate(tokens) if t == world.bos_id])
        assert lengths.min() > world.ngram
        assert lengths.max() > 4 * np.median(lengths) or vocab_size <= 512
    assert world.position_bytes().shape == val.shape


@pytest.mark.parametrize(("vocab_size", "caseops"), [(1024, False), (8192, True), (16384, False)])
def test_tokenizer_is_the_kind_the_challenge_uses(make_world: Make, vocab_size: int, caseops: bool) -> None:
    sp = sentencepiece.SentencePieceProcessor(
        model_file=str(make_world(vocab_size, caseops=caseops).tokenizer())
    )
    assert sp.vocab_size() == vocab_size
    assert (sp.pad_id(), sp.bos_id(), sp.eos_id(), sp.unk_id()) == (0, 1, 2, 3)
    assert sp.piece_to_id("\u2581") != sp.unk_id()
    assert sum(sp.is_byte(i) for i in range(vocab_size)) == 256
    assert not sp.id_to_piece(sp.encode("word")[0]).startswith("\u2581")  # no dummy prefix
    if caseops:
        assert [sp.id_to_piece(i) for i in range(4, 8)] == ["\ue001", "\ue002", "\ue003", "\ue004"]


def test_val_holds_byte_fallback_and_readable_text(make_world: Make) -> None:
    world = make_world(1024)
    sp = sentencepiece.SentencePieceProcessor(model_file=str(world.tokenizer()))
    assert any(sp.is_byte(int(t)) for t in world.val_stream())
    words = [w.strip(".,:;()") for w in world.decode(world.val_stream()).lower().split()]
    assert sum(words.count(w) for w in ("the", "of", "is", "a", "to", "and")) > 0.1 * len(words)
    assert world.decode(world.val_stream()[:200]).count("\n") == int((world.val_stream()[1:200] == 1).sum())


def test_capitals_come_back_in_caseops_text(make_world: Make) -> None:
    text = make_world(8192, caseops=True).decode(make_world(8192, caseops=True).val_stream())
    assert "The " in text
    assert not any(marker in text for marker in "\ue001\ue002\ue003\ue004")


@pytest.mark.parametrize(
    ("vocab_size", "caseops", "dataset", "tokenizer"),
    [
        (1024, False, "datasets/fineweb10B_sp1024", "tokenizers/fineweb_1024_bpe.model"),
        (8192, False, "datasets/fineweb10B_sp8192", "tokenizers/fineweb_8192_bpe.model"),
        (8192, True, f"datasets/fineweb10B_sp8192_{CASEOPS}", f"tokenizers/fineweb_8192_bpe_{CASEOPS}.model"),
        (260, False, "datasets/fineweb10B_byte260", "tokenizers/fineweb_pure_byte_260.json"),
        (256, False, "datasets/fineweb10B_bytes", "tokenizers/fineweb_pure_byte_256.json"),
    ],
)
def test_environment_names_what_is_there(
    make_world: Make, vocab_size: int, caseops: bool, dataset: str, tokenizer: str
) -> None:
    world = make_world(vocab_size, caseops=caseops)
    given = world.environment("/world")
    assert given["DATA_PATH"] == given["DATASETS_DIR"] == f"/world/{dataset}"
    assert given["TOKENIZER_PATH"] == f"/world/{tokenizer}"
    assert given["DATA_DIR"] == "/world/"
    assert given["VOCAB_SIZE"] == str(vocab_size)
    here = world.environment(str(world.root))
    assert Path(here["TOKENIZER_PATH"]).is_file()
    assert len(list(Path(here["DATA_PATH"]).glob("fineweb_val_[0-9]*.bin"))) == 1
    found = {name: sorted(Path("/").glob(here[name].lstrip("/"))) for name in ("TRAIN_FILES", "VAL_FILES")}
    assert len(found["TRAIN_FILES"]) >= 2
    assert [p.name for p in found["VAL_FILES"]] == ["fineweb_val_000000.bin"]


def test_caseops_files_lie_where_scripts_look(make_world: Make) -> None:
    """The default paths of #1729 (flat) and of #1736 and its heirs (nested), below DATA_DIR."""
    root = make_world(8192, caseops=True).root
    name = f"fineweb10B_sp8192_{CASEOPS}"
    nested = root / "datasets" / "fineweb10B_sp8192_caseops" / "datasets"
    for folder in (
        root / "datasets" / name,
        root / "datasets" / "fineweb10B_sp8192",
        nested / "datasets" / name,
    ):
        assert (folder / "fineweb_val_000000.bin").is_file()
        assert (folder / "fineweb_val_bytes_000000.bin").is_file()
    for folder in (root / "tokenizers", nested / "tokenizers"):
        assert (folder / f"fineweb_8192_bpe_{CASEOPS}.model").is_file()
    assert all(not os.readlink(p).startswith("/") for p in root.rglob("*") if p.is_symlink())


def test_manifest_agrees_with_the_files(make_world: Make) -> None:
    """As the first scripts of the challenge check it (`validate_dataset_tokenizer_pair`)."""
    world = make_world(1024)
    dataset = Path(world.environment(str(world.root))["DATA_PATH"]).resolve()
    manifest = json.loads((dataset.parents[1] / "manifest.json").read_text())
    (entry,) = [d for d in manifest["datasets"] if d["name"] == dataset.name]
    (tokenizer,) = [t for t in manifest["tokenizers"] if t["name"] == entry["tokenizer_name"]]
    assert Path(tokenizer["model_path"]).name == world.tokenizer().name
    assert entry["stats"]["files_train"] == len(list(dataset.glob("fineweb_train_*.bin")))


def small(cache: Path, seed: int = 0) -> World:
    return miniature(512, cache, val_tokens=2_048, train_tokens=16_384, seed=seed)


def contents(root: Path) -> dict[str, str]:
    files = (p for p in root.rglob("*") if p.is_file())
    return {str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_the_same_world_each_time_and_another_for_another_seed(tmp_path: Path) -> None:
    first, again, other = small(tmp_path / "a"), small(tmp_path / "b"), small(tmp_path / "b", seed=1)
    assert contents(first.root) == contents(again.root)
    assert not np.array_equal(first.val_stream(), other.val_stream())


def test_the_cache_is_used_and_a_damaged_world_is_built_anew(tmp_path: Path) -> None:
    world = small(tmp_path)
    before = contents(world.root)
    inode = world.root.stat().st_ino
    assert small(tmp_path) == world
    assert world.root.stat().st_ino == inode
    with open(world.root / world.layout.dataset / "fineweb_val_000000.bin", "r+b") as file:
        file.seek(2000)
        file.write(b"damage")
    assert small(tmp_path) == world
    assert contents(world.root) == before
    assert os.listdir(tmp_path) == [world.root.name]


def test_builders_may_race(tmp_path: Path) -> None:
    with ThreadPoolExecutor(3) as pool:
        worlds = list(pool.map(lambda _: small(tmp_path), range(3)))
    assert worlds[0] == worlds[1] == worlds[2]
    assert os.listdir(tmp_path) == [worlds[0].root.name]


def test_a_killed_builder_leaves_nothing_that_counts(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; from harness.worlds.miniature import miniature; "
        f"miniature(512, Path({str(tmp_path)!r}), val_tokens=2048, train_tokens=16384)"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[2]) as builder:
        deadline = time.monotonic() + 60
        while not any(tmp_path.glob(".*/datasets/*/fineweb_train_000000.bin")):
            assert time.monotonic() < deadline
            if builder.poll() is not None:  # it was faster than we: nothing left to kill
                break
        builder.send_signal(signal.SIGKILL)
    world = small(tmp_path)
    prove_unique(world.val_stream().tolist(), shards(world), world.ngram)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"vocab_size": 128}, "128"),
        ({"vocab_size": 300}, "subword vocabularies have 384 to 65536"),
        ({"vocab_size": 256, "caseops": True}, "256"),
        ({"val_tokens": 10}, "val tokens"),
        ({"train_tokens": 10}, "train tokens"),
    ],
)
def test_impossible_worlds(tmp_path: Path, arguments: dict[str, int], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        miniature(**{"vocab_size": 1024, "cache": tmp_path, **arguments})  # type: ignore[arg-type]
    assert not tmp_path.exists() or os.listdir(tmp_path) == []


def test_the_proof_can_fail() -> None:
    val = [1, 5, 6, 7, 8, 9, 10, 11]
    prove_unique(val, [[1, 20, 21, 22, 23]], 4)
    with pytest.raises(RuntimeError, match="twice in val"):
        prove_unique([*val, 5, 6, 7, 8], [[1, 20, 21, 22, 23]], 4)
    with pytest.raises(RuntimeError, match="in train"):
        prove_unique(val, [[1, 20, 5, 6, 7, 8]], 4)
    with pytest.raises(RuntimeError, match="in train"):  # only across the seam of two shards
        prove_unique(val, [[7, 8, 20, 20, 5, 6]], 4)
