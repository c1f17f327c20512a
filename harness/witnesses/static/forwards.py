"""Forward passes seen before: a model called again with arguments of the same form does the same to other tokens.

Following a model's layers is most of the work on a script, and a script calls its model from a dozen places. What the
first call did is replayed for later ones: its losses are noted anew, for the tokens, loops and states of this call.
Anything that a replay could get wrong is followed in full.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from harness.witnesses.static.events import Event, Loss, Note
from harness.witnesses.static.folding import add_affine
from harness.witnesses.static.machine import Machine
from harness.witnesses.static.values import (
    CLEAN,
    EMPTY,
    NO,
    Alt,
    Fn,
    Obj,
    Seq,
    Taint,
    Token,
    Val,
    Value,
    is_module,
    taint_of,
)

Run = Callable[[], Value]

SKIPPED = frozenset(("__init__", "reset", "train", "eval"))


@dataclasses.dataclass
class Pass:
    """What a forward pass did: its arguments' taints, the state it met, its events, its result."""

    taints: list[Taint]
    updates: frozenset[int]
    depth: int
    loops: int
    guards: int
    events: list[Event]
    result: Value


class Unlike(Exception):
    """This call cannot be replayed from the recorded one."""


def call(m: Machine, function: Fn, args: list[Value], kwargs: dict[str, Value], run: Run) -> Value:
    """Run a function; a whole model's forward pass is replayed where one of the same form is known."""
    key = key_of(m, function, args, kwargs)
    if key is None:
        return run()
    known = m.passes.get(key)
    given = [*args, *kwargs.values()]
    if known is None:
        return record(m, key, function, given, run)
    if known is not NO:
        try:
            return replay(m, known, function, given)
        except Unlike:
            pass
    return run()


def key_of(m: Machine, function: Fn, args: list[Value], kwargs: dict[str, Value]) -> Any:
    """What makes two calls of the same form; None for calls that are not of a whole model on tokens."""
    owner = function.self
    if not isinstance(owner, Obj) or m.inside or m.hooks or function.name in SKIPPED:
        return None
    if owner.parent is not None or not is_module(owner):
        return None
    forms = [form(value) for value in args]
    named = sorted((name, form(value)) for name, value in kwargs.items())
    if None in forms or any(f is None for _, f in named) or not any(taint_of(a).tokens for a in args):
        return None
    return (id(function.node), owner.number, owner.evaluating, m.version, tuple(forms), tuple(named))


def form(value: Value) -> Any:
    """The form of an argument: what a forward pass may branch on. None where that cannot be told."""
    if isinstance(value, Obj):
        return ("object", value.number)
    if isinstance(value, Alt):
        forms = [form(option) for option in value.options]
        return ("one of", tuple(forms)) if None not in forms else None
    if isinstance(value, Val):
        known = value.const if isinstance(value.const, int | float | str | bool | type(None)) else NO
        taint = value.taint
        streams = tuple(sorted({t.stream for t in taint.tokens}))
        plain = bool(taint.states), bool(taint.losses), bool(taint.marks)
        return ("value", type(known).__name__, known if known is not NO else "?", streams, plain)
    return None


def record(m: Machine, key: Any, function: Fn, given: list[Value], run: Run) -> Value:
    """Follow a forward pass in full and remember what it did."""
    before = len(m.events)
    taints = [taint_of(v) for v in given]
    updates = updates_met(m, function, given)
    m.inside = True
    try:
        result = run()
    finally:
        m.inside = False
    events = m.events[before:]
    fit = all(isinstance(e, Loss | Note) for e in events) and replayable(result)
    m.passes[key] = (
        Pass(taints, updates, len(m.frames), len(m.loops), len(m.guards), events, result) if fit else NO
    )
    return result


def replayable(result: Value) -> bool:
    """Whether a result is made of plain values only."""
    if isinstance(result, Seq):
        return result.box.any is None and all(replayable(i) for i in result.box.items or [])
    return isinstance(result, Val) and result.own is None


def updates_met(m: Machine, function: Fn, given: list[Value]) -> frozenset[int]:
    """The updates in the state of everything that takes part in a call."""
    from harness.witnesses.static.methods import all_updates

    found: frozenset[int] = EMPTY
    for value in (function.self, *given):
        for option in value.options if isinstance(value, Alt) else (value,):
            if isinstance(option, Obj):
                found = found | all_updates(option)
            else:
                found = found | taint_of(option).updates
    return found


