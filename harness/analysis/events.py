"""The event table, folded: a loop that repeats the same few events becomes one group with a count."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.witnesses.trace import TraceEvent

LONGEST_CYCLE = 8
"""The most events, or inner loops, that one round of a loop may hold."""

MOST_GROUPS = 400

Key = tuple[str, int, str, bool, str]
Shape = Hashable


@dataclasses.dataclass(frozen=True)
class Step:
    """One event of a repeated cycle, over all its repetitions: where it stands and what it touched.

    `times` is how often it happens in one round of its group (more than once in an inner loop). `low` and `high`
    bound the positions, half-open; `touched` counts positions, again each time. Losses are mean nats of the first and
    the last repetition.
    """

    kind: str
    file: str
    line: int
    function: str
    counted: bool
    text: str
    times: int
    low: int | None
    high: int | None
    touched: int
    first_loss: float | None
    last_loss: float | None


@dataclasses.dataclass(frozen=True)
class Group:
    """Events first..last (sequence numbers): the same steps, `repeats` rounds in a row."""

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


@dataclasses.dataclass(frozen=True)
class _Loop:
    """A run of events: its shape, how many rounds, and for each step the indices of its events, in order."""

    shape: Shape
    rounds: int
    steps: tuple[list[int], ...]


def fold(events: Sequence[TraceEvent]) -> EventTable:
    """Fold the events of a trace from the inside out: short cycles first, then cycles of what they became."""
    loops = [_Loop(_key(event), 1, ([index],)) for index, event in enumerate(events)]
    period = 1
    while period <= LONGEST_CYCLE:
        folded = list(_fold_cycles(loops, period))
        period = 1 if len(folded) < len(loops) else period + 1
        loops = folded
    groups = [_group(events, loop) for loop in loops]
    kinds: dict[str, int] = {}
    for event in events:
        kinds[event.kind] = kinds.get(event.kind, 0) + 1
    half = MOST_GROUPS // 2
    head, middle, tail = groups, [], []
    if len(groups) > MOST_GROUPS:
        head, middle, tail = groups[:half], groups[half:-half], groups[-half:]
    left_out = sum(step.times * group.repeats for group in middle for step in group.steps)
    return EventTable(len(events), tuple(kinds.items()), tuple(head), tuple(tail), left_out)


def _fold_cycles(loops: Sequence[_Loop], period: int) -> Iterator[_Loop]:
    """Where `period` neighbours come again at once, one loop of all the rounds in place of them."""
    start = 0
    while start < len(loops):
        end = start + period
        while end < len(loops) and loops[end].shape == loops[end - period].shape:
            end += 1
        rounds = (end - start) // period
        if rounds < 2:
            yield loops[start]
            start += 1
            continue
        body = loops[start : start + period]
        steps = []
        for place, first in enumerate(body):
            twins = loops[start + place : start + period * rounds : period]
            steps += [[i for twin in twins for i in twin.steps[step]] for step in range(len(first.steps))]
        yield _Loop((rounds, *(loop.shape for loop in body)), rounds, tuple(steps))
        start += period * rounds


def _key(event: TraceEvent) -> Key:
    """What makes two events the same step. A text is unlike in each print, and names a phase."""
    return event.kind, event.line, event.file, event.counted, event.text if event.kind == "phase" else ""


def _group(events: Sequence[TraceEvent], loop: _Loop) -> Group:
    steps = tuple(_step([events[i] for i in step], len(step) // loop.rounds) for step in loop.steps)
    first, last = min(step[0] for step in loop.steps), max(step[-1] for step in loop.steps)
    return Group(events[first].seq, events[last].seq, loop.rounds, steps)


def _step(events: Sequence[TraceEvent], times: int) -> Step:
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
        times=times,
        low=min((low for low, _ in runs), default=None),
        high=max((high for _, high in runs), default=None),
        touched=sum(high - low for low, high in runs),
        first_loss=losses[0] if losses else None,
        last_loss=losses[-1] if losses else None,
    )
