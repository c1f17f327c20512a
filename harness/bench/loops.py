"""Rewrites the loop that scores and learns, by its syntax tree: learn first, learn one item ahead, or go round twice.

The loop is the innermost `for` around both; score and update are two statements of one block in it. An update that is
moved takes along copies of the statements that give it its names, so that it runs where it now stands.
"""

from __future__ import annotations

import ast
import copy
import dataclasses
import textwrap
from collections.abc import Callable, Iterator

_ITEMS, _AT = "items_of_the_loop", "place_in_the_loop"


@dataclasses.dataclass(frozen=True)
class Spot:
    """A line inside a function, by the function's name and first line; "<module>" for the script itself."""

    function: str
    start: int
    line: int


@dataclasses.dataclass
class _Fork:
    """`block` holds the statement that scores and, after it, the one that updates; `leading` are the statements of the
    round that come before that block, outermost first."""

    loop: ast.For
    block: list[ast.stmt]
    score: int
    update: int
    leading: list[ast.stmt]

    def between(self) -> list[ast.stmt]:
        return self.block[self.score : self.update]


def swapped(source: str, score: Spot, update: Spot) -> str | None:
    """Each round learns from its item and only then scores it. None where the two are not statements of one loop."""

    def swap(fork: _Fork) -> ast.stmt:
        learn, between = fork.block[fork.update], fork.between()
        fork.block[fork.score : fork.update + 1] = [*_givers(between, learn), learn, *between]
        return fork.loop

    return _rewritten(source, score, update, swap)


def ahead(source: str, score: Spot, update: Spot) -> str | None:
    """Each round scores its item and learns from the next one."""

    def shift(fork: _Fork) -> ast.stmt:
        loop, learn = fork.loop, fork.block[fork.update]
        before = [*fork.leading, *fork.block[: fork.update]]
        following = ast.parse(f"{_ITEMS}[{_AT} + 1:{_AT} + 2]", mode="eval").body
        peek = ast.For(copy.deepcopy(loop.target), following, [*_givers(before, learn), learn], [])
        back = ast.Assign([copy.deepcopy(loop.target)], ast.parse(f"{_ITEMS}[{_AT}]", mode="eval").body)
        fork.block[fork.update : fork.update + 1] = [peek, back]
        numbered = ast.parse(f"enumerate({_ITEMS} := list(x))", mode="eval").body
        assert isinstance(numbered, ast.Call)
        listed = numbered.args[0]
        assert isinstance(listed, ast.NamedExpr)
        assert isinstance(listed.value, ast.Call)
        listed.value.args = [loop.iter]
        loop.iter = numbered
        loop.target = ast.Tuple([ast.Name(_AT, ast.Store()), loop.target], ast.Store())
        return loop

    return _rewritten(source, score, update, shift)


def twice(source: str, score: Spot, update: Spot) -> str | None:
    """The whole loop is gone through twice, and both rounds count."""
    rounds = "for round_of_the_loop in range(2): pass"

    def again(fork: _Fork) -> ast.stmt:
        outer = ast.parse(rounds).body[0]
        assert isinstance(outer, ast.For)
        outer.body = [fork.loop]
        return outer

    return _rewritten(source, score, update, again)


def _rewritten(source: str, score: Spot, update: Spot, change: Callable[[_Fork], ast.stmt]) -> str | None:
    fork = _fork(ast.parse(source), score, update)
    if fork is None:
        return None
    first, last = fork.loop.lineno - 1, fork.loop.end_lineno or fork.loop.lineno
    lines = source.split("\n")
    indent = lines[first][: len(lines[first]) - len(lines[first].lstrip())]
    text = ast.unparse(ast.fix_missing_locations(change(fork)))
    return "\n".join([*lines[:first], textwrap.indent(text, indent), *lines[last:]])


# ---- where score and update part -------------------------------------------------------------------------------------


