"""Compressors at their fast settings: sizes at this scale are no evidence, and the best ones take seconds.

What is compressed and by which method stays; only the effort changes, and any decompressor reads the result.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import lzma
from typing import Any

LZMA_PRESET = 1
BROTLI_QUALITY = 4
ZSTD_LEVEL = 3


def install() -> None:
    """Lower the effort of lzma, brotli and zstandard where the script asks for more."""
    module: Any = lzma
    compressor = module.LZMACompressor

    def gentle_compressor(
        format: int = lzma.FORMAT_XZ, check: int = -1, preset: Any = None, filters: Any = None
    ) -> Any:
        return compressor(format, check, **_gentle(preset, filters))

    def compress(
        data: Any, format: int = lzma.FORMAT_XZ, check: int = -1, preset: Any = None, filters: Any = None
    ) -> Any:
        stream = gentle_compressor(format, check, preset, filters)
        return stream.compress(data) + stream.flush()

    module.LZMACompressor, module.compress = gentle_compressor, compress
    if importlib.util.find_spec("brotli") is not None:
        brotli: Any = importlib.import_module("brotli")
        brotli.compress = _at_most(brotli.compress, "quality", BROTLI_QUALITY)
    if importlib.util.find_spec("zstandard") is not None:
        zstandard: Any = importlib.import_module("zstandard")
        zstandard.ZstdCompressor = _at_most(zstandard.ZstdCompressor, "level", ZSTD_LEVEL)


def _gentle(preset: Any, filters: Any) -> dict[str, Any]:
    if filters is None:
        return {"preset": LZMA_PRESET if preset is None else min(preset & 31, LZMA_PRESET)}
    return {"filters": [_gentle_filter(f) for f in filters]}


def _gentle_filter(chosen: dict[str, Any]) -> dict[str, Any]:
    """The same filter with a small preset; what it says of the format (literal and position bits) stays."""
    if chosen["id"] not in (lzma.FILTER_LZMA1, lzma.FILTER_LZMA2):
        return chosen
    format_bits = {k: v for k, v in chosen.items() if k in ("lc", "lp", "pb", "dict_size")}
    return {"id": chosen["id"], "preset": LZMA_PRESET} | format_bits


def _at_most(function: Any, name: str, most: int) -> Any:
    """The function with its argument `name` (the first after the data, or the first of a constructor) limited."""

    @functools.wraps(function, updated=())
    def limited(*args: Any, **kwargs: Any) -> Any:
        if name in kwargs:
            kwargs[name] = min(kwargs[name], most)
        elif name == "level" and args:
            args = (min(args[0], most), *args[1:])
        elif name == "quality":
            kwargs[name] = most
        return function(*args, **kwargs)

    return limited
