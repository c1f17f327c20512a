"""Losses: where the probability of target tokens is taken from a model's output."""

from __future__ import annotations

from harness.witnesses.static.events import Loss
from harness.witnesses.static.machine import Machine
from harness.witnesses.static.values import EMPTY, Taint, Token, Val, Value, taint_of


def note(m: Machine, kind: str, output: Value, target: Value) -> Val:
    """Note a loss of `target` under `output`; the value of the loss.

    The loss remembers the model states and updates in `output`; what flows on is only the loss itself.
    """
    made = taint_of(output)
    wanted = taint_of(target)
    if not wanted.tokens:
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
            marks=made.marks | wanted.marks,
            parents=made.losses,
        )
    )
    return Taint(EMPTY, frozenset((number,)), EMPTY, EMPTY, EMPTY, made.deps | wanted.deps)


def streams(tokens: frozenset[Token]) -> frozenset[Token]:
    """The target tokens of a loss."""
    return tokens
