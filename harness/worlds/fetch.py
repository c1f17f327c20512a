"""Fetches the official shards: the layout, names and checks of the challenge's own downloader, and checksums besides.

Source of the names: data/cached_challenge_fineweb.py of the challenge. A manifest lists the data sets with their numbers of
shards and their tokenizers; val is always whole, train a prefix.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import json
import os
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from harness.worlds.fineweb import checked
from harness.worlds.shards import ShardError

REPOSITORY = "willdepueoai/parameter-golf"
PREFIX = "datasets"
TRAIN_SHARDS = 80
_VARIANT = re.compile(r"sp\d+|byte260")


class FetchError(Exception):
    """The data cannot be fetched; the sentence says why and what helps."""


class Source(Protocol):
    """Where the files lie. Both raise FetchError where the source cannot be reached or has no such file."""

    def get(self, name: str) -> Path:
        """A local copy of one file; an interrupted download is continued."""

    def checksums(self, names: Sequence[str]) -> dict[str, str]:
        """SHA-256 of those files for which the source knows it."""


@dataclasses.dataclass(frozen=True)
class Fetched:
    """One file: its place below the data folder, bytes, tokens (None for what is no shard), whether it was there."""

    name: str
    bytes: int
    tokens: int | None
    kept: bool


def fetch(
    variant: str,
    data: Path,
    source: Source,
    train_shards: int = TRAIN_SHARDS,
    progress: Callable[[str], None] = lambda name: None,
) -> list[Fetched]:
    """Fetch a variant ("sp1024", "byte260") into `data`, laid out as the challenge's folder; writes token_counts.json.

    Whole files are kept, damaged ones fetched again. Raises FetchError; what was fetched before stays.
    """
    if not _VARIANT.fullmatch(variant):
        raise FetchError(
            f"there is no variant {variant!r}: name byte260 or sp and the vocabulary, such as sp1024"
        )
    data.mkdir(parents=True, exist_ok=True)
    _put(source.get(f"{PREFIX}/manifest.json"), data / "manifest.json")
    dataset, tokenizer = _entries(data / "manifest.json", f"fineweb10B_{variant}")
    shards, limit = _shards(dataset, train_shards), int(dataset["stats"]["files_train"])
    if train_shards > limit:
        raise FetchError(f"{variant} has {limit} training shards, {train_shards} were asked for")
    names = [*shards, *_tokenizer_files(tokenizer)]
    sums = source.checksums([f"{PREFIX}/{n}" for n in names])
    fetched = []
    for name in names:
        progress(name)
        fetched.append(_one(source, data, name, sums.get(f"{PREFIX}/{name}")))
    _check_counts(dataset, fetched, whole=train_shards == limit)
    counts = {f.name: f.tokens for f in fetched if f.tokens is not None}
    told = {
        "variant": variant,
        "repository": getattr(source, "repository", None),
        "tokens_val": sum(n for name, n in counts.items() if "_val_" in name),
        "tokens_train": sum(n for name, n in counts.items() if "_train_" in name),
        "shards": counts,
    }
    aside = data / "token_counts.json.part"
    aside.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    os.replace(aside, data / "token_counts.json")
    return fetched


def _entries(manifest: Path, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """(data set, tokenizer) of the manifest."""
    try:
        listed = json.loads(manifest.read_text(encoding="utf-8"))
        dataset = next((d for d in listed["datasets"] if d["name"] == name), None)
        if dataset is None:
            known = ", ".join(str(d["name"]) for d in listed["datasets"])
            raise FetchError(f"the manifest has no {name}; it has {known}")
        tokenizer = next((t for t in listed["tokenizers"] if t["name"] == dataset["tokenizer_name"]), None)
    except (ValueError, KeyError, TypeError) as error:
        raise FetchError(f"{manifest.name} is not the challenge's manifest") from error
    if tokenizer is None:
        raise FetchError(f"the manifest has no tokenizer {dataset['tokenizer_name']}")
    return dataset, tokenizer


def _shards(dataset: dict[str, Any], train: int) -> list[str]:
    folder = f"datasets/{dataset['name']}"
    val = [f"{folder}/fineweb_val_{i:06d}.bin" for i in range(int(dataset["stats"]["files_val"]))]
    return val + [f"{folder}/fineweb_train_{i:06d}.bin" for i in range(train)]


def _tokenizer_files(tokenizer: dict[str, Any]) -> list[str]:
    """Its files; only those below tokenizers/ are taken."""
    paths = [str(tokenizer[k]) for k in ("model_path", "vocab_path", "path") if tokenizer.get(k)]
    if not paths or any(Path(p).parts[:1] != ("tokenizers",) or ".." in Path(p).parts for p in paths):
        raise FetchError(f"the manifest names no files below tokenizers/ for {tokenizer.get('name')}")
    return paths


def _one(source: Source, data: Path, name: str, digest: str | None) -> Fetched:
    """One file in its place, checked; fetched unless a good copy is there."""
    place = data / name
    kept = place.is_file() and not place.is_symlink() and _fault(place, digest) is None
    if not kept:
        _put(source.get(f"{PREFIX}/{name}"), place)
        fault = _fault(place, digest)
        if fault is not None:
            place.unlink()
            raise FetchError(f"{name} was fetched and is damaged: {fault}. Fetch again")
    tokens = checked(place) if place.suffix == ".bin" else None
    return Fetched(name, place.stat().st_size, tokens, kept)


def _fault(place: Path, digest: str | None) -> str | None:
    """What is wrong with a file: its header, or its checksum."""
    if place.suffix == ".bin":
        try:
            checked(place)
        except ShardError as error:
            return str(error)
    if digest is None:
        return None
    with place.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    return None if found == digest else f"its SHA-256 is {found[:16]}..., the source says {digest[:16]}..."


def _put(copy: Path, place: Path) -> None:
    """A real file in its place: a link to the client's cache where the file system allows, else a copy."""
    real = copy.resolve(strict=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    aside = place.with_name(place.name + ".part")
    aside.unlink(missing_ok=True)
    try:
        os.link(real, aside)
    except OSError:
        shutil.copyfile(real, aside)
    os.replace(aside, place)


def _check_counts(dataset: dict[str, Any], fetched: list[Fetched], *, whole: bool) -> None:
    """Raises FetchError where val (and train, if all of it was fetched) has not the tokens that the manifest states."""
    for kind, complete in (("val", True), ("train", whole)):
        stated = dataset["stats"].get(f"tokens_{kind}")
        found = sum(f.tokens or 0 for f in fetched if f"fineweb_{kind}_" in f.name)
        if complete and stated is not None and int(stated) != found:
            raise FetchError(f"the {kind} shards hold {found:,} tokens, the manifest says {int(stated):,}")


@dataclasses.dataclass(frozen=True)
class HuggingFace:
    """The challenge's repository on Hugging Face; `repository` may be another with the same layout."""

    repository: str = REPOSITORY

    def get(self, name: str) -> Path:
        """See Source.get; the client keeps partial downloads and continues them."""
        hub = _client()
        folder, _, file = name.rpartition("/")
        try:
            return Path(
                hub.hf_hub_download(
                    self.repository, filename=file, subfolder=folder or None, repo_type="dataset"
                )
            )
        except Exception as error:
            raise FetchError(self._told(name, error)) from error

    def checksums(self, names: Sequence[str]) -> dict[str, str]:
        """See Source.checksums: files in large-file storage carry theirs."""
        try:
            found = _client().HfApi().get_paths_info(self.repository, list(names), repo_type="dataset")
        except Exception as error:
            raise FetchError(self._told("the checksums", error)) from error
        return {f.path: f.lfs.sha256 for f in found if getattr(f, "lfs", None) is not None}

    def _told(self, name: str, error: Exception) -> str:
        first = (str(error).strip().split("\n") or [""])[0][:200]
        return (
            f"{name} cannot be fetched from huggingface.co/datasets/{self.repository}: {type(error).__name__}: {first}. "
            "Without a network, copy a data/ folder here and name it with --data"
        )


def _client() -> Any:
    try:
        return importlib.import_module("huggingface_hub")
    except ImportError as error:
        raise FetchError(
            "data fetch needs huggingface_hub: pip install -c constraints.txt -e '.[data]'"
        ) from error
