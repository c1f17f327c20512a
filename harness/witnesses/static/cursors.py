"""Numbers that go forward with each round of a loop: `begin = end`, `self.pos += size`.

Such a cursor chooses the tokens of a round as the variable of a `for` loop does, so two rounds concern different tokens.
It may be a name, an attribute or an entry of a dictionary, and a function that the loop calls may move it. What the loop
also sets back (to a constant, by a remainder, by a loop of its own) is none.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from harness.intake import syntax
from harness.witnesses.static.machine import Env, Machine
from harness.witnesses.static.places import ATTRIBUTE, ENTRY, OWN, RETURNED, Function, Given, Place, Places
from harness.witnesses.static.values import NO, Fn, Map, Obj, Taint, Val, Value, is_module

Loop = ast.For | ast.AsyncFor | ast.While
_FORWARD = (ast.Add, ast.Sub)


def advance(m: Machine, node: Loop, loop: int, number: int, env: Env) -> None:
    """Let the cursors of a loop be chosen by this round alone."""
    for place in sorted(cursors(node, m.sources[m.file].by_name)):
        for held, key in holders(m, place, env):
            value = held[key]
            if isinstance(value, Val) and movable(value):
                held[key] = moved(value, loop, number)


def movable(value: Val) -> bool:
    """Whether a value can be a number that says where tokens begin."""
    taint = value.taint
    return not (value.storage or taint.tokens or taint.losses or taint.states or taint.updates)


def moved(value: Val, loop: int, number: int) -> Val:
    """The value as this round of the loop chose it; after the first it is no constant."""
    deps = frozenset(dep for dep in value.taint.deps if dep[0] != loop) | {(loop, number)}
    result = value.tinted(Taint(marks=value.taint.marks, deps=deps))
    if number and isinstance(value.const, int | float):
        result.const, result.high, result.affine = NO, None, None
    return result


def holders(m: Machine, place: Place, env: Env) -> Iterator[tuple[dict[str, Value], str]]:
    """Where the values of a place are held: (a dictionary of ours, its key)."""
    kind, name = place
    if kind == OWN:
        found = next((scope for scope in scopes(env) if name in scope.vars), None)
        if found is not None:
            yield found.vars, name
    elif kind == ATTRIBUTE:
        for obj in list(m.objects.values()):
            if name in obj.attrs and not is_module(obj):
                yield obj.attrs, name
    elif kind == ENTRY:
        key = ast.literal_eval(name)
        for entries in maps(env):
            if key in entries:
                yield entries, key


def maps(env: Env) -> Iterator[dict[str, Value]]:
    """The dictionaries that a scope can name."""
    for scope in around(env):
        for value in list(scope.vars.values()):
            if isinstance(value, Map):
                yield value.items
            elif isinstance(value, Obj):
                yield from (v.items for v in value.attrs.values() if isinstance(v, Map))


def scopes(env: Env) -> Iterator[Env]:
    """A scope, those around it, and those that functions with names in it close over."""
    yield from around(env)
    for scope in around(env):
        for value in list(scope.vars.values()):
            if isinstance(value, Fn) and value.env is not scope:
                yield from around(value.env)


def around(env: Env) -> Iterator[Env]:
    """A scope and those around it."""
    scope: Env | None = env
    while scope is not None:
        yield scope
        scope = scope.parent


def cursors(node: Loop, functions: Mapping[str, list[Function]]) -> frozenset[Place]:
    """The places that every round of a loop moves forward."""
    cached = getattr(node, "_cursors", None)
    if cached is None:
        cached = frozenset(_find(node, functions))
        node._cursors = cached  # type: ignore[union-attr]
    return frozenset(cached)


def _find(node: Loop, functions: Mapping[str, list[Function]]) -> Iterator[Place]:
    places = Places(functions)
    if isinstance(node, ast.While):
        places.read([ast.Expr(node.test)])
    places.read(node.body)
    steady = {
        place: [v for v in values if v is not None]
        for place, values in places.assigned.items()
        if _forward(values)
    }
    for place in steady:
        if place[0] in (OWN, ATTRIBUTE, ENTRY):
            reached, forward = _reached(place, steady, places)
            if place in reached and forward:
                yield place


def _forward(values: list[Given | None]) -> bool:
    """Whether none of the values sets a place back."""
    return all(
        given is not None
        and not isinstance(given.value, ast.Constant | ast.IfExp)
        and not any(isinstance(n, ast.BinOp) and isinstance(n.op, ast.Mod) for n in syntax.nodes(given.value))
        for given in values
    )


def _reached(place: Place, steady: dict[Place, list[Given]], places: Places) -> tuple[set[Place], bool]:
    """The places that the next value of one is made from, and whether something is added on the way."""
    reached: set[Place] = set()
    forward = False
    todo = [place]
    while todo:
        for given in steady[todo.pop()]:
            adds, parts = _made_from(given.value)
            forward |= adds
            for part in parts:
                for source in _sources(part, given.scope, places):
                    if source in steady and source not in reached:
                        reached.add(source)
                        todo.append(source)
    return reached, forward


def _made_from(value: ast.expr) -> tuple[bool, list[ast.AST]]:
    """Whether an expression adds or subtracts, and the nodes in it that read a place; kept with it."""
    kept: tuple[bool, list[ast.AST]] | None = getattr(value, "_made_from", None)
    if kept is None:
        parts = syntax.nodes(value)
        adds = any(isinstance(p, ast.BinOp) and isinstance(p.op, _FORWARD) for p in parts)
        reads: list[ast.AST] = [
            p for p in parts if isinstance(p, ast.Call | ast.Name | ast.Attribute | ast.Subscript)
        ]
        kept = adds, reads
        value._made_from = kept  # type: ignore[attr-defined]
    return kept


def _sources(part: ast.AST, scope: str, places: Places) -> Iterator[Place]:
    """The places that a node reads: its own, and what the functions that it calls return."""
    if isinstance(part, ast.Call):
        yield from ((str(function.lineno), RETURNED) for function in places.called(part))
    elif isinstance(part, ast.expr) and (place := places.place(part, scope)) is not None:
        yield place
