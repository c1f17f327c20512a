"""Which part of a window a loss is of: its beginning, which earlier windows scored, or its end.

Adapting to the beginning of a window and scoring its end is score-first where windows overlap; no organizer has ruled on it
for tensors beside the model (issue 1336). Which part is which only the names of the bounds tell, so it makes a doubt.
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterable
from typing import Any

from harness.witnesses.static.events import Loss, Printed
from harness.witnesses.static.machine import Machine
from harness.witnesses.static.order import Conflict
from harness.witnesses.static.values import NO, Taint, Value, const

Mark = tuple[str, Any]

UNSCORED = "whether the part of the window that is trained on, which line {line} takes, is all scored in earlier windows"


def of_slice(m: Machine, taint: Taint, node: ast.Slice, upper: Value | None) -> Taint:
    """The taint of a slice of losses, targets or a mask: marked where it is a beginning or an end of variable length."""
    end = "" if node.upper is None else ast.unparse(node.upper)
    if node.lower is None or (isinstance(node.lower, ast.Constant) and node.lower.value in (0, None)):
        return taint.with_marks(("head", (end, m.line))) if varies(m, node.upper, upper) else taint
    return taint if literal(node.lower) else taint.with_marks(("tail", end))


def varies(m: Machine, node: ast.expr | None, value: Value | None) -> bool:
    """Whether a bound is a number of the window's own: unknown, none at all, or a size less another (not less a number)."""
    if node is None or literal(node):
        return False
    known = const(value)
    assigned = m.sources[m.file].assigned
    names = [n.id for n in ast.walk(node) if isinstance(n, ast.Name)]
    sources = [node, *(source for name in names for source in assigned.get(name, []))]
    return known is NO or known == 0 or any(less(n) for source in sources for n in ast.walk(source))


def less(node: ast.AST) -> bool:
    """Whether a node takes a size from another."""
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub) and not literal(node.right)


def literal(node: ast.expr) -> bool:
    """Whether a bound stands in the source as a number."""
    return isinstance(node, ast.Constant) or (
        isinstance(node, ast.UnaryOp) and isinstance(node.operand, ast.Constant)
    )


def heads(marks: Iterable[Mark]) -> frozenset[Mark]:
    """The marks of beginnings among marks."""
    return frozenset(mark for mark in marks if mark[0] == "head")


def unbounded(marks: frozenset[Mark]) -> frozenset[Mark]:
    """The marks without those of beginnings and ends: which inputs a model was given says nothing of what is scored."""
    return frozenset(mark for mark in marks if mark[0] not in ("head", "tail"))


def doubted(m: Machine, line: Printed | None, conflict: Conflict) -> Conflict:
    """The conflict, in doubt where only beginnings were trained on and only ends are scored."""
    events = [e for n in conflict.update.losses if isinstance(e := m.events[n], Loss) and e.on_val]
    if not conflict.certain or conflict.again or not events or any(e.number in m.whole for e in events):
        return conflict
    trained = frozenset[Mark]().union(*(m.heads.get(e.number, ()) for e in events))
    scored = conflict.loss.marks | (line.marks if line is not None else frozenset())
    ends = {mark[1] for mark in scored if mark[0] == "tail"}
    if not trained or not ends or any(mark[1][0] in ends for mark in trained):
        return conflict
    taken = min(mark[1][1] for mark in trained)
    return dataclasses.replace(conflict, certain=False, doubt=UNSCORED.format(line=taken))
