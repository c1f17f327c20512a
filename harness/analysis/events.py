"""The event table, folded: a loop that repeats the same few events becomes one group with a count."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.witnesses.trace import TraceEvent

LONGEST_CYCLE = 8
MOST_GROUPS = 400

Key = tuple[str, int, str, bool, str]


@dataclasses.dataclass(frozen=True)
class Step:
    """One event of a repeated cycle, over all its repetitions: where it stands and what it touched.

    `low` and `high` bound the positions, half-open; `touched` counts positions, again each time. Losses are
    mean nats of the first and the last repetition.
    """

    kind: str
    file: str
    line: int
    function: str
    counted: bool
    text: str
    low: int | None
    high: int | None
    touched: int
    first_loss: float | None
    last_loss: float | None


@dataclasses.dataclass(frozen=True)
class Group:
    """Events first..last (sequence numbers): the same steps, `repeats` times in a row."""

    first: int
    last: int
    repeats: int
    steps: tuple[Step, ...]


@dataclasses.dataclass(frozen=True)
class EventTable:
    """All events in order, folded; `left_out` counts the events of groups dropped from the middle."""

    total: int
    kinds: tuple[tuple[str, int], ...]
    head: tuple[Group, ...]
    tail: tuple[Group, ...]
    left_out: int


def fold(events: Sequence[TraceEvent]) -> EventTable:
    """Fold the events of a trace: at each place the cycle of up to 8 events that swallows most."""
    keys = [_key(e) for e in events]
    groups, start = [], 0
    while start < len(events):
        period, repeats = _best_cycle(keys, start)
        end = start + period * repeats
        groups.append(_group(events[start:end], period, repeats))
        start = end
    kinds: dict[str, int] = {}
    for event in events:
        kinds[event.kind] = kinds.get(event.kind, 0) + 1
    half = MOST_GROUPS // 2
    head, middle, tail = groups, [], []
    if len(groups) > MOST_GROUPS:
        head, middle, tail = groups[:half], groups[half:-half], groups[-half:]
    left_out = sum(len(g.steps) * g.repeats for g in middle)
    return EventTable(len(events), tuple(kinds.items()), tuple(head), tuple(tail), left_out)


def _key(event: TraceEvent) -> Key:
    """What makes two events the same step. A text is unlike in each print, and names a phase."""
    return event.kind, event.line, event.file, event.counted, event.text if event.kind == "phase" else ""


def _best_cycle(keys: Sequence[Key], start: int) -> tuple[int, int]:
    best = (1, 1)
    for period in range(1, LONGEST_CYCLE + 1):
        cycle = keys[start : start + period]
        repeats = 1
        while len(cycle) == period and keys[start + period * repeats :][:period] == cycle:
            repeats += 1
        if repeats > 1 and period * repeats > best[0] * best[1]:
            best = (period, repeats)
    return best


def _group(events: Sequence[TraceEvent], period: int, repeats: int) -> Group:
    steps = tuple(_step(events[i::period]) for i in range(period))
    return Group(events[0].seq, events[-1].seq, repeats, steps)


def _step(events: Sequence[TraceEvent]) -> Step:
    first = events[0]
    runs = [run for event in events for run in event.positions]
    losses = [event.loss for event in events if event.loss is not None]
    return Step(
        kind=first.kind,
        file=first.file,
        line=first.line,
        function=first.function,
        counted=first.counted,
        text=first.text,
        low=min((low for low, _ in runs), default=None),
        high=max((high for _, high in runs), default=None),
        touched=sum(high - low for low, high in runs),
        first_loss=losses[0] if losses else None,
        last_loss=losses[-1] if losses else None,
    )
