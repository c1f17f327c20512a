"""The pure functions that the static evaluator may call: decoders, bounded decompressors, strings and paths."""

from __future__ import annotations

import base64
import binascii
import codecs
import dataclasses
import io
import json
import lzma
import posixpath
from collections.abc import Callable
from typing import Any

from harness.intake import bounded
from harness.intake.values import FilePath, Unknown

FOLDER = "/place/place/place/submission"
"""Where the script seems to lie while its wrapper is evaluated."""

UNPACKED = FOLDER + "/unpacked"
"""Where a temporary folder of the wrapper seems to lie; intake lays out there what the wrapper writes."""

_MAX_RANGE = 100_000


@dataclasses.dataclass(frozen=True)
class Known:
    """A function that is safe to call on a stranger's data, and the name of the packing that it undoes."""

    call: Callable[..., Any]
    stage: str | None = None


@dataclasses.dataclass(frozen=True)
class Decoder:
    """A decompressor object; every one of them undoes its data in one call here."""

    call: Callable[[bytes], bytes]
    stage: str


def path_text(path: Any) -> str:
    """The text of a path, however it is held."""
    if isinstance(path, FilePath):
        return path.text
    if isinstance(path, str):
        return path
    raise Unknown("a path is not known")


def as_bytes(content: Any) -> bytes:
    """What a file holds after this was written to it."""
    if isinstance(content, str):
        return content.encode("utf-8", "surrogatepass")
    if isinstance(content, bytes | bytearray):
        return bytes(content)
    raise Unknown("it writes something that is not known")


def join(*parts: Any) -> str:
    """os.path.join, normalized so that files are found again."""
    return posixpath.normpath(posixpath.join(*(path_text(p) for p in parts)))


def _parents(path: str) -> list[str]:
    parents: list[str] = []
    while len(parents) < 20 and posixpath.dirname(path) != path:
        path = posixpath.dirname(path)
        parents.append(path)
    return parents


def bounded_product(left: Any, right: Any) -> Any:
    """Multiplication that cannot fill the memory."""
    for one, other in ((left, right), (right, left)):
        if isinstance(one, int) and hasattr(other, "__len__") and one * len(other) > bounded.MAX_BYTES:
            raise Unknown("a repetition is too long")
    if isinstance(left, int) and isinstance(right, int) and left.bit_length() + right.bit_length() > 4096:
        raise Unknown("a number is too large")
    return left * right


def _decompress_lzma(
    data: bytes, format: int = lzma.FORMAT_AUTO, memlimit: int | None = None, filters: Any = None
) -> bytes:
    return bounded.unlzma(data, format, filters)


def _decompress_zlib(data: bytes, /, wbits: int = 15, bufsize: int = 0) -> bytes:
    return bounded.inflate(data, wbits)


def _decode(data: bytes, encoding: str = "utf-8", errors: str = "strict") -> Any:
    codec = encoding.lower().replace("_", "-").removesuffix("-codec")
    if codec in _CODECS:
        return _CODECS[codec](data)
    return (
        bytes(data).decode(encoding, errors)
        if isinstance(data, bytes | bytearray)
        else codecs.decode(data, encoding)
    )


def _range(*bounds: int) -> list[int]:
    numbers = range(*bounds)
    if len(numbers) > _MAX_RANGE:
        raise Unknown("it counts too far")
    return list(numbers)


def _text(value: Any = "", *encoding: str) -> Any:
    if encoding:
        return _decode(value, *encoding)
    return value.text if isinstance(value, FilePath) else str(value)


def _make_bytes(*arguments: Any) -> bytes:
    if arguments and isinstance(arguments[0], int) and arguments[0] > bounded.MAX_BYTES:
        raise Unknown("a value is too long")
    return bytes(*arguments)


_CODECS: dict[str, Callable[[Any], Any]] = {
    "base64": lambda data: base64.b64decode(data),
    "hex": lambda data: binascii.unhexlify(data),
    "zlib": lambda data: bounded.inflate(data),
    "zip": lambda data: bounded.inflate(data),
    "bz2": lambda data: bounded.unbz2(data),
    "rot13": lambda data: codecs.decode(data, "rot13"),
    "rot-13": lambda data: codecs.decode(data, "rot13"),
}

