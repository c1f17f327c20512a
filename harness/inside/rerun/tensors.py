"""Named tensors in one file, in the safetensors layout: length of the header, header as JSON, raw little-endian data.

It needs no package and no pickle, so the outside can read what a stranger's process wrote.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

NAMES = {
    "float64": "F64",
    "float32": "F32",
    "float16": "F16",
    "bfloat16": "BF16",
    "int64": "I64",
    "int32": "I32",
    "int16": "I16",
    "int8": "I8",
    "uint8": "U8",
    "bool": "BOOL",
}


def save(path: Path, tensors: Mapping[str, torch.Tensor]) -> list[str]:
    """Write the tensors under their names, whole or not at all; returns the names of those that have no plain form."""
    header: dict[str, Any] = {}
    parts, left_out, offset = [], [], 0
    for name, tensor in tensors.items():
        kind = NAMES.get(str(getattr(tensor, "dtype", "")).removeprefix("torch."))
        if kind is None or tensor.layout != torch.strided:
            left_out.append(name)
            continue
        plain = tensor.detach().cpu().contiguous().reshape(-1)
        data = plain.view(torch.uint8).numpy().tobytes()
        header[name] = {
            "dtype": kind,
            "shape": list(tensor.shape),
            "data_offsets": [offset, offset + len(data)],
        }
        offset += len(data)
        parts.append(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    aside = path.with_name(path.name + ".part")
    with aside.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for data in parts:
            file.write(data)
    os.replace(aside, path)
    return left_out


def load(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a file, on the CPU, under the types they were saved with."""
    data = path.read_bytes()
    (size,) = struct.unpack_from("<Q", data)
    types = {kind: getattr(torch, name) for name, kind in NAMES.items()}
    # The emulator lets bfloat16 stand for float32; two bytes a number stay two bytes a number.
    found: dict[str, torch.Tensor] = {}
    for name, entry in json.loads(data[8 : 8 + size]).items():
        begin, end = (8 + size + int(o) for o in entry["data_offsets"])
        raw = torch.frombuffer(bytearray(data[begin:end]), dtype=torch.uint8) if end > begin else None
        if raw is None:
            tensor = torch.empty(0, dtype=types[entry["dtype"]])
        elif entry["dtype"] == "BF16" and types["BF16"].itemsize != 2:
            tensor = (raw.view(torch.int16).to(torch.int32) << 16).view(torch.float32)
        else:
            tensor = raw.view(types[entry["dtype"]])
        found[name] = tensor.reshape(entry["shape"])
    return found
