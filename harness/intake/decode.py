"""Bytes of a script to text: byte order marks, coding cookies and line ends, as Python itself reads them."""

from __future__ import annotations

import codecs
import io
import tokenize

UTF16 = "It is written in UTF-16, which Python itself does not run."
BROKEN = "It is not valid text in the encoding that it declares: Python does not run it."
REFUSED = (UTF16, BROKEN)
"""What Python says no to before it reads a line."""


def decode_script(data: bytes) -> tuple[str, list[str]]:
    """The text with "\\n" newlines and no byte order mark, and one sentence for each oddity met."""
    for mark in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        if data.startswith(mark):
            return _newlines(data.decode("utf-16", "replace").lstrip("\ufeff")), [UTF16]
    notes: list[str] = []
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        text = data.decode(encoding)
    except (SyntaxError, UnicodeDecodeError, LookupError):
        notes.append(BROKEN)
        text = data.decode("utf-8", "replace")
    return _newlines(text.removeprefix("\ufeff")), notes


def _newlines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
