"""A world: the data that a script is run on, and what the harness knows of it beforehand."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import numpy.typing as npt
import sentencepiece

from harness.worlds import caseops as case_transform
from harness.worlds.bytetable import ByteTable, byte_level_table, sentencepiece_table
from harness.worlds.layout import Layout, layout
from harness.worlds.shards import Tokens, read_stream

NGRAM = 4
"""So many consecutive val tokens tell their position, in any world of subword tokens."""


@dataclasses.dataclass(frozen=True)
class World:
    """Shards, tokenizer and val stream below `root`, which is laid out as the challenge's `data/` folder.

    `val_tokens` and `train_tokens` are lengths of the streams, BOS included. Each window of `ngram`
    consecutive val tokens occurs once in val and nowhere in train. `root/val_stream.npy` holds the val stream
    as int32.
    """

    name: str
    root: Path
    vocab_size: int
    caseops: bool
    val_tokens: int
    train_tokens: int
    bos_id: int
    ngram: int = NGRAM

    @property
    def layout(self) -> Layout:
        """Where the files lie below the root."""
        return layout(self.vocab_size, self.caseops)

    def environment(self, mount: str) -> dict[str, str]:
        """The variables by which scripts find data and tokenizer, with the root visible at `mount`."""
        return self.layout.environment(mount, self.vocab_size)

    def val_stream(self) -> Tokens:
        """The val tokens [val_tokens], all shards in name order."""
        return read_stream(self.root / self.layout.dataset, "fineweb_val_[0-9]*.bin")

    def tokenizer(self) -> Path:
        """The tokenizer file: a SentencePiece model, in byte-level worlds a JSON file."""
        return self.root / self.layout.tokenizer

    def byte_lengths(self) -> ByteTable:
        """The true bytes of each token, by the challenge's rule."""
        if self._is_byte_level:
            return byte_level_table(self.vocab_size, specials=self.vocab_size - 256)
        return sentencepiece_table(self._processor())

    def position_bytes(self) -> npt.NDArray[np.int64]:
        """The bytes [val_tokens] that each position counts: by the table, in CaseOps worlds by the sidecar."""
        if self.caseops:
            return read_stream(self.root / self.layout.dataset, "fineweb_val_bytes_*.bin").astype(np.int64)
        return self.byte_lengths().position_bytes(self.val_stream())

    def decode(self, ids: npt.ArrayLike) -> str:
        """Readable text of some tokens; each document begins a line."""
        tokens = np.asarray(ids, dtype=np.int64)
        documents = np.split(tokens, np.flatnonzero(tokens == self.bos_id))
        texts = [self._decode(d[d != self.bos_id]) for d in documents if d.size]
        return "\n".join(texts)

    def _decode(self, tokens: npt.NDArray[np.int64]) -> str:
        if self._is_byte_level:
            values = tokens - (self.vocab_size - 256)
            return bytes(values[values >= 0].tolist()).decode("utf-8", errors="replace")
        text = self._processor().decode(tokens.tolist())
        return case_transform.decode(text) if self.caseops else str(text)

    @property
    def _is_byte_level(self) -> bool:
        return self.tokenizer().suffix == ".json"

    def _processor(self) -> sentencepiece.SentencePieceProcessor:
        return sentencepiece.SentencePieceProcessor(model_file=str(self.tokenizer()))
