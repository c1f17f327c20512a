"""Sums of losses that a condition on val tokens or on the losses themselves lets through: what it keeps out is not scored.

A condition sifts where it compares with something that is not next to nothing (`share > 0.05`, `loss > 1.5 * mean`), or
asks whether something was met before (`key in seen`). `n > 0` and `mask.any()` ask whether there is anything to add.
"""

from __future__ import annotations

import ast

from harness.intake import syntax
from harness.witnesses.static.events import Loss, Note
from harness.witnesses.static.machine import Machine
from harness.witnesses.static.values import Taint, Value, taint_of

SIFTED = "losses added under a condition"
"""What a note says of such a sum; its losses are those added."""

_NEXT_TO_NOTHING = (None, True, False, -1, 0, 1, 2, "")
_BOUNDS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn)


def ask(m: Machine, number: int, test: ast.expr, value: Value) -> None:
    """Remember a condition that is taken both ways, where it can sift val."""
    taint = taint_of(value)
    if (taint.reads("val") or of_val(m, taint)) and any(sifts(part) for part in parts(test)):
        m.sieves[number] = (m.file, test.lineno)


def of_val(m: Machine, taint: Taint) -> bool:
    """Whether losses of val tokens are in it."""
    return any(isinstance(e := m.events[n], Loss) and e.on_val for n in taint.losses)


def parts(test: ast.expr) -> list[ast.expr]:
    """The conditions that `and`, `or` and `not` join."""
    if isinstance(test, ast.BoolOp):
        return [part for value in test.values for part in parts(value)]
    return parts(test.operand) if isinstance(test, ast.UnaryOp) else [test]


def sifts(test: ast.expr) -> bool:
    """Whether one comparison can let some through and keep others out."""
    if not (isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], _BOUNDS)):
        return False
    sides = (test.left, test.comparators[0])
    if any(isinstance(s, ast.Constant) and s.value in _NEXT_TO_NOTHING for s in sides):
        return False
    return not any(
        isinstance(n, ast.Attribute | ast.Name) and _name(n) in ("shape", "numel", "len")
        for n in syntax.nodes(test)
    )


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
