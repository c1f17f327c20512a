"""The shares of several processes: sums that go to the other processes, and functions that split val by rank."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

from harness.intake import syntax
from harness.witnesses.static import bending
from harness.witnesses.static.events import Note
from harness.witnesses.static.machine import Machine
from harness.witnesses.static.values import Ext, Val, Value, taint_of

TOGETHER = "losses of all processes brought together"
"""What a note says of a reduction or a gathering; its losses are those that went in."""

_RANK = re.compile(r"(?:^|_)rank$")


def together(m: Machine, values: Sequence[Value]) -> None:
    """Note what a call of torch.distributed is given, where losses are in it."""
    losses = frozenset(n for value in values for n in taint_of(value).losses)
    held = values[0] if values else None
    if isinstance(held, Val) and any(
        isinstance(v, Ext) and v.tail in ("MIN", "MAX", "PRODUCT") for v in values
    ):
        bending.bend(m, held, held.taint, "is the least or greatest of what the processes have", False)
    if losses:
        m.emit(Note(**m.where(), what=TOGETHER, losses=losses))


def splits(m: Machine, file: int, function: ast.FunctionDef) -> int:
    """The line where a function reckons with the number of its process (`rank * share`, `[rank::world]`) on the claimed
    path; 0 for none."""
    dead = [range(b.first, b.last + 1) for b in m.branches.values() if b.file == file]
    for node in syntax.nodes(function):
        if isinstance(node, ast.BinOp):
            found = isinstance(node.op, ast.Mult) and (named(node.left) or named(node.right))
        elif isinstance(node, ast.Compare):  # `i % world == rank`
            remainder = isinstance(node.left, ast.BinOp) and isinstance(node.left.op, ast.Mod)
            found = remainder and any(map(named, node.comparators))
        elif isinstance(node, ast.Slice):
            found = node.lower is not None and node.step is not None and named(node.lower)
        else:
            called = (
                isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range"
            )
            found = called and isinstance(node, ast.Call) and any(map(named, node.args))
        line = int(getattr(node, "lineno", 0)) or function.lineno
        if found and not any(line in lines for lines in dead):
            return line
    return 0


def named(node: ast.expr) -> bool:
    """Whether an expression is the number of the process."""
    name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
    return bool(_RANK.search(name))
