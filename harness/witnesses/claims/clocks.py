"""Steps and clocks that papers give for one seed, in columns and fields of many spellings, beside what its logs print."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from harness.case import Evidence
from harness.witnesses.claims.log import Log

_TITLES = {
    "steps": re.compile(r"(?:train(?:ing)?[_ ]|stop[_ ])?steps?|step_stop"),
    "train time": re.compile(
        r"train(?:ing)?(?:[_ ](?:time|stop|timer|wallclock|loop))?(?:[_ ]\(?(?:s|ms|seconds)\)?)?"
    ),
    "eval time": re.compile(
        r"(?:ttt[_ ])?(?:eval|ttt)(?:[_ ](?:time|timer))?(?:[_ ]\(?(?:s|ms|seconds)\)?)?"
    ),
}
_TIME = re.compile(
    r"(\d{1,3}(?:,\d{3})+|\d{1,9})(?:\.(\d{1,4}))?\s?(ms|s|sec|seconds)?(?: ?[\u2705\u2713\u2714]\ufe0f?)?"
)
_COUNT = re.compile(r"\d{1,3}(?:,\d{3})+|\d{1,8}")
_STEP = re.compile(r"(?i)(?:step[:\s]{1,2}|^\s*)(\d{1,8})/(\d{1,8})\b")
_WHOLE_MS = 10_000
"""A time without a unit is in milliseconds from here on: no run takes so many seconds."""

_NEAR = 0.005
_MOST = 60


def kind_of(title: str) -> str | None:
    """ "steps", "train time" or "eval time" where the title of a column, or the name of a field, says so and no more."""
    return next((kind for kind, pattern in _TITLES.items() if pattern.fullmatch(title.lower())), None)


def amount(kind: str, title: str, cell: str) -> tuple[float, float] | None:
    """(value, unit of its last digit), in steps or milliseconds; None where the cell holds more than the number."""
    if kind == "steps":
        return (float(cell.replace(",", "")), 1.0) if _COUNT.fullmatch(cell) else None
    match = _TIME.fullmatch(cell)
    if match is None:
        return None
    digits, decimals = match[1].replace(",", ""), match[2] or ""
    value = float(f"{digits}.{decimals or 0}")
    in_ms = match[3] == "ms" or (
        match[3] is None and (re.search(r"\bms\b|_ms", title.lower()) or value >= _WHOLE_MS)
    )
    scale = 1.0 if in_ms else 1000.0
    return value * scale, scale * 10.0 ** -len(decimals)


def contradiction(kind: str, value: float, unit: float, own: Sequence[Log]) -> tuple[float, Evidence] | None:
    """What the logs of the seed print nearest to the number, where they print such numbers and none that is it.

    Steps are compared where a log tells the last one; times are equal within half a per cent, or where evaluations one
    after another take that long together.
    """
    printed = [pair for log in own for pair in (_steps(log) if kind == "steps" else _times(log, kind))]
    if not printed:
        return None
    values = [v for v, _ in printed]
    if kind == "eval time" and len(values) <= _MOST:  # a table may give the total
        values += [sum(values[a:b]) for a, b in itertools.combinations(range(len(values) + 1), 2)]
    slack = unit * 1.01 if kind == "steps" else max(unit * 1.01, _NEAR * value)
    if any(abs(v - value) <= slack for v in values):
        return None
    return min(printed, key=lambda pair: abs(pair[0] - value))


def _steps(log: Log) -> list[tuple[float, Evidence]]:
    """The steps at which the log reads its clock; none where it does not tell the last one."""
    found = []
    last = False
    for line in dict.fromkeys(t.line for t in log.timings if t.name == "train_time"):
        text = log.text.get(line, "")[:300]
        match = _STEP.search(text)
        if match:
            found.append((float(match[1]), log.evidence(line)))
            last = last or text.lstrip().startswith("stopping_early") or match[1] == match[2]
    return found if last else []


def _times(log: Log, kind: str) -> list[tuple[float, Evidence]]:
    """The training clock's readings, or the durations of everything else."""
    training = kind == "train time"
    return [
        (t.ms, log.evidence(t.line))
        for t in log.timings
        if ("train" in t.name.lower()) == training and t.unit != "m" and t.ms > 0.0
    ]
