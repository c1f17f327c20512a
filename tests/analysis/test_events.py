"""The folded event table: loops become groups, nothing is lost, the middle of a huge one is left out and counted."""

from __future__ import annotations

from harness.analysis.events import MOST_GROUPS, EventTable, fold
from harness.witnesses.trace import TraceEvent


def event(
    seq: int, kind: str, line: int, low: int = 0, high: int = 0, loss: float | None = None
) -> TraceEvent:
    runs = ((low, high),) if high > low else ()
    return TraceEvent(seq, kind, "train_gpt.py", line, "main", runs, loss=loss)


def total(table: EventTable) -> int:
    return (
        sum(step.times * g.repeats for g in (*table.head, *table.tail) for step in g.steps) + table.left_out
    )


def test_a_loop_is_one_group_with_its_steps() -> None:
    events = [event(0, "read", 5)]
    for i in range(10):
        events.append(event(1 + 2 * i, "score", 20, 8 * i, 8 * i + 8, 7.0 - 0.1 * i))
        events.append(event(2 + 2 * i, "update", 30, 8 * i, 8 * i + 8))
    table = fold(events)
    assert [(g.repeats, [s.line for s in g.steps]) for g in table.head] == [(1, [5]), (10, [20, 30])]
    score = table.head[1].steps[0]
    assert (score.low, score.high, score.touched, score.first_loss, score.last_loss) == (0, 80, 80, 7.0, 6.1)
    assert (table.head[1].first, table.head[1].last) == (1, 20)
    assert dict(table.kinds) == {"read": 1, "score": 10, "update": 10}


def test_a_loop_in_a_loop_is_one_group() -> None:
    events = []
    for chunk in range(6):
        events.append(event(len(events), "score", 20, 8 * chunk, 8 * chunk + 8))
        for _ in range(3):
            events.append(event(len(events), "train", 30, 8 * chunk, 8 * chunk + 8))
            events.append(event(len(events), "update", 31, 8 * chunk, 8 * chunk + 8))
    table = fold(events)
    assert [(g.repeats, [(s.line, s.times) for s in g.steps]) for g in table.head] == [
        (6, [(20, 1), (30, 3), (31, 3)])
    ]
    assert [s.touched for s in table.head[0].steps] == [48, 144, 144]
    assert (table.head[0].first, table.head[0].last) == (0, 41)
    assert total(table) == 42


def test_every_event_is_in_a_group() -> None:
    events = [event(i, "score", (i * i) % 7) for i in range(100)]
    assert total(fold(events)) == 100


def test_the_middle_of_a_long_table_is_counted() -> None:
    events = [event(i, "score", i) for i in range(3 * MOST_GROUPS)]
    table = fold(events)
    assert len(table.head) + len(table.tail) == MOST_GROUPS
    assert table.left_out == 2 * MOST_GROUPS
    assert total(table) == table.total


def test_nothing_happened() -> None:
    assert fold([]) == EventTable(0, (), (), (), 0)
