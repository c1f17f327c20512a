"""In which order positions were scored and trained on: leaks, repeated scores, coverage, with the lines that did it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from harness.witnesses.trace.balance import Books, numbers_of
from harness.witnesses.trace.record import Frame, Ints, PrintEvent, Record, ScoreEvent, UpdateEvent

_TOP = ("<module>", "main")
MODULE, LOOSE, SUSPECT = 1, 2, 3
"""Kinds of state in the score table, as the watcher writes them."""


@dataclasses.dataclass(frozen=True)
class Leak:
    """Counted positions that were in the model's state when they were scored.

    `positions` is how many, `first` the first of them in order of scoring, `score` the frames of that score, `update`
    of the update before it that used it, `backward` of the gradient that fed the update. `rescored` tells that the
    position had been scored by the same evaluation before that update: a second look, not training in advance.
    `through_artifact` tells that the state was taken (saved, quantized) after it had learned the positions. `loose` tells
    that only tensors that no module owns knew them: an offset optimized for the tokens it then scores. `suspect` tells
    that the state took a value of unknown origin while other tensors knew the positions: it may know them.
    """

    positions: int
    first: int
    loss: float
    score: tuple[Frame, ...]
    update: tuple[Frame, ...]
    backward: tuple[Frame, ...]
    rescored: bool
    through_artifact: bool
    loose: bool
    suspect: bool


@dataclasses.dataclass(frozen=True)
class Coverage:
    """Which val positions enter the claimed number.

    `expected` is the number of positions after the first token; `scored` of those counted once or more, `repeated` of
    those counted more than once, `repeated_after_update` of those counted again after an update from val tokens,
    `missing_bos` of uncounted document starts, `missing_tail` of uncounted positions at the very end, `missing_inside`
    of the others. `longest_row` is the longest row of a counted batch and `largest_batch` the largest counted batch,
    in tokens.
    """

    expected: int
    scored: int
    repeated: int
    repeated_after_update: int
    missing_bos: int
    missing_tail: int
    missing_inside: int
    first_missing: int
    longest_row: int
    largest_batch: int


@dataclasses.dataclass(frozen=True)
class Selection:
    """Counted positions for which the lower of several scores was kept, and the frames of the code that kept it."""

    positions: int
    by: str
    frames: tuple[Frame, ...]


@dataclasses.dataclass(frozen=True)
class Turn:
    """How score and update take turns in the counted evaluation: the frames, innermost first, of a counted score and of
    the first update after it that used one of its positions."""

    score: tuple[Frame, ...]
    update: tuple[Frame, ...]


_SELECTIVE = 0.98
_CONTESTED = 32


def find_selection(record: Record, books: Books, numbers: Ints) -> Selection | None:
    """The choice among scores behind the claimed number, None where there is none.

    Overlapping windows may be merged by place; a selection by loss keeps the lower score nearly always.
    """
    counted = np.zeros(max(record.tokens, 1), bool)
    counted[record.position[books.rows]] = True
    if books.how.startswith("lowest"):
        rows = books.rows[np.argmax(numbers[books.rows])]
        return Selection(
            int(counted.sum()), "the lowest score of each position", _stack_at(record, int(numbers[rows]))
        )
    contested = np.zeros_like(counted)
    last = None
    for choice in record.choices:
        if choice.low >= _SELECTIVE:
            for a, b in choice.runs:
                contested[a:b] = True
            last = choice
    hit = int((contested & counted).sum())
    if last is None or hit < _CONTESTED:
        return None
    return Selection(hit, last.by, record.stacks.get(last.stack, ()))


def evaluated_at(record: Record, books: Books, numbers: Ints) -> int:
    """The line that runs the claimed evaluation: the outermost frame of its last score that no earlier score went through,
    else the outermost function's; 0 where the stack does not show it."""
    counted = numbers[books.rows]
    frames = _stack_at(record, int(counted.max()))
    outer = [f for f in frames if f.function != "<module>"] or list(frames)
    earlier = {s.stack for s in record.scores if s.q < int(counted.min())}
    shared = {
        record.stacks.get(stack, ())[-depth:] for stack in earlier for depth in range(1, len(frames) + 1)
    }
    for depth in range(1, len(frames) + 1):
        if frames[-depth] in outer and frames[-depth:] not in shared:
            return frames[-depth].line
    return outer[-1].line if outer else 0


def find_turn(record: Record, books: Books, numbers: Ints) -> Turn | None:
    """The first turn of score and update; None where nothing is learned from a position after its counted score."""
    first = np.full(max(record.tokens, 1), np.iinfo(np.int64).max)
    np.minimum.at(first, record.position[books.rows], numbers[books.rows])
    for update in record.updates:
        if update.kind == "update":
            before = [first[a:b][first[a:b] < update.q] for a, b in update.runs]
            scored = np.concatenate(before) if before else np.zeros(0, np.int64)
            if len(scored):
                frames = _stack_at(record, int(scored.max()))
                return Turn(frames, record.stacks.get(update.stack, ()))
    return None


def event_numbers(record: Record) -> Ints:
    """int64 [rows]: the sequence number of the score event of each row of the score table."""
    numbers = np.zeros(len(record.position), np.int64)
    for event in record.scores:
        numbers[event.first : event.first + event.count] = event.q
    return numbers


