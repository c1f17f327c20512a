"""What an operation on two tainted values makes of them, where a loss meets a state that is not its own.

A loss already knows the state that made it. When it is combined with something else that val tokens updated (a table, a
second model), the result is a new loss whose state is both: that is what a mixture is.
"""

from __future__ import annotations

from harness.witnesses.static.events import Blend, Choice, Lookup, Loss
from harness.witnesses.static.machine import Machine
from harness.witnesses.static.values import CLEAN, EMPTY, Taint

SUMS = frozenset(("Add", "add", "logsumexp", "lerp"))
"""Operations that put a second source beside a probability."""


def combine(m: Machine, a: Taint, b: Taint, how: str) -> Taint:
    """The taint of an operation on two values."""
    if b is CLEAN or a is b:
        return a
    if a is CLEAN:
        return b
    taint = a | b
    if a.losses and b.losses and taint.marks:
        pivot(m, a, b)
    elif taint.losses and (how == "Mult" or how in SUMS):
        taint = beside(m, taint, *((a, b) if a.losses else (b, a)), how)
    if taint.losses and (taint.updates or mixes(taint)) and (a.losses or b.losses):
        weighted = how == "Mult" and (weighs(m, a, b) or weighs(m, b, a))
        result = absorb(m, taint, a, b, how)
        return result.with_marks(("weighted", m.line)) if weighted else result
    return taint


def beside(m: Machine, taint: Taint, loss: Taint, other: Taint, how: str) -> Taint:
    """Note a number that token ids of val were asked for (no loss, no model's output, no entry of a table that val fills)
    where it meets a loss: as a factor, which is a mark for what comes later, or as a summand."""
    if other.states or mixes(other) or not any(t.stream == "val" and t.read >= 0 for t in other.tokens):
        return taint
    factor = how == "Mult"
    weights = frozenset(mark[1] for mark in loss.marks if mark[0] == "factor")
    number = m.emit(
        Blend(**m.where(), losses=loss.losses, tokens=other.tokens, factor=factor, weights=weights)
    )
    return taint.with_marks(("factor", number)) if factor else taint


def weighs(m: Machine, weight: Taint, entry: Taint) -> bool:
    """Whether a loss of the answer is the weight of a table's entry for the answer."""
    return bool(weight.losses) and not mixes(weight) and not entry.losses and asks_answer(m, entry)


def asks_answer(m: Machine, taint: Taint) -> bool:
    """Whether a value is a table's entry for the very token that is being scored, under its context."""
    found = [m.events[mark[1]] for mark in taint.marks if mark[0] == "lookup"]
    lookups = [e for e in found if isinstance(e, Lookup)]
    entry = any(e.current for e in lookups) and any(not e.current for e in lookups)
    return entry or any(e.inner for e in lookups)


def pivot(m: Machine, a: Taint, b: Taint) -> None:
    """A kept loss that meets the losses it was kept from was the pivot of a stable sum: no choice after all."""
    for kept, other in ((a, b), (b, a)):
        for mark in kept.marks:
            if mark[0] == "picked" and mark not in other.marks:
                event = m.events[mark[1]]
                if isinstance(event, Choice) and roots(m, other.losses) & (event.first | event.second):
                    m.pivots.add(event.number)


def roots(m: Machine, numbers: frozenset[int]) -> set[int]:
    """Losses and those they were made from."""
    seen: set[int] = set()
    todo = list(numbers)
    while todo:
        number = todo.pop()
        event = m.events[number]
        if number not in seen and isinstance(event, Loss):
            seen.add(number)
            todo.extend(event.parents)
    return seen


def mixes(taint: Taint) -> bool:
    """Whether table lookups are in it."""
    return any(mark[0] == "lookup" for mark in taint.marks)


def absorb(m: Machine, taint: Taint, a: Taint, b: Taint, how: str) -> Taint:
    """Make the new loss of a loss and what is mixed into it."""
    if not loss_and_other(a, b):
        return taint
    key = ("mix", m.file, m.line, taint.losses, taint.updates, taint.marks, m.loop_numbers())
    number = m.memo.get(key)
    if number is None:
        parents = [e for n in taint.losses if isinstance(e := m.events[n], Loss)]
        number = m.emit(
            Loss(
                **m.where(),
                kind="mixture" if how != "min" else "min",
                targets=frozenset().union(*(p.targets for p in parents)),
                context=frozenset().union(*(p.context for p in parents), taint.tokens),
                region=frozenset().union(*(p.region for p in parents), running(m, a if a.losses else b)),
                states=taint.states.union(*(p.states for p in parents)),
                updates=taint.updates.union(*(p.updates for p in parents)),
                marks=taint.marks.union(*(p.marks for p in parents)),
                parents=taint.losses,
            )
        )
        m.memo[key] = number
    return Taint(EMPTY, frozenset((number,)), EMPTY, EMPTY, EMPTY, taint.deps)


def loss_and_other(a: Taint, b: Taint) -> bool:
    """Whether one side is a loss and the other brings updates or lookups of its own."""
    first = bool(b.losses) and bool(a.updates or mixes(a))
    second = bool(a.losses) and bool(b.updates or mixes(b))
    return first or second


def running(m: Machine, taint: Taint) -> frozenset[tuple[int, int]]:
    """The iterations of running loops that chose a value: a slice of a loss is of fewer tokens than the whole."""
    now = {(step[0], step[1]) for step in m.loops}
    return taint.deps & now
