"""Bytes of a script to text: byte order marks, coding cookies and line ends, as Python itself reads them."""

from __future__ import annotations

import codecs
import io
import tokenize


def decode_script(data: bytes) -> tuple[str, list[str]]:
    """The text with "\\n" newlines and no byte order mark, and one sentence for each oddity met."""
    notes: list[str] = []
    for mark, encoding in ((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")):
        if data.startswith(mark):
            notes.append(
                "It is written in UTF-16, which Python itself does not run; it was read all the same."
            )
            return _newlines(data.decode(encoding, "replace").lstrip("\ufeff")), notes
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        text = data.decode(encoding)
    except (SyntaxError, UnicodeDecodeError, LookupError):
        notes.append("It is not valid text in the encoding it declares; undecodable bytes were replaced.")
        text = data.decode("utf-8", "replace")
    return _newlines(text.removeprefix("\ufeff")), notes


def _newlines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
