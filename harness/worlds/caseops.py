"""CaseOps: capitals written as markers before lower-case words, as scripts since April do, and undone again.

Over each run of ASCII letters: a capitalized word becomes TITLE + lower case, an all-capital word of two
letters or more ALLCAPS + lower case, and any other capital CAPNEXT + its lower-case letter. Markers stand for
no byte of the original text; every other character stands for its own.
"""

from __future__ import annotations

import re

TITLE, ALLCAPS, CAPNEXT, ESCAPE = "\ue001", "\ue002", "\ue003", "\ue004"
MARKERS = (TITLE, ALLCAPS, CAPNEXT, ESCAPE)

_WORD = re.compile(r"[A-Za-z]+")
_MARKED = re.compile(f"([{TITLE}{ALLCAPS}{CAPNEXT}])([a-z]*)")


def encode(text: str) -> str:
    """The text with markers for its capitals. Raises ValueError when it holds a marker already."""
    if any(marker in text for marker in MARKERS):
        raise ValueError("the text holds a CaseOps marker character")
    return _WORD.sub(lambda m: _encode_word(m.group()), text)


def _encode_word(word: str) -> str:
    if word.islower():
        return word
    if word.isupper() and len(word) > 1:
        return ALLCAPS + word.lower()
    head = TITLE + word[0].lower() if word[0].isupper() else word[0]
    return head + "".join(CAPNEXT + c.lower() if c.isupper() else c for c in word[1:])


def decode(text: str) -> str:
    """The text with its capitals back; a marker with no letter after it vanishes."""
    return _MARKED.sub(lambda m: _decode_word(m.group(1), m.group(2)), text).replace(ESCAPE, "")


def _decode_word(marker: str, letters: str) -> str:
    return letters.upper() if marker == ALLCAPS else letters[:1].upper() + letters[1:]


def original_bytes(piece: str) -> int:
    """UTF-8 bytes of the original text that a piece (U+2581 for a space) stands for."""
    text = piece.replace("\u2581", " ")
    return sum(len(c.encode()) for c in text if c not in MARKERS)
