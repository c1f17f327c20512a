"""Which way each condition of the script went while the claimed score was taken, as the marks inside say.

What the marks wrote is a stranger's data: rows that are not theirs are left out, a file that is too large counts as none.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

KINDS = ("if", "choice", "filter")
"""`if` statements, `a if c else b`, the `if` of a comprehension."""

_MOST_BYTES = 8 << 20


@dataclasses.dataclass(frozen=True, order=True)
class Condition:
    """A condition of the script: kind, 1-based line, and place among those of its kind there in the order of ast.walk."""

    kind: str
    line: int
    place: int


@dataclasses.dataclass(frozen=True)
class OneWay:
    """A condition that was met while the claimed score was taken, and that went but one way in the whole run: `held`."""

    condition: Condition
    held: bool


def read_ways(folder: Path, since: int) -> tuple[OneWay, ...] | None:
    """The conditions met after event number `since` that only ever went one way, by line; None where nothing was noted."""
    path = folder / "branches.json"
    if path.is_symlink() or not path.is_file() or path.stat().st_size > _MOST_BYTES:
        return None
    try:
        rows = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return None
    last: dict[Condition, dict[bool, int]] = {}
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, list) and len(row) == 5 and row[0] in KINDS and _whole(row[1:]):
            kind, line, place, way, when = row
            last.setdefault(Condition(kind, line, place), {})[bool(way)] = when
    return tuple(
        OneWay(condition, next(iter(ways)))
        for condition, ways in sorted(last.items())
        if len(ways) == 1 and max(ways.values()) >= since
    )


def _whole(numbers: list[object]) -> bool:
    """Whether all are whole numbers as they may be."""
    return all(type(n) is int and 0 <= n < 1 << 62 for n in numbers)
