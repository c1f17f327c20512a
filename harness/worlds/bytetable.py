"""How many bytes of text a token stands for, by the challenge's rule: the denominator of bits per byte.

A piece counts its UTF-8 bytes without the leading U+2581; that leading space counts one byte more unless the
previous token is a boundary (control, unknown or unused: no text of its own). A byte-fallback token counts
one byte.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt
import sentencepiece

SPACE = "\u2581"


@dataclasses.dataclass(frozen=True)
class ByteTable:
    """Tables [vocab_size]: bytes without a leading space, whether it has one, whether it is a boundary."""

    base_bytes: npt.NDArray[np.int16]
    has_leading_space: npt.NDArray[np.bool_]
    is_boundary: npt.NDArray[np.bool_]

    def position_bytes(self, tokens: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Bytes [n] of each token given its predecessor; before the first one a boundary is taken."""
        ids = np.asarray(tokens, dtype=np.int64)
        after_boundary = np.concatenate([[True], self.is_boundary[ids[:-1]]])[: ids.size]
        spaces: npt.NDArray[np.int64] = (self.has_leading_space[ids] & ~after_boundary).astype(np.int64)
        return self.base_bytes[ids] + spaces


def sentencepiece_table(processor: sentencepiece.SentencePieceProcessor) -> ByteTable:
    """The table of a SentencePiece model."""
    size = processor.vocab_size()
    base = np.zeros(size, dtype=np.int16)
    space = np.zeros(size, dtype=np.bool_)
    boundary = np.zeros(size, dtype=np.bool_)
    for token in range(size):
        if processor.is_control(token) or processor.is_unknown(token) or processor.is_unused(token):
            boundary[token] = True
        elif processor.is_byte(token):
            base[token] = 1
        else:
            piece = processor.id_to_piece(token)
            space[token] = piece.startswith(SPACE)
            base[token] = len(piece.removeprefix(SPACE).encode())
    return ByteTable(base, space, boundary)


def byte_level_table(vocab_size: int, specials: int) -> ByteTable:
    """The table of a byte-level alphabet: `specials` boundary tokens, then one token per byte."""
    boundary = np.arange(vocab_size) < specials
    return ByteTable((~boundary).astype(np.int16), np.zeros(vocab_size, dtype=np.bool_), boundary)
