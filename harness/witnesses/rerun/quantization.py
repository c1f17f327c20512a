"""What quantization did to the weights, tensor by tensor, and reference quantizers on the same weights as a yardstick."""

from __future__ import annotations

import dataclasses
import io
import json
import zlib
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import zstandard

from harness.witnesses.rerun.weights import Array

ZSTD_LEVEL = 19
CLIP_QUANTILE = 99.99984
"""The challenge's baseline clips each row at this percentile of its absolute values before it scales to int8."""
KEEP_FLOAT = 65_536
"""The baseline keeps tensors of up to so many elements as float16."""


@dataclasses.dataclass(frozen=True)
class TensorError:
    """One tensor before and after: shape, elements, largest and root mean square difference, the latter also relative to
    the root mean square of the float tensor; `levels` is how many different values the decoded tensor has in its richest
    row (up to 4096 rows are looked at), `bits` their base-2 logarithm, `share` the tensor's part of the bits so counted.
    """

    name: str
    shape: tuple[int, ...]
    elements: int
    largest: float
    rms: float
    relative: float
    levels: int
    bits: float
    share: float


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Float weights beside decoded ones. `unmatched` are names or shapes that only one of them has."""

    tensors: tuple[TensorError, ...]
    unmatched: tuple[str, ...]
    relative: float
    bits_per_weight: float | None

    @property
    def same(self) -> bool:
        """Whether nothing was changed: the float weights were not the ones before quantization."""
        return bool(self.tensors) and all(t.largest == 0.0 for t in self.tensors)


@dataclasses.dataclass(frozen=True)
class Yardstick:
    """A reference quantizer: its name, its compressed bytes, bits per weight, relative error of its weights."""

    name: str
    compressor: str
    bytes: int
    bits_per_weight: float
    relative: float


def compare(
    floats: Mapping[str, Array], decoded: Mapping[str, Array], artifact_bytes: int | None
) -> Comparison:
    """What changed from `floats` to `decoded`. Bits per weight are the artifact's bits over the elements compared."""
    names = [n for n in floats if n in decoded and floats[n].shape == decoded[n].shape and floats[n].size]
    unmatched = sorted((floats.keys() | decoded.keys()) - set(names))
    rows = [_row(name, floats[name], decoded[name]) for name in names]
    total = sum(r.bits * r.elements for r in rows)
    rows = [dataclasses.replace(r, share=r.bits * r.elements / total if total else 0.0) for r in rows]
    energy = sum(_energy(floats[name]) for name in names)
    noise = sum(r.rms**2 * r.elements for r in rows)
    elements = sum(r.elements for r in rows)
    bits = 8 * artifact_bytes / elements if artifact_bytes and elements else None
    return Comparison(tuple(rows), tuple(unmatched), (noise / energy) ** 0.5 if energy else 0.0, bits)


def _row(name: str, before: Array, after: Array) -> TensorError:
    old, new = np.asarray(before, np.float64), np.asarray(after, np.float64)
    difference = np.abs(new - old)
    rms, scale = float(np.sqrt(np.mean(difference**2))), float(np.sqrt(np.mean(old**2)))
    levels = _levels(new)
    return TensorError(
        name=name,
        shape=tuple(before.shape),
        elements=int(before.size),
        largest=float(difference.max()),
        rms=rms,
        relative=rms / scale if scale else 0.0,
        levels=levels,
        bits=float(np.log2(max(levels, 1))),
        share=0.0,
    )


def _energy(tensor: Array) -> float:
    return float(np.sum(np.asarray(tensor, np.float64) ** 2))


def _levels(tensor: npt.NDArray[np.float64]) -> int:
    """Different values in the richest row of a matrix; of everything in a vector or scalar."""
    rows = tensor.reshape(-1, tensor.shape[-1]) if tensor.ndim > 1 else tensor.reshape(1, -1)
    ordered = np.sort(rows[:4096], axis=1)
    return int((np.diff(ordered, axis=1) != 0).sum(1).max(initial=0)) + 1


def reference(name: str, floats: Mapping[str, Array]) -> tuple[Yardstick, dict[str, Array]]:
    """The yardstick "int8" (per row, zlib level 9, as the challenge's baseline) or "int6" (per row, packed, zstd), and its
    decoded weights.
    """
    top = {"int8": 127, "int6": 31}[name]
    codes: dict[str, Array] = {}
    decoded: dict[str, Array] = {}
    for key, tensor in floats.items():
        decoded[key] = _quantized(key, np.asarray(tensor), top, codes)
    data = _bundle(codes)
    if name == "int8":
        packed, compressor = zlib.compress(data, 9), "zlib 9"
    else:
        packed, compressor = zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress(data), f"zstd {ZSTD_LEVEL}"
    elements = sum(int(t.size) for t in floats.values())
    relative = compare(floats, decoded, None).relative
    return Yardstick(name, compressor, len(packed), 8 * len(packed) / max(elements, 1), relative), decoded


def _quantized(key: str, tensor: Array, top: int, codes: dict[str, Array]) -> Array:
    """The decoded form of one tensor; its codes and scales go into `codes`."""
    if tensor.dtype.kind != "f":
        codes[key] = tensor
        return tensor
    values = tensor.astype(np.float32)
    if (values.size <= KEEP_FLOAT and values.ndim < 2) or values.ndim == 0 or not values.size:
        codes[key] = values.astype(np.float16)
        return codes[key].astype(np.float32)
    rows = values.reshape(-1, values.shape[-1]) if values.ndim > 1 else values.reshape(1, -1)
    clip = np.quantile(np.abs(rows), CLIP_QUANTILE / 100, axis=1, keepdims=True)
    scale = np.maximum(clip / top, 1.0 / top**2).astype(np.float16)
    scale = np.maximum(scale, np.float16(6e-8))
    step = scale.astype(np.float32)
    whole = np.clip(np.rint(np.clip(rows, -clip, clip) / step), -top, top).astype(np.int8)
    codes[key] = whole if top > 31 else _packed(whole)
    codes[f"{key}.scale"] = scale
    back: Array = (whole.astype(np.float32) * step).reshape(values.shape)
    return back


def _packed(whole: npt.NDArray[np.int8]) -> Array:
    """Six-bit codes, four in three bytes."""
    flat = (whole.reshape(-1).astype(np.int32) + 32).astype(np.uint32)
    four = np.concatenate([flat, np.zeros(-flat.size % 4, np.uint32)]).reshape(-1, 4)
    word = four[:, 0] | four[:, 1] << 6 | four[:, 2] << 12 | four[:, 3] << 18
    return np.stack([word & 255, word >> 8 & 255, word >> 16 & 255], 1).astype(np.uint8)


def _bundle(codes: Mapping[str, Array]) -> bytes:
    """All codes behind an index of names, shapes and types."""
    index = json.dumps([[n, str(a.dtype), list(a.shape)] for n, a in codes.items()]).encode()
    out = io.BytesIO()
    out.write(len(index).to_bytes(4, "little") + index)
    for array in codes.values():
        out.write(np.ascontiguousarray(array).tobytes())
    return out.getvalue()
