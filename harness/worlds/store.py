"""Worlds kept in a cache: built aside, sealed with checksums, renamed into place, checked whenever they are used."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sentencepiece

from harness.worlds.world import World

FORMAT = 1
"""Raise this when a world of the same specification comes out different."""
_ABANDONED_S = 3600.0


@dataclasses.dataclass(frozen=True)
class Specification:
    """Everything that a world depends on, besides the text and the trainer: equal ones give equal bytes.

    `val_tokens` and `train_tokens` are the lengths of the streams. Raises ValueError for sizes that no world has.
    """

    kind: str
    vocab_size: int
    caseops: bool
    val_tokens: int
    train_tokens: int
    seed: int

    def __post_init__(self) -> None:
        if not 256 <= self.val_tokens <= 65_536:
            raise ValueError(f"a {self.kind} world has 256 to 65536 val tokens, not {self.val_tokens}")
        if not 4_096 <= self.train_tokens <= 4_194_304:
            raise ValueError(f"a {self.kind} world has 4096 to 4194304 train tokens, not {self.train_tokens}")

    @property
    def name(self) -> str:
        """What reports call it."""
        return f"{self.kind}-{self.vocab_size}{'-caseops' if self.caseops else ''}"

    def record(self) -> dict[str, Any]:
        """It and the versions of what makes its text and its tokenizer, as world.json holds them."""
        versions = {
            "format": FORMAT,
            "python": sys.version.split()[0],
            "sentencepiece": sentencepiece.__version__,
        }
        return {**dataclasses.asdict(self), **versions}


def stored(cache: Path, specification: Specification, build: Callable[[Path, Specification], World]) -> World:
    """The world of this specification, from the cache or built into it by `build(root, specification)`.

    Builders may race or be killed; a damaged world is found by its checksums and built anew.
    """
    wanted = specification.record()
    digest = hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()[:12]
    home = cache / f"{specification.name}-{digest}"
    world = _load(home, wanted)
    if world is not None:
        return world
    cache.mkdir(parents=True, exist_ok=True)
    _sweep(cache)
    aside = cache / f".{home.name}.{uuid.uuid4().hex}"
    try:
        _seal(build(aside, specification), wanted)
        _put(aside, home, wanted)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    world = _load(home, wanted)
    if world is None:
        raise RuntimeError(f"the world just built in {home} does not read back")
    return world


def _load(home: Path, wanted: dict[str, Any]) -> World | None:
    """The world in this folder; None when there is none, or its files are not what its builder wrote."""
    try:
        record = json.loads((home / "world.json").read_text())
        if record["specification"] != wanted:
            return None
        if any(_checksum(home / name) != digest for name, digest in record["files"].items()):
            return None
        return World(root=home, **record["world"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _seal(world: World, wanted: dict[str, Any]) -> None:
    """Write down what the world is and the checksum of every file of it."""
    fields = {f.name: getattr(world, f.name) for f in dataclasses.fields(world) if f.name != "root"}
    paths = sorted(p for p in world.root.rglob("*") if p.is_file() and not p.is_symlink())
    files = {str(p.relative_to(world.root)): _checksum(p) for p in paths}
    record = {"specification": wanted, "world": fields, "files": files}
    (world.root / "world.json").write_text(json.dumps(record, indent=2) + "\n")


def _put(aside: Path, home: Path, wanted: dict[str, Any]) -> None:
    """Rename a finished world into place, moving a damaged one out of the way; whoever comes first wins."""
    if home.exists() and _load(home, wanted) is None:
        bad = home.with_name(f".{home.name}.{uuid.uuid4().hex}")
        home.rename(bad)
        shutil.rmtree(bad, ignore_errors=True)
    try:
        aside.rename(home)
    except OSError:
        if _load(home, wanted) is None:
            raise


def _sweep(cache: Path) -> None:
    """Remove what killed builders left behind."""
    for path in cache.glob(".*"):
        if path.is_dir() and time.time() - path.stat().st_mtime > _ABANDONED_S:
            shutil.rmtree(path, ignore_errors=True)


def _checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
