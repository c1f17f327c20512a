"""Numbers that go forward with each round of a loop: `begin = end`, `pos += size`.

Such a cursor chooses the tokens of a round as the variable of a `for` loop does, so two rounds concern different tokens.
A name that the loop also sets back (to a constant, by a remainder, by a loop of its own) is none.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from harness.intake import syntax
from harness.witnesses.static.machine import Env
from harness.witnesses.static.values import Taint, Val

Loop = ast.For | ast.AsyncFor | ast.While
_FORWARD = (ast.Add, ast.Sub)


def advance(node: Loop, loop: int, number: int, env: Env) -> None:
    """Let the cursors of a loop be chosen by this round alone."""
    for name in cursors(node):
        value = env.vars.get(name)
        if not isinstance(value, Val) or value.storage:
            continue
        taint = value.taint
        if taint.tokens or taint.losses or taint.states or taint.updates:
            continue
        deps = frozenset(dep for dep in taint.deps if dep[0] != loop) | {(loop, number)}
        moved = Val(value.const, Taint(marks=taint.marks, deps=deps), text=value.text)
        moved.low, moved.high, moved.own, moved.param = value.low, value.high, value.own, value.param
        moved.affine = value.affine
        env.vars[name] = moved


def cursors(node: Loop) -> frozenset[str]:
    """The names that every round of a loop moves forward."""
    cached = getattr(node, "_cursors", None)
    if cached is None:
        cached = frozenset(_find(node))
        node._cursors = cached  # type: ignore[union-attr]
    return frozenset(cached)


def _find(node: Loop) -> Iterator[str]:
    assigned: dict[str, list[ast.expr | None]] = {}
    for statement in node.body:
        for part in syntax.nodes(statement):
            for name, value in _assignments(part):
                assigned.setdefault(name, []).append(value)
    steady = {
        name: [v for v in values if v is not None] for name, values in assigned.items() if _forward(values)
    }
    for name in steady:
        reached, forward = _reached(name, steady)
        if name in reached and forward:
            yield name


def _forward(values: list[ast.expr | None]) -> bool:
    """Whether none of the values sets a name back."""
    return all(
        value is not None
        and not isinstance(value, ast.Constant | ast.IfExp)
        and not any(isinstance(n, ast.BinOp) and isinstance(n.op, ast.Mod) for n in ast.walk(value))
        for value in values
    )


def _reached(name: str, steady: dict[str, list[ast.expr]]) -> tuple[set[str], bool]:
    """The names that the next value of a name is made from, and whether something is added on the way."""
    reached: set[str] = set()
    forward = False
    todo = [name]
    while todo:
        for value in steady[todo.pop()]:
            forward |= any(isinstance(n, ast.BinOp) and isinstance(n.op, _FORWARD) for n in ast.walk(value))
            for part in ast.walk(value):
                if isinstance(part, ast.Name) and part.id in steady and part.id not in reached:
                    reached.add(part.id)
                    todo.append(part.id)
    return reached, forward


def _assignments(part: ast.AST) -> Iterator[tuple[str, ast.expr | None]]:
    """The names that a statement sets and to what; None where that is not one expression."""
    if isinstance(part, ast.AugAssign) and isinstance(part.target, ast.Name):
        held = ast.Name(part.target.id, ast.Load())
        yield part.target.id, ast.BinOp(held, part.op, part.value)
    elif isinstance(part, ast.Assign):
        for target in part.targets:
            yield from _pairs(target, part.value)
    elif isinstance(part, ast.For | ast.AsyncFor):
        yield from _pairs(part.target, None)
    elif isinstance(part, ast.NamedExpr | ast.AnnAssign) and isinstance(part.target, ast.Name):
        yield part.target.id, part.value


def _pairs(target: ast.expr, value: ast.expr | None) -> Iterator[tuple[str, ast.expr | None]]:
    """The names of a target, each with its part of the value."""
    if isinstance(target, ast.Name):
        yield target.id, value
    elif isinstance(target, ast.Tuple | ast.List):
        parts = value.elts if isinstance(value, ast.Tuple | ast.List) else []
        same = len(parts) == len(target.elts)
        for number, inner in enumerate(target.elts):
            yield from _pairs(inner, parts[number] if same else None)
    elif isinstance(target, ast.Starred):
        yield from _pairs(target.value, None)
