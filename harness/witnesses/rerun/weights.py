"""Reads and writes named tensors in the safetensors layout: a stranger's file, so every number in it is checked."""

from __future__ import annotations

import json
import math
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

MAX_HEADER = 16 * 2**20
_TYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U8": "u1",
    "BOOL": "?",
}

Array = npt.NDArray[Any]


class WeightsError(Exception):
    """A file of weights cannot be read; the sentence says why."""


def read_weights(path: Path) -> dict[str, Array]:
    """The tensors of a file, memory-mapped; bfloat16 becomes float32. Raises WeightsError for what is no such file."""
    if path.is_symlink() or not path.is_file():
        raise WeightsError(f"{path.name} is missing")
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(8)
        length = struct.unpack("<Q", head)[0] if len(head) == 8 else 0
        if not 2 <= length <= min(MAX_HEADER, size - 8):
            raise WeightsError(f"{path.name} has no header of tensors")
        try:
            entries = json.loads(file.read(length))
            found = {str(name): _tensor(path, 8 + length, size, entry) for name, entry in entries.items()}
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
            raise WeightsError(f"{path.name} has a damaged header") from error
    return found


def _tensor(path: Path, start: int, size: int, entry: Any) -> Array:
    kind = _TYPES[entry["dtype"]]
    shape = tuple(int(n) for n in entry["shape"])
    begin, end = (int(o) for o in entry["data_offsets"])
    wanted = math.prod(shape) * np.dtype(kind).itemsize
    if min(shape, default=0) < 0 or begin < 0 or end - begin != wanted or start + end > size:
        raise ValueError("offsets")
    if wanted == 0:
        return np.empty(shape, dtype=kind)
    raw: Array = np.memmap(path, dtype=kind, mode="r", offset=start + begin, shape=shape)
    if entry["dtype"] == "BF16":
        return (raw.astype("<u4") << 16).view("<f4")
    return raw


def write_weights(path: Path, tensors: Mapping[str, Array]) -> None:
    """Write arrays of float32 (others as their own type where the format has it) under their names."""
    names = {np.dtype(kind): name for name, kind in _TYPES.items() if name != "BF16"}
    header: dict[str, Any] = {}
    parts, offset = [], 0
    for name, tensor in tensors.items():
        data = np.ascontiguousarray(tensor).tobytes()
        header[name] = {
            "dtype": names[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [offset, offset + len(data)],
        }
        offset += len(data)
        parts.append(data)
    text = json.dumps(header).encode()
    aside = path.with_name(path.name + ".part")
    aside.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(parts))
    os.replace(aside, path)
