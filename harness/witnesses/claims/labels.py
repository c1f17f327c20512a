"""Finds the claimed line in what a run printed, also where the run spells its label a little differently.

A log may come from a neighbouring build: blanks around a number, another compressor or bit width in the label.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from harness.witnesses.claims.log import label_of

_FORMAT = re.compile(
    r"(?:u?int\d*|int\d+\w?|fp\d+|bf16|q\d+|\d+bit|mixed|ternary|quant(?:ized)?|gptq|zlib|zstd|brotli|lzma|lz4|ptz"
    r"|per|row|plus)"
)
_SCORES = {"val", "loss", "bpb", "eval", "time", "ms", "s"}


def _spelling(label: str) -> tuple[str, ...]:
    """The words of a label: blanks and punctuation between them say nothing."""
    return tuple(re.findall(r"[a-z][\w./-]*", label.lower()))


def _role(label: str) -> tuple[str, ...]:
    """The words that say which evaluation it is, without the format of the artifact; empty where hardly any is left."""
    words = [w for w in re.split(r"[\W_]+", label.lower()) if w and not _FORMAT.fullmatch(w)]
    return tuple(words) if len(set(words) - _SCORES) >= 2 else ()


def _numberless(label: str) -> tuple[str, ...]:
    """The words of a label without the numbers in them: a run at small scale has others (`slide512`)."""
    return tuple(re.sub(r"\d+", "#", word) for word in _spelling(label))


_READINGS: tuple[Callable[[str], tuple[str, ...]], ...] = (
    lambda label: (label,),
    _spelling,
    _numberless,
    _role,
)


def _says_more(other: str, label: str) -> bool:
    """Whether a label begins like the claimed one and has all its words in their order, among others."""
    wanted, words = _spelling(label), _spelling(other)
    left = iter(words)
    named = bool(wanted) and wanted[0] not in _SCORES and words[:1] == wanted[:1]
    return named and all(word in left for word in wanted)


def claimed_test(label: str, printed: Iterable[str]) -> Callable[[str], bool]:
    """A test of a printed line: is it the one that `label` names? `printed` are all lines of the run.

    The strictest reading of the label that names a line of the run holds; a looser one only where it names one label. Last
    comes a line that says all that the claimed one says and more (a build with one setting more to print).
    """
    labels = {label_of(line) for line in printed}
    for reading in _READINGS:
        wanted = reading(label)
        meant = {other for other in labels if wanted and reading(other) == wanted}
        if len(meant) == 1:
            return lambda line, meant=meant: label_of(line) in meant  # type: ignore[misc]
    fuller = {other for other in labels if _says_more(other, label)}
    if len(fuller) == 1:
        return lambda line: label_of(line) in fuller
    return lambda line: label_of(line) == label
