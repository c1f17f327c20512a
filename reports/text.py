"""Text of strangers made harmless: what cannot be seen is shown, so that no report can be made to lie.

Submissions bring file names, log lines and code. Escape sequences, control characters, bidirectional
overrides and invisible characters would let them repaint a terminal or reorder a line; here each becomes a
visible stand-in.
"""

from __future__ import annotations

import unicodedata

_INVISIBLE = {"Cf", "Cs", "Co", "Zl", "Zp"}
_MOST_MARKS = 3


def plain(value: object, *, lines: bool = False) -> str:
    """One line of visible characters; with `lines`, line feeds are kept and tabs become four spaces."""
    out: list[str] = []
    marks = 0
    for char in str(value).replace("\r\n", "\n"):
        category = unicodedata.category(char)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if lines and char in "\n\t":
            out.append("\n" if char == "\n" else "    ")
        elif char in "\n\t":
            out.append(" ")
        elif marks <= _MOST_MARKS:
            out.append(_visible(char, category))
    return "".join(out)


def _visible(char: str, category: str) -> str:
    code = ord(char)
    if category == "Cc":
        return (
            chr(0x2400 + code) if code < 0x20 else ("\u2421" if code == 0x7F else f"\u27e8U+{code:04X}\u27e9")
        )
    return f"\u27e8U+{code:04X}\u27e9" if category in _INVISIBLE else char


def clip(value: object, most: int) -> str:
    """`plain`, cut to `most` characters with an ellipsis."""
    text = plain(value)
    return text if len(text) <= most else text[: most - 1] + "\u2026"
