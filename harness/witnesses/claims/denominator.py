"""What a log tells of the bytes behind a score besides loss and tokens: a count, a constant, the training loss."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterable, Sequence

from harness.case import Evidence
from harness.witnesses.claims.log import Log, Printed, ScoreLine, Size

_BYTES = re.compile(
    r"(?i)(?<![a-z_])(?:(?:val|eval|scored|text)_)?bytes\s?[:=]\s?(\d{1,3}(?:,\d{3}){1,4}|\d{5,12})\b"
)
_TOKENS = re.compile(
    r"(?i)(?<![a-z_])(?:scored|eval(?:uated)?)_tokens\s?[:=]\s?(\d{1,3}(?:,\d{3}){1,4}|\d{3,12})\b"
)
_PER_TOKEN = re.compile(r"(?i)bytes[_ ]per[_ ]token(?:_mean|_avg)?")
_TRAIN_LOSS = re.compile(
    r"(?i)(?<!val_)(?<!val )(?<!eval_)(?<!eval )(?<![a-z])(?:train[_ ])?loss[\"']?\s{0,3}[:=]?\s{0,3}(\d{1,2}\.\d{2,8})"
)
_STEP = re.compile(r"(?i)^\s*(?:step|iter)?[\s:=\[]{0,5}\d{1,8}\s?/\s?\d{1,8}\b")
_BOUND = re.compile(
    r"(?i)(?:\w{1,20}_)?max_(?:eval_|val_)?(?:windows|docs|documents|seqs|sequences|batches|chunks)"
    r"|(?:eval|val)_(?:max|limit|subset|sample)\w{0,20}"
)
_LAST = 5
"""The median of so many readings stands for the training loss at the end: one batch varies by some per cent."""

_LIKE = 0.02


def scored_bytes(line: ScoreLine, sizes: Iterable[Size]) -> int | None:
    """The bytes that the score line itself says it was taken over; None where its count may be that of the artifact."""
    match = _BYTES.search(line.text)
    if match is None:
        return None
    count = int(match[1].replace(",", ""))
    alike = any(abs(size.bytes / count - 1.0) <= _LIKE for size in sizes)
    return None if alike and "tokens" not in line.text else count


def scored_tokens(line: ScoreLine) -> int | None:
    """The tokens that the score line itself says were scored."""
    match = _TOKENS.search(line.text)
    return int(match[1].replace(",", "")) if match else None


def fixed_per_token(settings: Sequence[Printed], until: int) -> tuple[float, int] | None:
    """(bytes per token, line) where the log prints such a number as a setting before the score; None where it does not."""
    for printed in settings:
        if printed.line >= until:
            break
        name = printed.key.rpartition(".")[2]
        if _PER_TOKEN.fullmatch(name) and re.fullmatch(r"\d\.\d{1,12}", printed.value):
            return float(printed.value), printed.line
    return None


def bounded(settings: Sequence[Printed], until: int) -> int | None:
    """The line before the score that prints a bound on how much is evaluated (max_windows: 16); None where none does."""
    for printed in settings:
        if printed.line >= until:
            break
        if _BOUND.fullmatch(printed.key) and re.fullmatch(r"[1-9]\d{0,11}", printed.value):
            return printed.line
    return None


def is_step_with_loss(text: str) -> bool:
    """Whether a line tells of a training step and its loss."""
    return _STEP.match(text) is not None and _TRAIN_LOSS.search(text) is not None


def training_loss(log: Log, outer: Iterable[tuple[int, str]], until: int) -> tuple[float, Evidence] | None:
    """(nats per token, the last line) of the training loss at the end of the run that scored at line `until`."""
    found = [
        (float(m[1]), n)
        for n, text in outer
        if n <= until and _STEP.match(text) and (m := _TRAIN_LOSS.search(text)) is not None
    ][-_LAST:]
    if len(found) < _LAST:
        return None
    return statistics.median(v for v, _ in found), log.evidence(found[-1][1])
