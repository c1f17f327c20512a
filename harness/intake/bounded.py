"""Decompression that cannot exhaust memory: every codec stops at a bound, however small its input is."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import brotli
import zstandard

MAX_BYTES = 8 * 1024 * 1024
"""Most bytes that one stage of a script may unpack to; real ones stay below 0.3 MB."""

_WORKING_MEMORY = 256 * 1024 * 1024


class TooLarge(Exception):
    """The data unpacks to more than the bound."""


class Corrupt(Exception):
    """The data is not what the codec expects."""


def unlzma(
    data: bytes, format: int = lzma.FORMAT_AUTO, filters: Sequence[Mapping[str, Any]] | None = None
) -> bytes:
    """Undo lzma.compress: auto, xz, alone or raw with its filters. Concatenated xz streams are all read."""
    if any(int(f.get("dict_size", 0)) > _WORKING_MEMORY for f in filters or ()):
        raise TooLarge(f"its lzma dictionary is larger than {_WORKING_MEMORY} bytes")
    memory = None if format == lzma.FORMAT_RAW else _WORKING_MEMORY
    out = b""
    while data:
        try:
            decoder = lzma.LZMADecompressor(
                format, memlimit=memory, filters=list(filters) if filters else None
            )
            out += _bounded(decoder.decompress(data, MAX_BYTES + 1 - len(out)), len(out))
        except (lzma.LZMAError, ValueError, TypeError, KeyError) as error:
            if out:
                break  # lzma.decompress ignores what follows the last stream
            raise Corrupt(f"lzma: {error}") from error
        if not decoder.eof:
            if format == lzma.FORMAT_RAW and out:
                break  # a raw stream need not carry an end mark
            raise Corrupt("lzma: the data ends before its end mark")
        data = decoder.unused_data
    return out


def inflate(data: bytes, wbits: int = zlib.MAX_WBITS) -> bytes:
    """Undo zlib.compress (wbits 15), a gzip member (31) or a raw deflate stream (-15)."""
    try:
        decoder = zlib.decompressobj(wbits)
        out = _bounded(decoder.decompress(data, MAX_BYTES + 1))
    except (zlib.error, ValueError) as error:
        raise Corrupt(f"zlib: {error}") from error
    if not decoder.eof:
        raise Corrupt("zlib: the data ends before its end mark")
    return out


def gunzip(data: bytes) -> bytes:
    """Undo gzip.compress."""
    return inflate(data, 16 + zlib.MAX_WBITS)


def unbz2(data: bytes) -> bytes:
    """Undo bz2.compress."""
    decoder = bz2.BZ2Decompressor()
    try:
        out = _bounded(decoder.decompress(data, MAX_BYTES + 1))
    except (OSError, ValueError) as error:
        raise Corrupt(f"bz2: {error}") from error
    if not decoder.eof:
        raise Corrupt("bz2: the data ends before its end mark")
    return out


def unbrotli(data: bytes) -> bytes:
    """Undo brotli.compress."""
    decoder = brotli.Decompressor()
    out, chunk = b"", data
    try:
        while not decoder.is_finished():
            piece = decoder.process(chunk, output_buffer_limit=MAX_BYTES + 1 - len(out))
            out += _bounded(piece, len(out))
            if not piece and not chunk:
                raise Corrupt("brotli: the data ends before its end mark")
            chunk = b""
    except brotli.error as error:
        raise Corrupt(f"brotli: {error}") from error
    return out


def unzstd(data: bytes) -> bytes:
    """Undo zstandard.compress."""
    try:
        decoder = zstandard.ZstdDecompressor(max_window_size=_WORKING_MEMORY // 2)
        with decoder.stream_reader(data) as reader:
            out = _bounded(reader.read(MAX_BYTES + 1))
    except zstandard.ZstdError as error:
        raise Corrupt(f"zstandard: {error}") from error
    if not out:
        raise Corrupt("zstandard: the data ends before its end mark")
    return out


def _bounded(piece: bytes, before: int = 0) -> bytes:
    if before + len(piece) > MAX_BYTES:
        raise TooLarge(f"it unpacks to more than {MAX_BYTES} bytes")
    return piece
