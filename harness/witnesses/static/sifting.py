"""What a condition on val tokens or on their losses decides: which losses enter a sum, and which weights are kept.

A condition sifts where it compares with something that is not next to nothing (`share > 0.05`, `loss > 1.5 * mean`), or
asks whether something was met before (`key in seen`). `n > 0` and `mask.any()` ask whether there is anything to add.
"""

from __future__ import annotations

import ast

from harness.intake import syntax
from harness.witnesses.static.events import Loss, Note
from harness.witnesses.static.machine import Env, Machine, Sieve
from harness.witnesses.static.values import Alt, Map, Seq, Taint, Val, Value, taint_of

SIFTED = "losses added under a condition"
"""What a note says of such a sum; its losses are those added."""

CHOSEN = "weights chosen by losses"
"""What a note says of a state that such a condition decides on; its losses are those that were compared."""

_NEXT_TO_NOTHING = (None, True, False, -1, 0, 1, 2, "")
_BOUNDS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
_MET = (ast.In, ast.NotIn)


def ask(m: Machine, number: int, node: ast.If, value: Value, env: Env) -> None:
    """Remember a condition that is taken both ways, where it can sift val."""
    taint = taint_of(value)
    passes_over = isinstance(node.body[-1], ast.Continue)
    sifting = (p for p in parts(node.test) if sifts(p, passes_over) and not empty(p, env))
    if (taint.reads("val") or of_val(m, taint)) and any(sifting):
        m.sieves[number] = Sieve(m.file, node.lineno, of_val(m, taint))


def of_val(m: Machine, taint: Taint) -> frozenset[int]:
    """The losses of val tokens in it."""
    return frozenset(n for n in taint.losses if isinstance(e := m.events[n], Loss) and e.on_val)


def parts(test: ast.expr) -> list[ast.expr]:
    """The conditions that `and`, `or` and `not` join."""
    if isinstance(test, ast.BoolOp):
        return [part for value in test.values for part in parts(value)]
    return parts(test.operand) if isinstance(test, ast.UnaryOp) else [test]


def sifts(test: ast.expr, passes_over: bool) -> bool:
    """Whether one comparison can let some through and keep others out; what was met before does where it is passed over."""
    if not (isinstance(test, ast.Compare) and len(test.ops) == 1):
        return False
    if not isinstance(test.ops[0], (*_BOUNDS, *(_MET if passes_over else ()))):
        return False
    sides = (test.left, test.comparators[0])
    if any(isinstance(s, ast.Constant) and s.value in _NEXT_TO_NOTHING for s in sides):
        return False
    return not any(
        isinstance(n, ast.Attribute | ast.Name) and _name(n) in ("shape", "numel", "len")
        for n in syntax.nodes(test)
    )


def empty(test: ast.expr, env: Env) -> bool:
    """Whether two places in val are compared (`end <= begin`), which asks whether there is anything between them."""
    sides = (test.left, test.comparators[0]) if isinstance(test, ast.Compare) else ()
    held = [taint_of(env.lookup(s.id)) for s in sides if isinstance(s, ast.Name)]
    return len(held) == 2 and all(t.reads("val") and not (t.losses or t.states) for t in held)


def _name(node: ast.Attribute | ast.Name) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id


def add(m: Machine, value: Value) -> None:
    """Note a sum to which losses of val are added, with the conditions that let them through."""
    taint = taint_of(value)
    if not (m.sieves and taint.losses and of_val(m, taint)):
        return
    ways = [(n, way) for n, way, _ in m.guards if n in m.sieves]
    if ways:
        m.emit(Note(**m.where(), what=SIFTED, losses=taint.losses))


def keep(m: Machine, number: int, before: dict[str, Value], joined: dict[str, Value]) -> None:
    """Mark what a condition on losses assigned: `if loss < best: best, state = loss, tried`."""
    if number not in m.sieves or not m.sieves[number].losses:
        return
    mark = ("chosen", number)
    for name, value in joined.items():
        if value is not before.get(name):
            joined[name] = tint(value, mark)


def tint(value: Value, *marks: tuple[str, object]) -> Value:
    """The value with marks; objects and arrays that are written in place are left as they are."""
    if not marks:
        return value
    if isinstance(value, Val) and not (value.storage or value.own):
        return value.tinted(value.taint.with_marks(*marks))
    if isinstance(value, Seq) and value.kind == "tuple" and value.box.items is not None:
        return Seq([tint(item, *marks) for item in value.box.items], "tuple", value.taint.with_marks(*marks))
    if isinstance(value, Map):
        return value.view(value.taint.with_marks(*marks))
    if isinstance(value, Alt):
        return Alt(tuple(tint(option, *marks) for option in value.options))
    return value


def written(m: Machine, taint: Taint) -> Taint:
    """The taint of a container that is written to while a condition on losses holds."""
    marks = [("chosen", n) for n, _, _ in m.guards if n in m.sieves and m.sieves[n].losses]
    return taint.with_marks(*marks) if marks else taint


def chosen(taint: Taint) -> frozenset[tuple[str, object]]:
    """The marks of the conditions on losses that chose a value."""
    return frozenset(mark for mark in taint.marks if mark[0] == "chosen")


def set_state(m: Machine, brought: Taint) -> None:
    """Note that weights are set to what a condition on losses chose, or where one holds."""
    numbers = {n for n, _, _ in m.guards} | {mark[1] for mark in chosen(brought)}
    losses = frozenset(loss for n in numbers if n in m.sieves for loss in m.sieves[n].losses)
    if losses:
        m.emit(Note(**m.where(), what=CHOSEN, losses=losses))
