"""The official data on disk: a folder of real shards and a tokenizer, checked before anything runs on them."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import sentencepiece

from harness.worlds.alphabet import BOS
from harness.worlds.bytetable import SPACE, ByteTable, byte_level_table, sentencepiece_table
from harness.worlds.layout import BYTES_AND_SPECIALS, RAW_BYTES, Layout, layout
from harness.worlds.shards import HEADER_INTS, MAGIC, VERSION, ShardError, Tokens

Shards = tuple[tuple[Path, int], ...]
"""(file, tokens) in name order."""


@dataclasses.dataclass(frozen=True)
class OfficialData:
    """Shards of one data set and its tokenizer; bodies stay on disk until they are asked for."""

    dataset: Path
    tokenizer: Path
    vocab_size: int
    bos_id: int
    caseops: bool
    val: Shards
    train: Shards

    @property
    def val_tokens(self) -> int:
        """Length of the val stream, BOS included."""
        return sum(n for _, n in self.val)

    @property
    def layout(self) -> Layout:
        """The names under which scripts look for this data."""
        return layout(self.vocab_size, self.caseops)

    def val_stream(self) -> Tokens:
        """The val tokens [val_tokens], memory-mapped where there is one shard."""
        parts = [body(path, tokens) for path, tokens in self.val]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def byte_table(self) -> ByteTable:
        """The true bytes of each token, from the tokenizer itself."""
        if self.tokenizer.suffix == ".json":
            return byte_level_table(self.vocab_size, specials=self.vocab_size - RAW_BYTES)
        return sentencepiece_table(sentencepiece.SentencePieceProcessor(model_file=str(self.tokenizer)))

    def pieces(self) -> list[str]:
        """The text of each token [vocab_size], a leading space as such; bytes and specials by their names."""
        if self.tokenizer.suffix == ".json":
            specials = self.vocab_size - RAW_BYTES
            return [f"<{i}>" if i < specials else repr(chr(i - specials)) for i in range(self.vocab_size)]
        processor = sentencepiece.SentencePieceProcessor(model_file=str(self.tokenizer))
        return [processor.id_to_piece(i).replace(SPACE, " ") for i in range(self.vocab_size)]

    def target_bytes(self) -> npt.NDArray[np.int64]:
        """Bytes [val_tokens - 1] that each target counts; in CaseOps data by the sidecar of original bytes."""
        if self.caseops:
            sidecar = [body(p, n) for p, n in shards(self.dataset, "fineweb_val_bytes_*.bin")]
            return np.concatenate(sidecar).astype(np.int64)[1:]
        return self.byte_table().position_bytes(self.val_stream())[1:]

    def fingerprint(self) -> list[list[object]]:
        """Names and sizes of the files, for telling whether a resumed run has the same data."""
        files = [*(p for p, _ in self.val), *(p for p, _ in self.train), self.tokenizer]
        return [[p.name, p.stat().st_size] for p in files]


def official_data(data: Path, tokenizer: Path) -> OfficialData:
    """The data set in `data` (its folder, or a `data/` folder laid out as the challenge's) with this tokenizer.

    Raises ShardError with one sentence for whatever is wrong: a missing folder or tokenizer, a file that is no shard, a
    token outside the vocabulary.
    """
    vocab_size, bos_id = _vocabulary(tokenizer)
    dataset = _dataset(data, vocab_size)
    named = re.search(r"_sp(\d+)", dataset.name)
    if named and int(named[1]) != vocab_size:
        raise ShardError(
            f"{dataset.name} is of {named[1]} tokens, and {tokenizer.name} knows {vocab_size}: another tokenizer made it"
        )
    val = shards(dataset, "fineweb_val_[0-9]*.bin")
    found = OfficialData(
        dataset=dataset,
        tokenizer=tokenizer,
        vocab_size=vocab_size,
        bos_id=bos_id,
        caseops=any(dataset.glob("fineweb_val_bytes_*.bin")),
        val=val,
        train=shards(dataset, "fineweb_train_[0-9]*.bin", needed=False),
    )
    for path, tokens in val:
        largest = int(body(path, tokens).max(initial=0))
        if largest >= vocab_size:
            raise ShardError(
                f"{path.name} holds token {largest}, and {tokenizer.name} knows {vocab_size}: "
                "another tokenizer made these shards"
            )
    if found.caseops and sum(n for _, n in shards(dataset, "fineweb_val_bytes_*.bin")) != found.val_tokens:
        raise ShardError(f"the byte sidecar in {dataset.name} has another length than the val shards")
    return found


def shards(folder: Path, pattern: str, *, needed: bool = True) -> Shards:
    """(file, tokens) of every shard that matches, in name order. Raises ShardError where one is damaged or missing."""
    paths = sorted(folder.glob(pattern))
    if needed and not paths:
        raise ShardError(f"no shard matches {pattern} in {folder}")
    return tuple((path, checked(path)) for path in paths)


def checked(path: Path) -> int:
    """How many tokens a shard holds. Raises ShardError unless its header and its size agree; reads the header only."""
    size = path.stat().st_size
    if size < 4 * HEADER_INTS:
        raise ShardError(f"{path.name} has {size} bytes, a header alone has {4 * HEADER_INTS}")
    header = np.fromfile(path, dtype="<i4", count=HEADER_INTS)
    if header[0] != MAGIC:
        raise ShardError(f"{path.name} begins with {header[0]}, a shard with {MAGIC}")
    if header[1] != VERSION:
        raise ShardError(f"{path.name} is of version {header[1]}, known is {VERSION}")
    count = int(header[2])
    if size != 4 * HEADER_INTS + 2 * count:
        held = (size - 4 * HEADER_INTS) / 2
        raise ShardError(f"{path.name}: its header says {count} tokens, it holds {held:g}")
    return count


def body(path: Path, tokens: int) -> Tokens:
    """The tokens [n] of a checked shard, memory-mapped."""
    return np.memmap(path, dtype="<u2", mode="r", offset=4 * HEADER_INTS, shape=(tokens,))


def _vocabulary(tokenizer: Path) -> tuple[int, int]:
    """(tokens, id of BOS) of a tokenizer file."""
    if not tokenizer.is_file():
        raise ShardError(f"there is no tokenizer {tokenizer}")
    if tokenizer.suffix == ".json":
        try:
            size = int(json.loads(tokenizer.read_text(encoding="utf-8"))["vocab_size"])
        except (ValueError, KeyError, TypeError) as error:
            raise ShardError(f"{tokenizer.name} states no vocab_size") from error
        if size not in (RAW_BYTES, BYTES_AND_SPECIALS):
            raise ShardError(f"{tokenizer.name} is no byte-level tokenizer of 256 or 260 tokens")
        return size, BOS if size == BYTES_AND_SPECIALS else ord("\n")
    try:
        processor = sentencepiece.SentencePieceProcessor(model_file=str(tokenizer))
    except (RuntimeError, OSError) as error:
        raise ShardError(f"{tokenizer.name} is no SentencePiece model") from error
    return processor.vocab_size(), processor.bos_id()


def _dataset(data: Path, vocab_size: int) -> Path:
    """The folder with the val shards: `data` itself, or the one below `data/datasets` that is of this vocabulary."""
    if not data.is_dir():
        raise ShardError(f"there is no folder {data}")
    if any(data.glob("fineweb_val_[0-9]*.bin")):
        return data
    found = list(_with_val(data / "datasets"))
    named = [f for f in found if str(vocab_size) in f.name] or found
    if len(named) != 1:
        names = ", ".join(f.name for f in found) or "none"
        raise ShardError(
            f"which data set is meant in {data}? Those with val shards: {names}. Name one as --data"
        )
    return named[0]


def _with_val(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.glob("*")):
        if not path.is_symlink() and any(path.glob("fineweb_val_[0-9]*.bin")):
            yield path
