"""The frontier: order of events against val position, thinned to a grid that a page can draw.

A score-first submission draws a staircase: each stretch is scored, then trained on. What was trained on
before it was scored stands out as a layer of its own, `leaked`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from harness.witnesses.trace import LossTable, Trace, TraceEvent

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

COLUMNS = 240
ROWS = 160
MOST_CELLS = 7000
"""Beyond it the grid is halved: a page must stay small however scattered the events are."""

MOST_MARKS = 12
TRAINING = ("train", "update")
MARKS = ("phase", "restore", "taken")
LAYERS = ("uncounted", "scored", "trained", "both", "leaked")
"""Scored outside the claimed number; scored; trained on; both in one cell; trained on before being scored."""

COVERAGE = ("never", "once", "again", "leaked")
"""No counted score; one; several; scored by a state that was trained on it."""


@dataclasses.dataclass(frozen=True)
class Cell:
    """Rows [low, high) of one column that belong to a layer of the plot or a state of the strip."""

    layer: str
    column: int
    low: int
    high: int


@dataclasses.dataclass(frozen=True)
class Mark:
    """What happens between them: state restored or taken, the claimed line printed, a phase begun."""

    column: int
    kind: str
    text: str


@dataclasses.dataclass(frozen=True)
class Frontier:
    """A grid of `columns` x `rows` over the drawn events and the positions [0, positions).

    `column_events` holds the sequence number of the first event of each column. The counts are exact,
    whatever the grid: positions scored, scored more than once, trained on, trained on before being scored.
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


def frontier(trace: Trace, columns: int = COLUMNS, rows: int = ROWS) -> Frontier | None:
    """The frontier of a trace; None when no event scored or trained on a val position."""
    claimed = _claimed_print(trace)
    drawn = [e for e in trace.events if _touches(e) or e.kind in MARKS or e is claimed]
    positions = max((end for e in drawn if _touches(e) for _, end in e.positions), default=0)
    if not positions:
        return None
    leaked_until = _leaked_until(trace.losses, positions) if trace.leak else np.full(positions, -1)
    columns, rows = min(columns, len(drawn)), min(rows, positions)
    layers = ("uncounted", "scored", "trained", "leaked")
    grid = {layer: np.zeros((columns, rows), dtype=np.bool_) for layer in layers}
    times, trained = np.zeros(positions, dtype=np.int64), np.zeros(positions, dtype=np.bool_)
    for rank, event in enumerate(drawn):
        if not _touches(event):
            continue
        column, touched = rank * columns // len(drawn), expand(event.positions)
        if event.kind in TRAINING:
            trained[touched] = True
            early = touched[leaked_until[touched] > event.seq]
            grid["leaked"][column, early * rows // positions] = True
        elif event.counted:
            times[touched] += 1
        layer = "trained" if event.kind in TRAINING else ("scored" if event.counted else "uncounted")
        grid[layer][column, touched * rows // positions] = True
    cells = _cells(_resolve(grid), LAYERS)
    if len(cells) > MOST_CELLS:
        return frontier(trace, columns // 2, rows // 2)
    return Frontier(
        columns=columns,
        rows=rows,
        positions=positions,
        events=len(drawn),
        column_events=tuple(drawn[-(-c * len(drawn) // columns)].seq for c in range(columns)),
        cells=cells,
        coverage=_cells(_coverage(times, leaked_until >= 0, rows)[None, :], COVERAGE),
        marks=_marks(drawn, columns),
        scored_positions=int((times > 0).sum()),
        scored_again=int((times > 1).sum()),
        trained_positions=int(trained.sum()),
        leaked_positions=trace.leak.positions if trace.leak else 0,
    )


def expand(runs: Sequence[tuple[int, int]]) -> Ints:
    """The positions of half-open runs, as int64 [n] in the order of the runs."""
    bounds = np.asarray(runs, dtype=np.int64).reshape(-1, 2)
    lengths = bounds[:, 1] - bounds[:, 0]
    before = np.cumsum(lengths) - lengths
    return np.repeat(bounds[:, 0] - before, lengths) + np.arange(int(lengths.sum()))


def _touches(event: TraceEvent) -> bool:
    return bool(event.positions) and event.kind in ("score", *TRAINING)


def _claimed_print(trace: Trace) -> TraceEvent | None:
    """The last print of the claimed line."""
    claimed = [e for e in trace.events if e.kind == "print" and e.text == trace.balance.line]
    return claimed[-1] if claimed else None


def _leaked_until(losses: LossTable | None, positions: int) -> Ints:
    """Per position, the event that scored it by a state that knew it; -1 where that never was."""
    until = np.full(positions, -1, dtype=np.int64)
    if losses is not None:
        np.maximum.at(until, losses.position[losses.leaked], losses.order[losses.leaked])
    return until


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
    """The gravest state of each row's positions, an index into COVERAGE; `never` only where all are."""
    state = np.minimum(times, COVERAGE.index("again"))
    state[leaked] = COVERAGE.index("leaked")
    strip = np.zeros(rows, dtype=np.int64)
    np.maximum.at(strip, np.arange(len(times)) * rows // len(times), state)
    return strip


def _cells(layers: Ints, names: Sequence[str]) -> tuple[Cell, ...]:
    """Vertical runs of equal layer in a [columns, rows] array; -1 is left out."""
    cells = []
    for column, line in enumerate(layers):
        borders = (np.flatnonzero(np.diff(line)) + 1).tolist()
        for low, high in zip([0, *borders], [*borders, len(line)], strict=True):
            if line[low] >= 0:
                cells.append(Cell(names[int(line[low])], column, int(low), int(high)))
    return tuple(cells)


def _marks(drawn: Sequence[TraceEvent], columns: int) -> tuple[Mark, ...]:
    """One mark a column and kind, and of many the last, which stand next to the claimed line."""
    marks: dict[tuple[int, str], Mark] = {}
    for rank, event in enumerate(drawn):
        if not _touches(event):
            column = rank * columns // len(drawn)
            marks.setdefault((column, event.kind), Mark(column, event.kind, event.text))
    return tuple(marks.values())[-MOST_MARKS:]
