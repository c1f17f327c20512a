"""Reads the ledger that the watcher wrote: a stranger's data, so every number is checked against its bounds."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

NODE = 1 << 40
_SCORE = np.dtype([("position", "<i4"), ("loss", "<f4"), ("leak", "<i4"), ("kind", "<i4"), ("sketch", "<f4")])
_MOST_EVENTS = 600_000
_MOST_BYTES = 512 << 20
_CHILD_EVENTS = 10_000
_MOST_STEPS = 3_000_000
"""Sums of sums that are looked into for one ledger; where that is not enough, the ledger was made to keep us busy."""


class LedgerError(Exception):
    """The ledger is missing or is not what the watcher writes."""


@dataclasses.dataclass(frozen=True)
class Frame:
    """One script frame of a stack; `start` is the line where the function begins."""

    file: str
    line: int
    function: str
    start: int = 0


@dataclasses.dataclass(frozen=True)
class ScoreEvent:
    """A call of a loss function on val tokens: rows [first, first+count) of the score table."""

    q: int
    stack: int
    first: int
    count: int
    rows: int
    classes: int
    grad: bool


@dataclasses.dataclass(frozen=True)
class UpdateEvent:
    """A backward pass, an update or a snapshot of state, with the half-open runs of positions behind it."""

    q: int
    stack: int
    kind: str
    runs: tuple[tuple[int, int], ...]


@dataclasses.dataclass(frozen=True)
class ValueEvent:
    """Losses that became numbers: one value with one code, or arrays of both."""

    q: int
    stack: int
    values: Floats
    codes: Ints


@dataclasses.dataclass(frozen=True)
class PrintEvent:
    """A printed line."""

    q: int
    stack: int
    text: str


@dataclasses.dataclass(frozen=True)
class OpenEvent:
    """A file that was opened."""

    q: int
    stack: int
    path: str
    writes: bool


@dataclasses.dataclass(frozen=True)
class Choice:
    """One of two scores of the same positions was kept; `low` is the share of them where it was the lower one."""

    q: int
    stack: int
    by: str
    runs: tuple[tuple[int, int], ...]
    low: float


@dataclasses.dataclass
class Record:
    """Everything the ledger says. `position`, `loss`, `leak`, `kind`, `sketch` are the columns of the score table."""

    tokens: int
    position: Ints
    loss: Floats
    leak: Ints
    kind: Ints
    sketch: Floats
    stacks: dict[int, tuple[Frame, ...]]
    nodes: dict[int, Ints]
    coarse: set[int]
    scores: list[ScoreEvent]
    updates: list[UpdateEvent]
    values: list[ValueEvent]
    prints: list[PrintEvent]
    opens: list[OpenEvent]
    choices: list[Choice]
    holes: list[str]
    ended: bool
    overflow: bool
    blinded: bool = False
    steps: int = 0

    def expand(self, codes: Ints) -> Ints:
        """The rows of the score table that a set of codes is the sum of, with repeats."""
        plain = codes[(codes >= 0) & (codes < NODE)]
        parts = [plain[plain < len(self.position)]]
        stack = [int(c) - NODE for c in codes[codes >= NODE]]
        budget = 5_000_000
        while stack and budget > 0:
            self.steps += 1
            if self.steps > _MOST_STEPS:
                self.overflow = True
                break
            inner = self.nodes.get(stack.pop())
            if inner is None:
                continue
            leaf = inner[(inner >= 0) & (inner < NODE)]
            parts.append(leaf[leaf < len(self.position)])
            budget -= len(inner)
            stack.extend(int(c) - NODE for c in inner[inner >= NODE])
        return np.concatenate(parts)


def _pairs(runs: Any, limit: int) -> tuple[tuple[int, int], ...]:
    flat = [int(x) for x in runs] if isinstance(runs, list) else []
    pairs = zip(flat[::2], flat[1::2], strict=False)
    return tuple((max(0, a), min(limit, b)) for a, b in pairs if a < b)


def _array(path: Path, dtype: Any) -> NDArray[Any]:
    if not path.is_file() or path.is_symlink():
        return np.empty(0, dtype)
    if path.stat().st_size > _MOST_BYTES:
        raise LedgerError(f"{path.name} is larger than {_MOST_BYTES >> 20} MiB")
    size = np.dtype(dtype).itemsize
    data = path.read_bytes()
    return np.frombuffer(data[: len(data) // size * size], dtype)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb") as file:
        for number, line in enumerate(file):
            if number > _MOST_EVENTS:
                return
            try:
                record = json.loads(line)
            except (ValueError, RecursionError):
                continue  # the last line of a run that was killed
            if isinstance(record, dict) and isinstance(record.get("e"), str):
                yield record


def read_record(folder: Path, tokens: int | None = None) -> Record:
    """The ledger in `folder` of a run on a val stream of `tokens` (None: any).

    Raises LedgerError when there is none, when its tables are too large, or when it speaks of another stream.
    """
    events = folder / "events.jsonl"
    if not events.is_file() or events.is_symlink():
        raise LedgerError("the run left no ledger of events")
    if events.stat().st_size > _MOST_BYTES:
        raise LedgerError(f"events.jsonl is larger than {_MOST_BYTES >> 20} MiB")
    table = _array(folder / "scores.bin", _SCORE)
    codes = _array(folder / "codes.bin", "<i8").astype(np.int64)
    values = _array(folder / "values.bin", "<f8").astype(np.float64)
    leak, kind = table["leak"].astype(np.int64), table["kind"].astype(np.int64)
    record = Record(
        0, table["position"].astype(np.int64), table["loss"].astype(np.float64), leak, kind,
        table["sketch"].astype(np.float64),
        {}, {}, set(), [], [], [], [], [], [], [], False, False,
    )  # fmt: skip
    for event in _lines(events):
        try:
            _enter(record, event, codes, values)
        except (KeyError, IndexError, TypeError, ValueError, OverflowError):
            record.holes.append("an event of the ledger could not be read")
    tokens = max(record.tokens, 0) if tokens is None else tokens
    if record.tokens not in (0, tokens) or (len(record.position) and not record.tokens):
        raise LedgerError(f"the ledger is of {record.tokens:,} val tokens, not of {tokens:,}")
    if len(record.position) and not -1 <= record.position.min() <= record.position.max() < tokens:
        raise LedgerError("the ledger has val positions that do not exist")
    _enter_children(record, folder / "children.jsonl")
    return record


def _enter_children(record: Record, path: Path) -> None:
    """A child that learned from val may hand its model back by file or pipe: what the parent scores then is not known."""
    if not path.is_file() or path.is_symlink() or path.stat().st_size == 0:
        return
    record.blinded = True
    seen: set[int] = set()
    for event in itertools.islice(_lines(path), _CHILD_EVENTS):
        with contextlib.suppress(TypeError, ValueError, OverflowError):
            for a, b in _pairs(event.get("p"), record.tokens):
                seen.update(range(a, b))
    record.holes.append(f"a child process changed a model with {len(seen):,} val tokens")


def _enter(record: Record, e: dict[str, Any], codes: Ints, values: Floats) -> None:
    kind = e["e"]
    if kind == "stack":
        record.stacks[int(e["id"])] = tuple(
            Frame(str(f[0]), int(f[1]), str(f[2]), int(f[3])) for f in e["frames"]
        )
    elif kind == "begin":
        record.tokens = int(e["n"])
    elif kind == "node":
        inner = codes[int(e["o"]) : int(e["o"]) + int(e["n"])]
        if len(inner) and int(inner.max()) >= NODE + int(e["id"]):
            raise ValueError("a sum is made of earlier ones only")
        record.nodes[int(e["id"])] = inner
        if e.get("c"):
            record.coarse.add(int(e["id"]))
    elif kind == "score":
        first, count = int(e["o"]), int(e["n"])
        if first >= 0 and count >= 0 and first + count <= len(record.position) and 0 <= int(e["q"]) < 1 << 62:
            record.scores.append(
                ScoreEvent(
                    int(e["q"]),
                    int(e["s"]),
                    first,
                    count,
                    max(1, int(e["rows"])),
                    int(e["V"]),
                    bool(e["g"]),
                )
            )
    elif kind in ("backward", "update", "taken", "restore"):
        record.updates.append(UpdateEvent(int(e["q"]), int(e["s"]), kind, _pairs(e.get("p"), record.tokens)))
    elif kind == "value":
        record.values.append(
            ValueEvent(int(e["q"]), int(e["s"]), np.array([float(e["v"])]), np.array([int(e["c"])], np.int64))
        )
    elif kind == "values":
        first, count, at = int(e["o"]), int(e["n"]), int(e["v"])
        record.values.append(
            ValueEvent(int(e["q"]), int(e["s"]), values[at : at + count], codes[first : first + count])
        )
    elif kind == "print":
        record.prints.append(PrintEvent(int(e["q"]), int(e["s"]), str(e["t"])))
    elif kind == "open":
        record.opens.append(OpenEvent(int(e["q"]), int(e["s"]), str(e["path"]), bool(e["w"])))
    elif kind == "choice":
        record.choices.append(
            Choice(int(e["q"]), int(e["s"]), str(e["by"]), _pairs(e["p"], record.tokens), float(e["low"]))
        )
    elif kind == "blind":
        record.blinded = True
        record.holes.append(f"the script switched the watcher off ({str(e['by'])[:60]})")
    elif kind == "child":
        record.blinded = True
        record.holes.append(f"the script ran Python in a process that is not watched ({str(e['t'])[:80]})")
    elif kind == "hole":
        record.holes.append(str(e["t"]))
    elif kind == "end":
        record.ended = True
    elif kind == "overflow":
        record.overflow = True
