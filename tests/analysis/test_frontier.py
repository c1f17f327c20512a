"""The frontier: what is scored, trained on and leaked lands in the right cells, at any size."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from harness.analysis.frontier import COLUMNS, MOST_CELLS, ROWS, Frontier, expand, frontier
from harness.witnesses.trace import LossTable, Trace, TraceEvent


def event(seq: int, kind: str, low: int, high: int, **more: Any) -> TraceEvent:
    runs = ((low, high),) if high > low else ()
    return TraceEvent(seq, kind, "train_gpt.py", 1, "main", runs, counted=kind == "score", **more)


def of(*events: TraceEvent, losses: LossTable | None = None, leaks: int = 0) -> Frontier | None:
    """The frontier of what it looks at: events, losses, whether there is a leak, the claimed line."""
    leak = SimpleNamespace(positions=leaks) if leaks else None
    balance = SimpleNamespace(line="final bpb:1")
    return frontier(cast("Trace", SimpleNamespace(balance=balance, leak=leak, events=events, losses=losses)))


def table(position: list[int], order: list[int], first_trained: list[int]) -> LossTable:
    n = np.zeros(len(position), dtype=np.int64)
    trained, when = np.array(first_trained), np.array(order)
    return LossTable(np.array(position), n * 1.0, when, n, n, trained, (trained >= 0) & (trained < when))


def layers(plot: Frontier | None) -> set[tuple[str, int, int, int]]:
    assert plot is not None
    return {(c.layer, c.column, c.low, c.high) for c in plot.cells}


def test_score_then_train_is_a_staircase_without_red() -> None:
    events = [
        event(0, "score", 0, 2),
        event(1, "update", 0, 2),
        event(2, "score", 2, 4),
        event(3, "update", 2, 4),
    ]
    plot = of(*events, losses=table([0, 1, 2, 3], [0, 0, 2, 2], [1, 1, 3, 3]))
    assert layers(plot) == {
        ("scored", 0, 0, 2),
        ("trained", 1, 0, 2),
        ("scored", 2, 2, 4),
        ("trained", 3, 2, 4),
    }
    assert plot is not None
    assert (plot.scored_positions, plot.trained_positions, plot.leaked_positions) == (4, 4, 0)
    assert {c.layer for c in plot.coverage} == {"once"}


def test_training_before_the_score_is_red_only_where_it_came_before() -> None:
    events = [
        event(0, "train", 0, 2),
        event(1, "update", 0, 2),
        event(2, "score", 0, 4),
        event(3, "update", 0, 4),
    ]
    plot = of(*events, losses=table([0, 1, 2, 3], [2, 2, 2, 2], [1, 1, 3, 3]), leaks=2)
    assert layers(plot) >= {("leaked", 0, 0, 2), ("leaked", 1, 0, 2), ("trained", 3, 0, 4)}
    assert plot is not None
    assert plot.leaked_positions == 2
    assert [(c.layer, c.low, c.high) for c in plot.coverage] == [("leaked", 0, 2), ("once", 2, 4)]


def test_an_update_that_was_undone_is_not_red() -> None:
    events = [event(0, "update", 0, 2), event(1, "restore", 0, 0), event(2, "score", 0, 2)]
    plot = of(*events, losses=table([0, 1], [2, 2], [0, 0]))
    assert "leaked" not in {layer for layer, *_ in layers(plot)}
    assert plot is not None
    assert [m.kind for m in plot.marks] == ["restore"]


def test_a_position_scored_twice_is_seen() -> None:
    plot = of(event(0, "score", 0, 4), event(1, "score", 0, 2))
    assert plot is not None
    assert plot.scored_again == 2
    assert [(c.layer, c.low, c.high) for c in plot.coverage] == [("again", 0, 2), ("once", 2, 4)]


def test_only_the_last_print_of_the_claimed_line_is_marked() -> None:
    prints = [event(1, "print", 0, 0, text="final bpb:1"), event(2, "print", 0, 0, text="step 1")]
    plot = of(event(0, "score", 0, 4), *prints, event(3, "print", 0, 0, text="final bpb:1"))
    assert plot is not None
    assert [(m.kind, m.column) for m in plot.marks] == [("print", 1)]


def test_many_events_and_positions_fit_the_grid() -> None:
    events = []
    for i in range(COLUMNS * 5):
        events += [
            event(2 * i, "score", 10 * i, 10 * i + 10),
            event(2 * i + 1, "update", 10 * i, 10 * i + 10),
        ]
    plot = of(*events)
    assert plot is not None
    assert (plot.columns, plot.rows, plot.positions) == (COLUMNS, ROWS, COLUMNS * 50)
    assert {c.layer for c in plot.cells} == {"both"}
    assert plot.scored_positions == COLUMNS * 50


def test_scattered_events_coarsen_the_grid() -> None:
    draw = np.random.default_rng(0)
    events = [
        TraceEvent(
            i, "score", "a.py", 1, "f", tuple((int(p), int(p) + 1) for p in draw.integers(0, 9000, 60))
        )
        for i in range(400)
    ]
    plot = of(*events)
    assert plot is not None
    assert plot.columns < COLUMNS
    assert len(plot.cells) <= MOST_CELLS


def test_no_val_position_no_plot() -> None:
    assert of(event(0, "update", 0, 0), event(1, "print", 0, 0, text="x")) is None


def test_runs_expand_in_order() -> None:
    assert expand(((5, 8), (0, 2))).tolist() == [5, 6, 7, 0, 1]
    assert expand(()).tolist() == []
