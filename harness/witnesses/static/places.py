"""What the rounds of a loop assign, in its body and in the functions that it calls: names, attributes, entries.

A place is (scope, name): the scope is "" for the names that the loop's own function shares, "." for an attribute of
whatever object, "[" for an entry of whatever dictionary, else the number of a called function, for its own names.
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from harness.intake import syntax

Place = tuple[str, str]
Function = ast.FunctionDef | ast.AsyncFunctionDef

OWN, ATTRIBUTE, ENTRY = "", ".", "["
RETURNED = "return"
"""The name under which a function's scope holds what it returns."""

_DEPTH = 4


@dataclasses.dataclass(frozen=True)
class Given:
    """What a place is set to: an expression and the scope that its names belong to."""

    scope: str
    value: ast.expr


Assigned = dict[Place, list[Given | None]]
"""All that each place is set to; None where that is not one expression."""


class Places:
    """The assignments of a loop's rounds. `functions` are those of the program, by name."""

    def __init__(self, functions: Mapping[str, list[Function]]) -> None:
        self.assigned: Assigned = {}
        self._functions = functions
        self._own: dict[str, frozenset[str]] = {}

    def read(self, body: list[ast.stmt]) -> None:
        """Take in statements of the loop and the functions that they call."""
        self._take(_telling(body), OWN, 0)

    def _take(self, parts: Sequence[ast.AST], scope: str, depth: int) -> None:
        for part in parts:
            for place, value in self._set_by(part, scope):
                self._note(place, scope, value)
            if isinstance(part, ast.Call) and depth < _DEPTH:
                for function in self.called(part):
                    self._enter(function, part, scope, depth)

    def called(self, node: ast.Call) -> list[Function]:
        """The functions of the program that a call may reach, by the call's last name."""
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        return self._functions.get(name, [])

    def place(self, node: ast.expr, scope: str) -> Place | None:
        """The place that an expression names."""
        if isinstance(node, ast.Name):
            return (scope if node.id in self._own.get(scope, ()) else OWN, node.id)
        if isinstance(node, ast.Attribute):
            return (ATTRIBUTE, node.attr)
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            return (ENTRY, repr(node.slice.value))
        return None

    def _enter(self, function: Function, node: ast.Call, scope: str, depth: int) -> None:
        inner = str(function.lineno)
        seen = inner in self._own
        read = _read_once(function)
        self._own[inner] = read.own
        for name, value in _arguments(function, node):
            self._note((inner, name), scope, value)
        if not seen:
            self._take(read.parts, inner, depth + 1)

    def _note(self, place: Place, scope: str, value: ast.expr | None) -> None:
        self.assigned.setdefault(place, []).append(None if value is None else Given(scope, value))

    def _set_by(self, part: ast.AST, scope: str) -> Iterator[tuple[Place, ast.expr | None]]:
        """The places that a node sets, and to what."""
        if isinstance(part, ast.AugAssign):
            yield from self._pairs(part.target, _sum(part), scope)
        elif isinstance(part, ast.Assign):
            for target in part.targets:
                yield from self._pairs(target, part.value, scope)
        elif isinstance(part, ast.For | ast.AsyncFor):
            yield from self._pairs(part.target, None, scope)
        elif isinstance(part, ast.NamedExpr | ast.AnnAssign):
            if part.value is not None:
                yield from self._pairs(part.target, part.value, scope)
        elif isinstance(part, ast.Return) and part.value is not None and scope != OWN:
            yield (scope, RETURNED), part.value

    def _pairs(
        self, target: ast.expr, value: ast.expr | None, scope: str
    ) -> Iterator[tuple[Place, ast.expr | None]]:
        """The places of a target, each with its part of the value."""
        if isinstance(target, ast.Tuple | ast.List):
            parts = value.elts if isinstance(value, ast.Tuple | ast.List) else []
            same = len(parts) == len(target.elts)
            for number, inner in enumerate(target.elts):
                yield from self._pairs(inner, parts[number] if same else None, scope)
        elif isinstance(target, ast.Starred):
            yield from self._pairs(target.value, None, scope)
        elif (place := self.place(target, scope)) is not None:
            yield place, value


@dataclasses.dataclass(frozen=True)
class _Read:
    """A function as every loop that calls it sees it: the names of its own scope, and the nodes that assign or call."""

    own: frozenset[str]
    parts: tuple[ast.AST, ...]


def _read_once(function: Function) -> _Read:
    """Kept with the function: each of its loops and callers' loops asks again."""
    kept: _Read | None = getattr(function, "_read", None)
    if kept is None:
        kept = _Read(_own_names(function), _telling(function.body))
        function._read = kept  # type: ignore[union-attr]
    return kept


_TELLING = (
    ast.Assign,
    ast.AugAssign,
    ast.For,
    ast.AsyncFor,
    ast.NamedExpr,
    ast.AnnAssign,
    ast.Return,
    ast.Call,
)


def _telling(body: list[ast.stmt]) -> tuple[ast.AST, ...]:
    """The nodes below statements that assign, return or call."""
    return tuple(part for statement in body for part in syntax.nodes(statement) if isinstance(part, _TELLING))


def _sum(node: ast.AugAssign) -> ast.BinOp:
    """What `a += b` sets `a` to; kept with it."""
    kept: ast.BinOp | None = getattr(node, "_sum", None)
    if kept is None:
        kept = node._sum = ast.BinOp(node.target, node.op, node.value)  # type: ignore[attr-defined]
    return kept


def _own_names(function: Function) -> frozenset[str]:
    """The names that belong to a function's own scope."""
    args = function.args
    given = [*args.posonlyargs, *args.args, *args.kwonlyargs, *filter(None, (args.vararg, args.kwarg))]
    stored = {
        n.id for s in function.body for n in syntax.nodes(s) if isinstance(n, ast.Name) and not _loads(n)
    }
    shared = {
        name
        for s in function.body
        for n in syntax.nodes(s)
        if isinstance(n, ast.Global | ast.Nonlocal)
        for name in n.names
    }
    return frozenset((stored | {a.arg for a in given}) - shared)


def _loads(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Load)


def _arguments(function: Function, node: ast.Call) -> Iterator[tuple[str, ast.expr]]:
    """The parameters of a function, each with what a call gives it."""
    names = [a.arg for a in [*function.args.posonlyargs, *function.args.args]]
    if isinstance(node.func, ast.Attribute) and names[:1] in (["self"], ["cls"]):
        names = names[1:]
    yield from zip(names, node.args, strict=False)
    for keyword in node.keywords:
        if keyword.arg is not None:
            yield keyword.arg, keyword.value
