"""The frontier: order of events against val position, thinned to a grid that a page can draw.

What a score-first submission does is a staircase: each stretch is scored, then trained on. What was trained on before
it was scored stands out as a layer of its own, `leaked`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from harness.witnesses.trace import LossTable, TraceEvent

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

COLUMNS = 240
ROWS = 160
MOST_MARKS = 12
TRAINING = ("train", "update")
LAYERS = ("uncounted", "scored", "trained", "both", "leaked")
"""Scored outside the claimed number; scored; trained on; both in one cell; trained on before being scored."""

COVERAGE = ("never", "once", "again", "leaked")
"""No counted score; one; several; scored by a state that was trained on it."""


@dataclasses.dataclass(frozen=True)
class Cell:
    """Rows [low, high) of one column that belong to a layer (of the plot) or a state (of the coverage strip)."""

    layer: str
    column: int
    low: int
    high: int


@dataclasses.dataclass(frozen=True)
class Mark:
    """Something between the events: a phase begins, state is restored, the claimed line is printed."""

    column: int
    kind: str
    text: str


@dataclasses.dataclass(frozen=True)
class Leak:
    """One position that was trained on before it was scored, as a checkable example; events by sequence number."""

    position: int
    trained_event: int
    trained_line: int
    trained_file: str
    scored_event: int
    scored_line: int
    scored_file: str


@dataclasses.dataclass(frozen=True)
class Frontier:
    """A grid of `columns` x `rows` over the drawn events and the positions [0, positions).

    `column_events` holds the sequence number of the first event of each column. The counts are exact, whatever the grid.
    """

    columns: int
    rows: int
    positions: int
    events: int
    column_events: tuple[int, ...]
    cells: tuple[Cell, ...]
    coverage: tuple[Cell, ...]
    marks: tuple[Mark, ...]
    scored_positions: int
    scored_again: int
    trained_positions: int
    leaked_positions: int
    first_leak: Leak | None


def frontier(events: Sequence[TraceEvent], losses: LossTable | None) -> Frontier | None:
    """The frontier of a trace; None when no event scored or trained on a val position."""
    drawn = [e for e in events if _is_drawn(e)]
    positions = max((end for e in drawn if _touches(e) for _, end in e.positions), default=0)
    if not positions:
        return None
    scored_by, trained_by, times = _first_events(drawn, losses, positions)
    leaked = (trained_by >= 0) & (scored_by > trained_by)
    columns, rows = min(COLUMNS, len(drawn)), min(ROWS, positions)
    grid = {
        layer: np.zeros((columns, rows), dtype=np.bool_)
        for layer in ("uncounted", "scored", "trained", "leaked")
    }
    trained_at_all = np.zeros(positions, dtype=np.bool_)
    for rank, event in enumerate(drawn):
        if not _touches(event):
            continue
        column = rank * columns // len(drawn)
        touched = expand(event.positions)
        if event.kind in TRAINING:
            trained_at_all[touched] = True
            early = touched[leaked[touched] & (scored_by[touched] > event.seq)]
            grid["leaked"][column, early * rows // positions] = True
        layer = "trained" if event.kind in TRAINING else ("scored" if event.counted else "uncounted")
        grid[layer][column, touched * rows // positions] = True
    return Frontier(
        columns=columns,
        rows=rows,
        positions=positions,
        events=len(drawn),
        column_events=tuple(drawn[-(-c * len(drawn) // columns)].seq for c in range(columns)),
        cells=_cells(_resolve(grid), LAYERS),
        coverage=_cells(_coverage(times, leaked, rows)[None, :], COVERAGE),
        marks=_marks(drawn, columns),
        scored_positions=int((times > 0).sum()),
        scored_again=int((times > 1).sum()),
        trained_positions=int(trained_at_all.sum()),
        leaked_positions=int(leaked.sum()),
        first_leak=_first_leak(drawn, scored_by, trained_by, leaked),
    )


def expand(runs: Sequence[tuple[int, int]]) -> Ints:
    """The positions of half-open runs, as int64 [n] in the order of the runs."""
    bounds = np.asarray(runs, dtype=np.int64).reshape(-1, 2)
    lengths = bounds[:, 1] - bounds[:, 0]
    before = np.cumsum(lengths) - lengths
    return np.repeat(bounds[:, 0] - before, lengths) + np.arange(int(lengths.sum()))


def _touches(event: TraceEvent) -> bool:
    return bool(event.positions) and event.kind in ("score", *TRAINING)


def _is_drawn(event: TraceEvent) -> bool:
    return _touches(event) or event.kind in ("phase", "restore") or (event.kind == "print" and event.counted)


def _first_events(
    drawn: Sequence[TraceEvent], losses: LossTable | None, positions: int
) -> tuple[Ints, Ints, Ints]:
    """Per position: the event that scored it (-1: none), the first update that used it (-1: none), times counted.

    The loss table says it best: its `first_trained` knows which updates reached a later score. Without one the events
    must do, and training that a restore may have undone is not held against anybody.
    """
    scored, trained = np.full(positions, -1, dtype=np.int64), np.full(positions, -1, dtype=np.int64)
    times = np.zeros(positions, dtype=np.int64)
    for event in drawn:
        if event.kind == "score" and event.counted:
            touched = expand(event.positions)
            times[touched] += 1
            scored[touched[scored[touched] < 0]] = event.seq
        elif event.kind == "restore":
            trained[scored < 0] = -1
        elif event.kind in TRAINING and event.positions:
            touched = expand(event.positions)
            trained[touched[trained[touched] < 0]] = event.seq
    if losses is not None:
        scored[losses.position] = losses.order
        trained[losses.position] = losses.first_trained
    return scored, trained, times


def _resolve(grid: dict[str, Bools]) -> Ints:
    """One layer a cell, as an index into LAYERS (-1: nothing); the graver covers the lesser."""
    layers = np.full(grid["scored"].shape, -1, dtype=np.int64)
    layers[grid["uncounted"]] = LAYERS.index("uncounted")
    layers[grid["scored"]] = LAYERS.index("scored")
    layers[grid["trained"]] = LAYERS.index("trained")
    layers[grid["trained"] & grid["scored"]] = LAYERS.index("both")
    layers[grid["leaked"]] = LAYERS.index("leaked")
    return layers


def _coverage(times: Ints, leaked: Bools, rows: int) -> Ints:
    """The gravest state of each row's positions, as an index into COVERAGE; `never` only where all of it is."""
    state = np.minimum(times, 2)
    state[leaked] = COVERAGE.index("leaked")
    strip = np.zeros(rows, dtype=np.int64)
    np.maximum.at(strip, np.arange(len(times)) * rows // len(times), state)
    return strip


def _cells(layers: Ints, names: Sequence[str]) -> tuple[Cell, ...]:
    """Vertical runs of equal layer in an [columns, rows] array; -1 is left out."""
    cells = []
    for column, line in enumerate(layers):
        borders = np.flatnonzero(np.diff(line)) + 1
        for low, high in zip([0, *borders.tolist()], [*borders.tolist(), len(line)], strict=True):
            if line[low] >= 0:
                cells.append(Cell(names[int(line[low])], column, int(low), int(high)))
    return tuple(cells)


def _marks(drawn: Sequence[TraceEvent], columns: int) -> tuple[Mark, ...]:
    marks = [
        Mark(rank * columns // len(drawn), event.kind, event.text)
        for rank, event in enumerate(drawn)
        if not _touches(event)
    ]
    return tuple(marks[:MOST_MARKS])


def _first_leak(drawn: Sequence[TraceEvent], scored: Ints, trained: Ints, leaked: Bools) -> Leak | None:
    where = np.flatnonzero(leaked)
    if not len(where):
        return None
    position = int(where[np.argmin(trained[where])])
    by_seq = {event.seq: event for event in drawn}
    update, score = by_seq.get(int(trained[position])), by_seq.get(int(scored[position]))
    if update is None or score is None:
        return None
    return Leak(position, update.seq, update.line, update.file, score.seq, score.line, score.file)
