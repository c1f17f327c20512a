"""Losses: where the probability of target tokens is taken from a model's output."""

from __future__ import annotations

from harness.witnesses.static import parts
from harness.witnesses.static.events import Choice, Loss
from harness.witnesses.static.machine import Machine
from harness.witnesses.static.values import CLEAN, EMPTY, Taint, Token, Val, Value, taint_of


def note(m: Machine, kind: str, output: Value, target: Value) -> Val:
    """Note a loss of `target` under `output`; the value of the loss.

    The loss remembers the model states and updates in `output`; what flows on is only the loss itself.
    """
    made = taint_of(output)
    wanted = taint_of(target)
    if not wanted.tokens or any(mark[0] == "lookup" for mark in wanted.marks):
        # The probability of what a table proposes is no loss: the proposal was made before the answer came.
        return Val(taint=made | wanted)
    return Val(taint=record(m, kind, made, wanted))


def record(m: Machine, kind: str, made: Taint, wanted: Taint) -> Taint:
    """The taint of a noted loss."""
    targets = streams(wanted.tokens)
    number = m.emit(
        Loss(
            **m.where(),
            kind=kind,
            targets=targets,
            context=made.tokens,
            region=wanted.deps,
            states=made.states,
            updates=made.updates | wanted.updates,
            marks=parts.unbounded(made.marks) | wanted.marks,
            parents=made.losses,
        )
    )
    return Taint(EMPTY, frozenset((number,)), EMPTY, EMPTY, EMPTY, wanted.deps)


def streams(tokens: frozenset[Token]) -> frozenset[Token]:
    """The target tokens of a loss."""
    return tokens


def choose(m: Machine, *sides: Taint) -> Taint:
    """Note that losses were compared to keep one of them: two different val losses, or one and what a table says.

    The result is a mark for what was kept: where that meets the losses it was kept from again, it was only the pivot of
    a numerically stable sum, and no choice (see :func:`mixing.combine`).
    """
    scored = [found for side in sides if (found := on_val(m, side))]
    tabled = any(not on_val(m, s) and any(mark[0] == "lookup" for mark in s.marks) for s in sides)
    if len(scored) >= 2 and any(side != scored[0] for side in scored[1:]):
        second = frozenset[int]().union(*scored[1:])
        return CLEAN.with_marks(("picked", m.emit(Choice(**m.where(), first=scored[0], second=second))))
    if scored and tabled:
        return CLEAN.with_marks(("picked", m.emit(Choice(**m.where(), first=scored[0]))))
    return CLEAN


def on_val(m: Machine, taint: Taint) -> frozenset[int]:
    """The losses of val tokens in a taint."""
    return frozenset(n for n in taint.losses if isinstance(e := m.events[n], Loss) and e.on_val)
