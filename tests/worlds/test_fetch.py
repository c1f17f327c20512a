"""Fetching the official data from a folder: layout, checksums, what is kept, one sentence for each fault."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.worlds import World
from harness.worlds.fetch import FetchError, HuggingFace, fetch
from harness.worlds.fineweb import official_data
from harness.worlds.miniature import miniature


@dataclasses.dataclass
class Folder:
    """A source that counts what it is asked for."""

    root: Path
    asked: list[str] = dataclasses.field(default_factory=list)

    def get(self, name: str) -> Path:
        self.asked.append(name)
        if not (self.root / name).is_file():
            raise FetchError(f"{name} is not there")
        return self.root / name

    def checksums(self, names: Sequence[str]) -> dict[str, str]:
        return {n: hashlib.sha256((self.root / n).read_bytes()).hexdigest() for n in names}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return miniature(1024, tmp_path_factory.mktemp("worlds"), val_tokens=2_000, train_tokens=9_000)


@pytest.fixture
def source(world: World, tmp_path: Path) -> Folder:
    """The miniature world under the names of the published repository."""
    shutil.copytree(world.root, tmp_path / "remote" / "datasets")
    return Folder(tmp_path / "remote")


def test_what_is_fetched_is_laid_out_as_the_challenge_does(
    source: Folder, world: World, tmp_path: Path
) -> None:
    fetched = fetch("sp1024", tmp_path / "data", source, train_shards=2)
    data = official_data(tmp_path / "data", tmp_path / "data" / "tokenizers" / "fineweb_1024_bpe.model")
    assert (data.val_stream() == world.val_stream()).all()
    assert len(data.train) == 2
    counts = json.loads((tmp_path / "data" / "token_counts.json").read_text())
    assert counts["tokens_val"] == world.val_tokens
    assert counts["shards"] == {f.name: f.tokens for f in fetched if f.tokens}


def test_a_second_call_fetches_the_manifest_only(source: Folder, tmp_path: Path) -> None:
    fetch("sp1024", tmp_path / "data", source, train_shards=1)
    source.asked.clear()
    assert all(f.kept for f in fetch("sp1024", tmp_path / "data", source, train_shards=1))
    assert source.asked == ["datasets/manifest.json"]


def test_an_interrupted_call_is_continued(source: Folder, tmp_path: Path) -> None:
    lost = source.root / "datasets/datasets/fineweb10B_sp1024/fineweb_train_000001.bin"
    aside = lost.rename(lost.with_suffix(".away"))
    checksums = Folder.checksums
    source.checksums = lambda names: checksums(source, [n for n in names if not n.endswith("000001.bin")])  # type: ignore[method-assign]
    with pytest.raises(FetchError, match="000001"):
        fetch("sp1024", tmp_path / "data", source, train_shards=2)
    aside.rename(lost)
    kept = {f.name.rpartition("/")[2] for f in fetch("sp1024", tmp_path / "data", source, 2) if f.kept}
    assert kept == {"fineweb_val_000000.bin", "fineweb_train_000000.bin"}


def test_a_damaged_file_is_fetched_again(source: Folder, tmp_path: Path) -> None:
    fetch("sp1024", tmp_path / "data", source, train_shards=1)
    model = tmp_path / "data" / "tokenizers" / "fineweb_1024_bpe.model"
    good = model.read_bytes()
    model.unlink()
    model.write_bytes(good[:-1])
    again = fetch("sp1024", tmp_path / "data", source, train_shards=1)
    assert [f.name for f in again if not f.kept] == ["tokenizers/fineweb_1024_bpe.model"]
    assert model.read_bytes() == good


def test_a_source_that_sends_something_else_is_an_error(source: Folder, tmp_path: Path) -> None:
    source.checksums = lambda names: dict.fromkeys(names, "0" * 64)  # type: ignore[method-assign]
    with pytest.raises(FetchError, match="SHA-256"):
        fetch("sp1024", tmp_path / "data", source, train_shards=1)
    assert not list((tmp_path / "data").rglob("*.bin"))


def test_token_counts_are_held_against_the_manifest(source: Folder, tmp_path: Path) -> None:
    manifest = source.root / "datasets" / "manifest.json"
    told = json.loads(manifest.read_text())
    told["datasets"][0]["stats"]["tokens_val"] += 1
    manifest.write_text(json.dumps(told))
    with pytest.raises(FetchError, match="2,000 tokens, the manifest says 2,001"):
        fetch("sp1024", tmp_path / "data", source, train_shards=1)


@pytest.mark.parametrize(
    ("variant", "train", "sentence"),
    [
        ("gpt2", 1, "no variant"),
        ("sp4096", 1, "has no fineweb10B_sp4096"),
        ("sp1024", 9, "has 4 training shards"),
    ],
)
def test_what_is_not_there(source: Folder, tmp_path: Path, variant: str, train: int, sentence: str) -> None:
    with pytest.raises(FetchError, match=sentence):
        fetch(variant, tmp_path / "data", source, train)


def test_a_manifest_that_leads_elsewhere_is_refused(source: Folder, tmp_path: Path) -> None:
    manifest = source.root / "datasets" / "manifest.json"
    told = json.loads(manifest.read_text())
    told["tokenizers"][0]["model_path"] = "tokenizers/../../outside.model"
    manifest.write_text(json.dumps(told))
    with pytest.raises(FetchError, match="below tokenizers/"):
        fetch("sp1024", tmp_path / "data", source, train_shards=1)


def test_without_the_client_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(FetchError, match="pip install"):
        HuggingFace().get("datasets/manifest.json")


def test_offline_one_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    class Client:
        @staticmethod
        def hf_hub_download(*args: object, **kwargs: object) -> str:
            raise OSError("no route to host\nlong explanation")

    monkeypatch.setitem(sys.modules, "huggingface_hub", Client)
    with pytest.raises(FetchError, match=r"OSError: no route to host\. Without a network"):
        HuggingFace().get("datasets/manifest.json")
