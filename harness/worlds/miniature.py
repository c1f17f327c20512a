"""The built-in world: real text, a tokenizer trained on it, tiny shards; built in seconds, kept in a cache.

Every window of n consecutive val tokens (n is the world's `ngram`) occurs once in val and nowhere in train,
the seams between train shards included, so that val tokens tell their positions by content.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import shutil
import sys
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import sentencepiece

from harness.worlds import caseops as case_transform
from harness.worlds.alphabet import Alphabet, alphabet
from harness.worlds.bytetable import sentencepiece_table
from harness.worlds.shards import Tokens, write_shard
from harness.worlds.text import documents
from harness.worlds.unique import Stream, Window, windows
from harness.worlds.world import NGRAM, World

FORMAT = 1
"""Raise this when a world of the same parameters comes out different."""
TRAIN_SHARDS = 4
BYTE_NGRAM = 8
"""Windows of a byte-level world: four bytes of English are never new."""


def miniature(
    vocab_size: int,
    cache: Path,
    *,
    val_tokens: int = 16_385,
    train_tokens: int = 262_144,
    caseops: bool = False,
    seed: int = 0,
) -> World:
    """The miniature world of these sizes, from the cache or built into it. ValueError: no such world exists.

    Built aside and renamed into place, so builders may race or be killed; a damaged one is found by its
    checksums and built anew.
    """
    wanted = _specification(vocab_size, val_tokens, train_tokens, caseops, seed)
    digest = hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()[:12]
    home = cache / f"{wanted['name']}-{digest}"
    world = _load(home, wanted)
    if world is not None:
        return world
    cache.mkdir(parents=True, exist_ok=True)
    aside = cache / f".{home.name}.{uuid.uuid4().hex}"
    try:
        _build(aside, wanted)
        _put(aside, home, wanted)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    world = _load(home, wanted)
    if world is None:
        raise RuntimeError(f"the world just built in {home} does not read back")
    return world


def _specification(
    vocab_size: int, val_tokens: int, train_tokens: int, caseops: bool, seed: int
) -> dict[str, object]:
    """Everything that a world depends on; equal specifications give equal bytes."""
    if not 256 <= val_tokens <= 65_536:
        raise ValueError(f"a miniature world has 256 to 65536 val tokens, not {val_tokens}")
    if not 4_096 <= train_tokens <= 4_194_304:
        raise ValueError(f"a miniature world has 4096 to 4194304 train tokens, not {train_tokens}")
    return {
        "name": f"miniature-{vocab_size}{'-caseops' if caseops else ''}",
        "vocab_size": vocab_size,
        "caseops": caseops,
        "val_tokens": val_tokens,
        "train_tokens": train_tokens,
        "seed": seed,
        "format": FORMAT,
        "python": sys.version.split()[0],
        "sentencepiece": sentencepiece.__version__,
    }


def _load(home: Path, wanted: dict[str, object]) -> World | None:
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


def _put(aside: Path, home: Path, wanted: dict[str, object]) -> None:
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


def _build(root: Path, wanted: dict[str, object]) -> None:
    vocab_size, caseops = int(str(wanted["vocab_size"])), bool(wanted["caseops"])
    texts = documents(int(str(wanted["seed"])))
    letters = alphabet(vocab_size, texts, caseops=caseops)
    n = NGRAM if ".model" in letters.files else BYTE_NGRAM
    encoded = [ids for text in texts if len(ids := letters.encode(text)) >= n]
    taken: set[Window] = set()
    rest = iter(encoded)
    val = _fill(Stream(letters, n, taken, own=True), rest, int(str(wanted["val_tokens"])), n)
    train = _train_shards(letters, n, taken, list(rest), int(str(wanted["train_tokens"])))
    prove_unique(val, train, n)
    world = World(
        name=str(wanted["name"]),
        root=root,
        vocab_size=vocab_size,
        caseops=caseops,
        val_tokens=len(val),
        train_tokens=sum(map(len, train)),
        bos_id=letters.bos_id,
        ngram=n,
    )
    _write(world, letters, np.array(val, dtype=np.uint16), [np.array(s, dtype=np.uint16) for s in train])
    _seal(world, wanted)


def _fill(stream: Stream, texts: Iterator[list[int]], size: int, n: int) -> list[int]:
    """Grow the stream to exactly `size` tokens; each document, a cut one too, has at least n after BOS."""
    for ids in texts:
        room = size - len(stream.tokens) - 1
        if 0 < room - len(ids) <= n:
            ids = ids[: -(n + 1)]
        if len(ids) < n:
            continue
        stream.append(ids[:room])
        if len(stream.tokens) == size:
            return stream.tokens
    raise ValueError(f"the built-in text gives {len(stream.tokens)} tokens, {size} were asked for")


def _train_shards(
    letters: Alphabet, n: int, taken: set[Window], texts: list[list[int]], size: int
) -> list[list[int]]:
    """Shards of whole documents, the text repeated as often as it takes; any shard may follow any other."""
    source = itertools.cycle(texts)
    sizes = [size * (i + 1) // TRAIN_SHARDS - size * i // TRAIN_SHARDS for i in range(TRAIN_SHARDS)]
    streams = [Stream(letters, n, taken, own=False) for _ in sizes]
    for stream, length in zip(streams, sizes, strict=True):
        _fill(stream, source, length, n)
    for stream in streams:
        stream.seal([other.tokens for other in streams])
    return [stream.tokens for stream in streams]


def prove_unique(val: Sequence[int], shards: Sequence[Sequence[int]], n: int) -> None:
    """Raises RuntimeError unless each window of n val tokens is once in val and never in train, seams too."""
    ours = windows(val, n)
    if len(set(ours)) != len(ours):
        raise RuntimeError(f"a window of {n} val tokens comes twice in val")
    seams = [[*a[-n + 1 :], *b[: n - 1]] for a in shards for b in shards]
    if any(not set(ours).isdisjoint(windows(tokens, n)) for tokens in (*shards, *seams)):
        raise RuntimeError(f"a window of {n} val tokens comes in train")


def _write(world: World, letters: Alphabet, val: Tokens, train: Sequence[Tokens]) -> None:
    """Shards, sidecar, tokenizer files, manifest and links."""
    names = world.layout
    dataset, tokenizer = world.root / names.dataset, world.root / names.tokenizer
    dataset.mkdir(parents=True)
    tokenizer.parent.mkdir(parents=True)
    for i, tokens in enumerate(train):
        write_shard(dataset / f"fineweb_train_{i:06d}.bin", tokens)
    write_shard(dataset / "fineweb_val_000000.bin", val)
    np.save(world.root / "val_stream.npy", val.astype(np.int32))
    for suffix, data in letters.files.items():
        tokenizer.with_suffix(suffix).write_bytes(data)
    if world.caseops:
        write_shard(dataset / "fineweb_val_bytes_000000.bin", _original_bytes(tokenizer)[val])
    (world.root / "manifest.json").write_text(json.dumps(_manifest(world, len(train)), indent=2) + "\n")
    names.link(world.root)


def _original_bytes(model: Path) -> npt.NDArray[np.int64]:
    """Bytes of original text [vocab_size] that each token of a CaseOps model stands for."""
    processor = sentencepiece.SentencePieceProcessor(model_file=str(model))
    table = sentencepiece_table(processor)
    pieces = [processor.id_to_piece(i) for i in range(processor.vocab_size())]
    spelled = np.array([case_transform.original_bytes(piece) for piece in pieces], dtype=np.int64)
    whole = table.is_boundary | np.array([processor.is_byte(i) for i in range(len(pieces))])
    return np.where(whole, table.base_bytes, spelled)


def _manifest(world: World, shards: int) -> dict[str, object]:
    """What the challenge's manifest.json says of this data: the first scripts check themselves against it."""
    names = world.layout
    name = Path(names.dataset).name
    stats = {
        "files_train": shards,
        "files_val": 1,
        "tokens_train": world.train_tokens,
        "tokens_val": world.val_tokens,
    }
    return {
        "datasets": [{"name": name, "path": names.dataset, "tokenizer_name": name, "stats": stats}],
        "tokenizers": [{"name": name, "model_path": names.tokenizer}],
    }


def _seal(world: World, wanted: dict[str, object]) -> None:
    """Write down what the world is and the checksum of every file of it."""
    fields = {f.name: getattr(world, f.name) for f in dataclasses.fields(world) if f.name != "root"}
    paths = sorted(p for p in world.root.rglob("*") if p.is_file() and not p.is_symlink())
    files = {str(p.relative_to(world.root)): _checksum(p) for p in paths}
    record = {"specification": wanted, "world": fields, "files": files}
    (world.root / "world.json").write_text(json.dumps(record, indent=2) + "\n")


def _checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
