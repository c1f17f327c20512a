"""The events of a trace in a reader's form, and the table of counted losses for the per-token analysis."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from harness.witnesses.trace.balance import Books
from harness.witnesses.trace.record import Floats, Frame, Ints, Record

_MOST_EVENTS = 20_000


@dataclasses.dataclass(frozen=True)
class TraceEvent:
    """One event: kind is "read", "score", "train", "update", "restore", "taken" or "print".

    `positions` are half-open runs of val positions; `counted` tells that the event enters the claimed number; `loss` is
    its mean in nats over the positions that were identified.
    """

    seq: int
    kind: str
    file: str
    line: int
    function: str
    positions: tuple[tuple[int, int], ...] = ()
    counted: bool = False
    loss: float | None = None
    text: str = ""


@dataclasses.dataclass(frozen=True)
class LossTable:
    """The counted scores, one row each, in order of scoring; arrays of equal length n.

    position int64, loss_nats float64, order int64 (sequence number of the event that scored it), window_offset int64
    (place in its row), chunk int64 (index of the span between two updates), first_trained int64 (sequence number of the
    first update that used the position, -1 where none did), leaked bool (the state that scored it knew it), sketch float64
    (one number for the whole prediction, whatever came; not a number where it is unknown).
    """

    position: Ints
    loss_nats: Floats
    order: Ints
    window_offset: Ints
    chunk: Ints
    first_trained: Ints
    leaked: NDArray[np.bool_]
    sketch: Floats | None = None


def _runs(positions: Ints) -> tuple[tuple[int, int], ...]:
    ordered = np.unique(positions[positions >= 0])
    if not len(ordered):
        return ()
    breaks = np.nonzero(np.diff(ordered) != 1)[0]
    starts = ordered[np.concatenate([[0], breaks + 1])]
    ends = ordered[np.concatenate([breaks, [len(ordered) - 1]])] + 1
    return tuple(zip(starts.tolist(), ends.tolist(), strict=True))


def place(frames: tuple[Frame, ...]) -> Frame:
    """The innermost script frame; an empty one where the script was not on the stack."""
    return frames[0] if frames else Frame("", 0, "")


def event_table(record: Record, books: Books | None, numbers: Ints) -> tuple[TraceEvent, ...]:
    """Every event in order, at most 20,000 (scores and updates before the rest)."""
    counted_rows = np.zeros(len(record.position), bool)
    if books is not None:
        counted_rows[books.rows] = True
    events: list[TraceEvent] = []
    for s in record.scores:
        rows = slice(s.first, s.first + s.count)
        at = place(record.stacks.get(s.stack, ()))
        known = record.position[rows] >= 0
        mean = float(record.loss[rows][known].mean()) if known.any() else None
        hit = counted_rows[rows]
        kind = "score" if hit.any() or not s.grad else "train"
        shown = record.position[rows][hit] if hit.any() else record.position[rows]
        if mean is not None and not np.isfinite(mean):
            mean = None
        events.append(
            TraceEvent(s.q, kind, at.file, at.line, at.function, _runs(shown), bool(hit.any()), mean)
        )
    for u in record.updates:
        at = place(record.stacks.get(u.stack, ()))
        kind = "train" if u.kind == "backward" else u.kind
        events.append(TraceEvent(u.q, kind, at.file, at.line, at.function, u.runs))
    for o in record.opens:
        at = place(record.stacks.get(o.stack, ()))
        text = ("writes " if o.writes else "reads ") + o.path
        events.append(TraceEvent(o.q, "read", at.file, at.line, at.function, text=text))
    for p in record.prints[-2000:]:
        at = place(record.stacks.get(p.stack, ()))
        events.append(TraceEvent(p.q, "print", at.file, at.line, at.function, text=p.text))
    events.sort(key=lambda e: e.seq)
    return tuple(events[:_MOST_EVENTS])


def loss_table(record: Record, books: Books, numbers: Ints) -> LossTable:
    """The counted scores as columns, in order of scoring."""
    rows = books.rows[np.argsort(numbers[books.rows], kind="stable")]
    offsets = np.zeros(len(record.position), np.int64)
    for s in record.scores:
        width = max(1, s.count // s.rows)
        offsets[s.first : s.first + s.count] = np.arange(s.count) % width
    first_trained = np.full(max(record.tokens, 1), -1, np.int64)
    updates = [u for u in record.updates if u.kind == "update"]
    for u in reversed(updates):
        for a, b in u.runs:
            first_trained[a:b] = u.q
    when = np.array([u.q for u in updates], np.int64)
    # The index of the span between two updates, counted over spans in which something was scored.
    chunk = np.unique(np.searchsorted(when, numbers[rows]), return_inverse=True)[1].astype(np.int64)
    return LossTable(
        record.position[rows],
        record.loss[rows],
        numbers[rows],
        offsets[rows],
        chunk,
        first_trained[record.position[rows]],
        record.kind[rows] > 0,
        record.sketch[rows],
    )
