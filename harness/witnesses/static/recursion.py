"""Functions that call themselves: each call inside the other is a round of a loop, and its arguments choose the tokens."""

from __future__ import annotations

import ast

from harness.intake import syntax
from harness.witnesses.static import cursors
from harness.witnesses.static.machine import Env, Machine
from harness.witnesses.static.values import Fn, Val


def enter(m: Machine, function: Fn, env: Env) -> bool:
    """Begin a round where a function calls itself; whether it did. The caller takes the loop off again."""
    node = function.node
    if isinstance(node, ast.Lambda) or not _calls_itself(node):
        return False
    key = id(node)
    number = m.calling.count(key)
    if number == 0:
        m.recursions[key] = m.fresh()
    loop = m.recursions[key]
    m.loops.append((loop, number, node, len(m.frames)))
    for name, value in list(env.vars.items()):
        if isinstance(value, Val) and value.own is None and cursors.movable(value):
            env.vars[name] = cursors.moved(value, loop, number)
    return True


def _calls_itself(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    cached = getattr(node, "_recursive", None)
    if cached is None:
        cached = any(
            isinstance(part, ast.Call) and _names(part.func, node.name)
            for statement in node.body
            for part in syntax.nodes(statement)
        )
        node._recursive = cached  # type: ignore[union-attr]
    return bool(cached)


def _names(called: ast.expr, name: str) -> bool:
    """Whether it is the function itself, or the method of the same instance."""
    if isinstance(called, ast.Attribute):
        return (
            called.attr == name and isinstance(called.value, ast.Name) and called.value.id in ("self", "cls")
        )
    return isinstance(called, ast.Name) and called.id == name