def _fork(tree: ast.Module, score: Spot, update: Spot) -> _Fork | None:
    if (score.function, score.start) != (update.function, update.start):
        return None
    body = _body_of(tree, score)
    one, other = list(_path(body, score.line)), list(_path(body, update.line))
    loop, leading = None, []
    for (block, at), (_, later) in zip(one, other, strict=False):
        if at != later:
            return _Fork(loop, block, at, later, leading) if loop is not None and at < later else None
        leading += block[:at]
        statement = block[at]
        if isinstance(statement, ast.For):
            loop, leading = statement, []
    return None


def _body_of(tree: ast.Module, spot: Spot) -> list[ast.stmt]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name == spot.function:
            start = min(node.lineno, *(d.lineno for d in node.decorator_list), node.lineno)
            if start == spot.start:
                return node.body
    return tree.body


def _path(block: list[ast.stmt], line: int) -> Iterator[tuple[list[ast.stmt], int]]:
    """The statements around a line, outermost first, each as its block and its place there."""
    for at, statement in enumerate(block):
        if statement.lineno <= line <= (statement.end_lineno or statement.lineno):
            yield block, at
            for inner in _blocks(statement):
                yield from _path(inner, line)
            return


def _blocks(statement: ast.stmt) -> list[list[ast.stmt]]:
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return []
    blocks = [getattr(statement, name, []) for name in ("body", "orelse", "finalbody")]
    return blocks + [handler.body for handler in getattr(statement, "handlers", [])]


# ---- which statements give another one its names ---------------------------------------------------------------------


def _givers(before: list[ast.stmt], statement: ast.stmt) -> list[ast.stmt]:
    """Copies of the statements of `before` that `statement` needs, directly or not, in their order."""
    wanted = _wanted([statement], set())
    found: list[ast.stmt] = []
    for giver in reversed(before):
        if _given(giver) & wanted:
            wanted |= _wanted([giver], set())
            found.insert(0, copy.deepcopy(giver))
    return found


def _given(statement: ast.stmt) -> set[str]:
    """Names that a statement binds, or whose values it changes: `x = ...`, `x[i] = ...`, `x.append(...)`."""
    names = set()
    for node in ast.walk(statement):
        if isinstance(node, ast.Name | ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store):
            names.add(_base(node))
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            called = node.value.func
            if isinstance(called, ast.Attribute):
                names.add(_base(called))
    return names - {""}


def _base(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _wanted(block: list[ast.stmt], bound: set[str]) -> set[str]:
    """Names that a block reads and has not surely bound before; `bound` grows by those that it surely binds."""
    wanted: set[str] = set()
    for statement in block:
        if isinstance(statement, ast.For):
            wanted |= _read(statement.iter) - bound
            wanted |= _wanted(statement.body, bound | _stored(statement.target))
            wanted |= _wanted(statement.orelse, set(bound))
        elif isinstance(statement, ast.While):
            wanted |= (_read(statement.test) - bound) | _wanted(statement.body, set(bound))
        elif isinstance(statement, ast.If):
            then, otherwise = set(bound), set(bound)
            wanted |= _read(statement.test) - bound
            wanted |= _wanted(statement.body, then) | _wanted(statement.orelse, otherwise)
            bound |= then & otherwise
        elif isinstance(statement, ast.With):
            for item in statement.items:
                wanted |= _read(item.context_expr) - bound
                bound |= _stored(item.optional_vars) if item.optional_vars else set()
            wanted |= _wanted(statement.body, bound)
        elif isinstance(statement, ast.Try):
            for inner in _blocks(statement):
                wanted |= _wanted(inner, set(bound))
        else:
            wanted |= _read(statement) - bound
            bound |= _stored(statement)
    return wanted


def _read(node: ast.AST) -> set[str]:
    """Names read, but those of comprehensions and of functions' own parameters."""
    own = {
        name
        for inner in ast.walk(node)
        for name in (
            _stored(inner.target)
            if isinstance(inner, ast.comprehension)
            else {inner.arg}
            if isinstance(inner, ast.arg)
            else set()
        )
    }
    read = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    changed = {
        n.target.id for n in ast.walk(node) if isinstance(n, ast.AugAssign) and isinstance(n.target, ast.Name)
    }
    return (read | changed) - own


def _stored(node: ast.AST) -> set[str]:
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