KNOWN: dict[str, Known] = {
    "base64.b85decode": Known(base64.b85decode, "base85"),
    "base64.a85decode": Known(base64.a85decode, "ascii85"),
    "base64.b64decode": Known(base64.b64decode, "base64"),
    "base64.standard_b64decode": Known(base64.standard_b64decode, "base64"),
    "base64.urlsafe_b64decode": Known(base64.urlsafe_b64decode, "base64"),
    "base64.decodebytes": Known(base64.decodebytes, "base64"),
    "base64.b32decode": Known(base64.b32decode, "base32"),
    "base64.b16decode": Known(base64.b16decode, "hex"),
    "binascii.unhexlify": Known(binascii.unhexlify, "hex"),
    "binascii.a2b_hex": Known(binascii.unhexlify, "hex"),
    "binascii.a2b_base64": Known(binascii.a2b_base64, "base64"),
    "bytes.fromhex": Known(bytes.fromhex, "hex"),
    "bytearray.fromhex": Known(bytes.fromhex, "hex"),
    "lzma.decompress": Known(_decompress_lzma, "lzma"),
    "zlib.decompress": Known(_decompress_zlib, "zlib"),
    "bz2.decompress": Known(bounded.unbz2, "bz2"),
    "gzip.decompress": Known(bounded.gunzip, "gzip"),
    "brotli.decompress": Known(bounded.unbrotli, "brotli"),
    "zstandard.decompress": Known(bounded.unzstd, "zstandard"),
    "zlib.decompressobj": Known(lambda wbits=15: Decoder(lambda data: bounded.inflate(data, wbits), "zlib")),
    "bz2.BZ2Decompressor": Known(lambda: Decoder(bounded.unbz2, "bz2")),
    "lzma.LZMADecompressor": Known(
        lambda format=lzma.FORMAT_AUTO, memlimit=None, filters=None: Decoder(
            lambda data: bounded.unlzma(data, format, filters), "lzma"
        )
    ),
    "brotli.Decompressor": Known(lambda: Decoder(bounded.unbrotli, "brotli")),
    "zstandard.ZstdDecompressor": Known(lambda **_: Decoder(bounded.unzstd, "zstandard")),
    "codecs.decode": Known(_decode, "codec"),
    "json.loads": Known(json.loads),
    "io.BytesIO": Known(io.BytesIO),
    "str": Known(_text),
    "unused": Known(
        lambda *a: a[0] if len(a) == 1 and isinstance(a[0], str) else _decode(*a) if len(a) > 1 else str(a[0])
    ),
    "bytes": Known(_make_bytes),
    "bytearray": Known(_make_bytes),
    "bytes.maketrans": Known(bytes.maketrans),
    "str.maketrans": Known(str.maketrans),
    "str.join": Known(lambda separator, parts: _join(separator, parts)),
    "len": Known(len),
    "chr": Known(chr),
    "ord": Known(ord),
    "int": Known(int),
    "bool": Known(bool),
    "list": Known(list),
    "tuple": Known(tuple),
    "dict": Known(dict),
    "sorted": Known(sorted),
    "zip": Known(lambda *a: list(zip(*a, strict=False))),
    "enumerate": Known(lambda a: list(enumerate(a))),
    "reversed": Known(lambda a: list(reversed(a))),
    "range": Known(_range),
    "os.path.join": Known(join),
    "os.path.dirname": Known(lambda p: posixpath.dirname(path_text(p))),
    "os.path.basename": Known(lambda p: posixpath.basename(path_text(p))),
    "os.path.splitext": Known(lambda p: posixpath.splitext(path_text(p))),
    "os.path.abspath": Known(lambda p: path_text(p)),
    "os.path.realpath": Known(lambda p: path_text(p)),
    "os.fspath": Known(path_text),
    "pathlib.Path": Known(lambda *p: FilePath(join(*p) if p else ".")),
    "tempfile.mkdtemp": Known(lambda *a, **k: UNPACKED),
    "tempfile.gettempdir": Known(lambda: UNPACKED),
}