class Substitution:
    """From the tokens, loops and updates of a recorded call to those of this one."""

    def __init__(self, m: Machine, known: Pass, function: Fn, given: list[Value]) -> None:
        self.now = [taint_of(v) for v in given]
        self.known = known
        self.updates = updates_met(m, function, given)
        self.numbers: dict[int, int] = {}
        self.all_tokens: frozenset[Token] = EMPTY
        self.old_deps: frozenset[tuple[int, int]] = EMPTY
        for old, new in zip(known.taints, self.now, strict=True):
            self.old_deps = self.old_deps | old.deps
            self.all_tokens = self.all_tokens | new.tokens

    def of_targets(self, tokens: frozenset[Token]) -> frozenset[Token]:
        """The target tokens of this call: those of the argument that the recorded targets came from."""
        for old, new in zip(self.known.taints, self.now, strict=True):
            if old.tokens and old.tokens == tokens:
                return new.tokens
        for old, new in zip(self.known.taints, self.now, strict=True):
            if len(old.tokens) == len(tokens) == 1:
                return moved(next(iter(old.tokens)), next(iter(tokens)), new.tokens)
        raise Unlike

    def of_tokens(self, tokens: frozenset[Token]) -> frozenset[Token]:
        """The tokens that a model's output may come from: all that this call was given."""
        return self.all_tokens if tokens else tokens

    def of_deps(self, deps: frozenset[tuple[int, int]]) -> frozenset[tuple[int, int]]:
        """Loop iterations: each argument that chose a recorded value chooses this one."""
        found = deps - self.old_deps
        for old, new in zip(self.known.taints, self.now, strict=True):
            if old.deps <= deps:
                found = found | new.deps
        return found

    def of_updates(self, updates: frozenset[int]) -> frozenset[int]:
        """The state that this call meets, where the recorded one met its own."""
        return (updates - self.known.updates) | self.updates

    def of_losses(self, losses: frozenset[int]) -> frozenset[int]:
        """Losses noted by this call, for those noted by the recorded one."""
        return frozenset(self.numbers.get(n, n) for n in losses)

    def of_taint(self, taint: Taint) -> Taint:
        """A whole taint."""
        if taint is CLEAN:
            return taint
        touched = bool(taint.states) or bool(taint.updates)
        return Taint(
            self.of_tokens(taint.tokens),
            self.of_losses(taint.losses),
            self.of_updates(taint.updates) if touched else taint.updates,
            taint.states,
            taint.marks,
            self.of_deps(taint.deps),
        )

    def of_value(self, value: Value) -> Value:
        """A result."""
        if isinstance(value, Seq):
            items = [self.of_value(i) for i in value.box.items or []]
            return Seq(items, value.kind, self.of_taint(value.taint))
        assert isinstance(value, Val)
        made = Val(value.const, self.of_taint(value.taint), text=value.text)
        made.low, made.high = value.low, value.high
        return made


def moved(given: Token, target: Token, tokens: frozenset[Token]) -> frozenset[Token]:
    """Targets that begin further on than the argument they came from (heads that predict later tokens)."""
    if given.start is None or target.start is None or given.stream != target.stream:
        raise Unlike
    further = add_affine(target.start, given.start, -1)
    return frozenset(
        t._replace(start=add_affine(t.start, further, 1) if t.start is not None else None, read=target.read)
        for t in tokens
    )


def replay(m: Machine, known: Pass, function: Fn, given: list[Value]) -> Value:
    """Note the recorded events anew and give the result. Raises Unlike before anything is noted."""
    change = Substitution(m, known, function, given)
    targets = iter([change.of_targets(e.targets) for e in known.events if isinstance(e, Loss)])
    for event in known.events:
        where: dict[str, Any] = {
            "number": len(m.events),
            "frames": (*m.frames, (m.file, m.line), *event.frames[known.depth + 1 :]),
            "functions": (*m.names, *event.functions[known.depth :]),
            "loops": (*m.loops, *event.loops[known.loops :]),
            "guards": (*m.guards, *event.guards[known.guards :]),
        }
        if isinstance(event, Loss):
            where |= {
                "targets": next(targets),
                "context": change.of_tokens(event.context),
                "region": change.of_deps(event.region),
                "updates": change.of_updates(event.updates) if event.states else event.updates,
                "parents": change.of_losses(event.parents),
            }
        change.numbers[event.number] = m.emit(dataclasses.replace(event, **where))
    return change.of_value(known.result)
