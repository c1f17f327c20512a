"""The challenge's shard format: a header of 256 little-endian int32, then the tokens as little-endian uint16.

The header holds the magic number, the version and the token count; the rest is zero (`write_datafile` of the
challenge's data/download_hf_docs_and_tokenize.py).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

MAGIC = 20240520
VERSION = 1
HEADER_INTS = 256

Tokens = npt.NDArray[np.uint16]


class ShardError(Exception):
    """A file is not a shard: the sentence names the file and what is wrong with it."""


def write_shard(path: Path, tokens: npt.ArrayLike) -> None:
    """Write tokens [n] as one shard. Raises ShardError when a value does not fit into uint16."""
    values = np.asarray(tokens)
    if values.size and (values.min() < 0 or values.max() >= 2**16):
        raise ShardError(f"{path.name}: a token is outside 0..65535")
    header = np.zeros(HEADER_INTS, dtype="<i4")
    header[:3] = MAGIC, VERSION, values.size
    path.write_bytes(header.tobytes() + values.astype("<u2").tobytes())


def read_shard(path: Path) -> Tokens:
    """The tokens [n] of one shard. Raises ShardError when header and size do not agree."""
    data = path.read_bytes()
    header = np.frombuffer(data, dtype="<i4", count=min(HEADER_INTS, len(data) // 4))
    if header.size < HEADER_INTS or header[0] != MAGIC or header[1] != VERSION:
        raise ShardError(f"{path.name}: not a shard of the challenge (magic {MAGIC}, version {VERSION})")
    count = int(header[2])
    body = data[4 * HEADER_INTS :]
    if len(body) != 2 * count:
        raise ShardError(f"{path.name}: its header says {count} tokens, it holds {len(body) / 2:g}")
    return np.frombuffer(body, dtype="<u2").astype(np.uint16)


def read_stream(folder: Path, pattern: str) -> Tokens:
    """All shards that match, concatenated in name order. Raises ShardError when there is none."""
    paths = sorted(folder.glob(pattern))
    if not paths:
        raise ShardError(f"no shard matches {pattern} in {folder.name}")
    return np.concatenate([read_shard(p) for p in paths])