QUIET = frozenset(
    {"os.makedirs", "os.mkdir", "fcntl.flock", "os.chmod", "os.unlink", "os.remove", "linecache.checkcache"}
)
"""Calls that prepare or tidy up the place for the unpacked program and mean nothing once it is unpacked."""

BUILTINS = frozenset(
    {n for n in KNOWN if "." not in n}
    | {
        "exec",
        "eval",
        "compile",
        "open",
        "getattr",
        "globals",
        "locals",
        "vars",
        "map",
        "filter",
        "__import__",
    }
    | {"__builtins__", "setattr", "delattr", "print"}
)

CONSTANTS: dict[str, Any] = {
    **{f"lzma.{name}": getattr(lzma, name) for name in dir(lzma) if name.isupper()},
    "zlib.MAX_WBITS": 15,
    "os.sep": "/",
}

PATH_PROPERTIES: dict[str, Callable[[FilePath], Any]] = {
    "parent": lambda p: FilePath(posixpath.dirname(p.text)),
    "name": lambda p: posixpath.basename(p.text),
    "stem": lambda p: posixpath.splitext(posixpath.basename(p.text))[0],
    "parents": lambda p: [FilePath(parent) for parent in _parents(p.text)],
    "suffix": lambda p: posixpath.splitext(p.text)[1],
}

_PATH_METHODS: dict[str, Callable[..., Any]] = {
    "resolve": lambda p: p,
    "absolute": lambda p: p,
    "mkdir": lambda p, *a, **k: None,
    "joinpath": lambda p, *a: FilePath(join(p, *a)),
    "with_name": lambda p, name: FilePath(join(posixpath.dirname(p.text), name)),
    "with_suffix": lambda p, suffix: FilePath(posixpath.splitext(p.text)[0] + suffix),
    "as_posix": lambda p: p.text,
}

_TEXT_METHODS = frozenset(
    (
        *(
            "join",
            "replace",
            "split",
            "rsplit",
            "splitlines",
            "partition",
            "strip",
            "lstrip",
            "rstrip",
            "find",
        ),
        *(
            "removeprefix",
            "removesuffix",
            "startswith",
            "endswith",
            "index",
            "count",
            "lower",
            "upper",
            "swapcase",
        ),
        *("encode", "translate", "hex"),
    )
)


def method(owner: Any, name: str) -> Callable[..., Any] | None:
    """The method `name` of a value, if it is safe to call."""
    if isinstance(owner, FilePath):
        return _PATH_METHODS.get(name)
    if isinstance(owner, bytes | bytearray) and name == "decode":
        return lambda data, *a, **k: _decode(data, *a, **k)
    if isinstance(owner, str | bytes | bytearray) and name in _TEXT_METHODS:
        if name in ("replace", "join"):
            return _replace if name == "replace" else _join
        return lambda o, *a, **k: getattr(o, name)(*a, **k)
    if isinstance(owner, dict) and name in ("items", "values", "keys", "get"):
        return lambda o, *a: getattr(o, name)(*a) if name == "get" else list(getattr(o, name)())
    if isinstance(owner, list) and name in ("append", "reverse", "extend"):
        return lambda o, *a: getattr(o, name)(*a)
    if isinstance(owner, Decoder) and name in ("decompress", "process"):
        return lambda o, data: o.call(data)
    if isinstance(owner, io.BytesIO) and name in ("read", "getvalue"):
        return lambda o, *a: getattr(o, name)(*a)
    return None


def _join(separator: Any, parts: Any) -> Any:
    parts = list(parts)
    if sum(len(p) + len(separator) for p in parts) > bounded.MAX_BYTES:
        raise Unknown("a joined text is too long")
    return separator.join(parts)


def _replace(text: Any, old: Any, new: Any, *count: int) -> Any:
    if len(text) + text.count(old) * len(new) > bounded.MAX_BYTES:
        raise Unknown("a replacement makes the text too long")
    return text.replace(old, new, *count)