def find_leak(record: Record, books: Books, numbers: Ints, bos: Ints) -> Leak | None:
    """The leak of the counted scores; None when every counted position was scored by state that did not know it.

    Where documents begin (`bos`) is side information: training on the next one's BOS is none.
    """
    rows = books.rows
    leaked = rows[np.isin(record.kind[rows], (MODULE, LOOSE))]
    suspect = not len(leaked)
    if suspect:
        leaked = rows[record.kind[rows] == SUSPECT]
    text = leaked[~np.isin(record.position[leaked], bos)]
    if 2 * len(text) < len(leaked):
        leaked = text  # what was learned is where documents begin
    if not len(leaked):
        return None
    first = int(leaked[np.argmin(numbers[leaked])])
    position, update_q = int(record.position[first]), int(record.leak[first])
    score_stack = _stack_at(record, int(numbers[first]))
    update = next((u for u in record.updates if u.q == update_q), None)
    backward = _backward_of(record, position, update_q)
    update_frames = record.stacks.get(update.stack, ()) if update else ()
    return Leak(
        positions=len(np.unique(record.position[leaked])),
        first=position,
        loss=float(record.loss[first]),
        score=score_stack,
        update=update_frames,
        backward=record.stacks.get(backward.stack, ()) if backward else (),
        rescored=_rescored(record, leaked, numbers),
        loose=bool((record.kind[leaked] == LOOSE).mean() > 0.5),
        suspect=suspect,
        through_artifact=any(
            u.kind == "taken" and u.q < int(numbers[first]) and _holds(u, position) for u in record.updates
        ),
    )


def _holds(update: UpdateEvent, position: int) -> bool:
    return any(a <= position < b for a, b in update.runs)


def _backward_of(record: Record, position: int, before: int) -> UpdateEvent | None:
    passes = [u for u in record.updates if u.kind == "backward" and u.q <= before and _holds(u, position)]
    return passes[-1] if passes else None


def _stack_at(record: Record, q: int) -> tuple[Frame, ...]:
    event = next((s for s in record.scores if s.q == q), None)
    return record.stacks.get(event.stack, ()) if event else ()


def _functions(frames: tuple[Frame, ...]) -> set[tuple[str, str]]:
    return {(f.file, f.function) for f in frames if f.function not in _TOP}


def _rescored(record: Record, leaked: Ints, numbers: Ints) -> bool:
    """Were most leaked positions scored before they were first learned, by the evaluation that then learned them?

    That is a second look. A score by another evaluation, such as a monitoring pass before training, is none.
    """
    reported = [p for p in record.prints if numbers_of(p) is not None]
    sample = leaked[:: max(1, len(leaked) // 64)]
    events = {s.q: s for s in record.scores}
    updates = [u for u in record.updates if u.kind == "update"]
    again = 0
    for row in sample:
        position = int(record.position[row])
        update = next((u for u in updates if _holds(u, position)), None)
        counted = events.get(int(numbers[row]))
        if update is None or counted is None:
            continue
        earlier = np.nonzero(record.position == position)[0]
        for q in np.unique(numbers[earlier[numbers[earlier] < update.q]]):
            event = events[int(q)]
            if event.stack == counted.stack or (
                not event.grad
                and _shared(record, event.stack, update.stack)
                and not _monitoring(record, event, update, reported)
            ):
                again += 1
                break
    return again * 2 > len(sample)


def _shared(record: Record, one: int, other: int) -> bool:
    """Do two stacks part in a function of the script that both are in, the main program aside?"""
    parting = None
    for a, b in zip(record.stacks.get(one, ())[::-1], record.stacks.get(other, ())[::-1], strict=False):
        if (a.file, a.function) != (b.file, b.function):
            break
        parting = a.function
        if a.line != b.line:
            break
    return parting is not None and parting not in _TOP


def _monitoring(
    record: Record, event: ScoreEvent, update: UpdateEvent, reported: Sequence[PrintEvent]
) -> bool:
    """Was the score part of a pass that was over, and a number printed of it, before the update?"""
    last = max(s.q for s in record.scores if s.stack == event.stack)
    return any(last < p.q < update.q for p in reported)


def coverage(record: Record, books: Books, numbers: Ints, bos: Ints) -> Coverage:
    """Coverage of the val stream by the counted scores. `bos` are the positions where documents begin."""
    rows = books.rows
    counts = np.bincount(record.position[rows], minlength=record.tokens)[: record.tokens]
    missing = np.nonzero(counts[1:] == 0)[0] + 1
    is_bos = np.zeros(record.tokens, bool)
    is_bos[bos[bos < record.tokens]] = True
    tail = _tail(missing, record.tokens)
    rest = missing[: len(missing) - tail]
    inside = rest[~is_bos[rest]]
    chosen = set(np.unique(numbers[rows]).tolist())
    events = [s for s in record.scores if s.q in chosen]
    return Coverage(
        expected=max(0, record.tokens - 1),
        scored=int((counts[1:] > 0).sum()),
        repeated=int((counts > 1).sum()),
        repeated_after_update=_repeated_after_update(record, rows, numbers),
        missing_bos=int(is_bos[rest].sum()),
        missing_tail=tail,
        missing_inside=len(inside),
        first_missing=int(inside[0]) if len(inside) else -1,
        longest_row=max((s.count // s.rows for s in events), default=0),
        largest_batch=max((s.count for s in events), default=0),
    )


def _tail(missing: Ints, tokens: int) -> int:
    """How many positions at the end of the stream are missing without a gap."""
    length = 0
    for position in missing[::-1]:
        if position != tokens - 1 - length:
            break
        length += 1
    return length


def _repeated_after_update(record: Record, rows: Ints, numbers: Ints) -> int:
    """How many positions count twice with an update from val tokens between the two."""
    updates = np.array(sorted(u.q for u in record.updates if u.kind == "update"), np.int64)
    order = np.lexsort((numbers[rows], record.position[rows]))
    position, when = record.position[rows][order], numbers[rows][order]
    same = position[1:] == position[:-1]
    between = np.searchsorted(updates, when[1:]) > np.searchsorted(updates, when[:-1])
    return len(np.unique(position[1:][same & between]))
