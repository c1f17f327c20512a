"""Marks which way every condition of the script went, and when: `if`, `a if c else b`, the `if` of a comprehension.

Each way sets a mark as it is taken: the number of the ledger's last event. A condition is known by its kind, its line and
its place among those of its kind on that line, in the order of ast.walk. Lines stay as they are.
"""

from __future__ import annotations

import ast
import builtins
import json
import os
from typing import Any

MARKS, NOW = "__branches_met__", "__events_so_far__"

_met: dict[tuple[str, int, int, int], int] = {}
_home: list[tuple[str, int]] = []


def install(folder: str) -> None:
    """Give the marks to every module; :func:`finish` writes them below `folder`, in this process alone."""
    setattr(builtins, MARKS, _Met())
    setattr(builtins, NOW, 0)
    _home.append((folder, os.getpid()))


def event(number: int) -> None:
    """The ledger has so many events now."""
    setattr(builtins, NOW, number)


def finish() -> None:
    """Write what was met: rows of kind, line, place, way (1 where the condition held), number of the last event then."""
    if _home and _home[0][1] == os.getpid():
        with open(os.path.join(_home[0][0], "branches.json"), "w") as file:
            json.dump([[*key, when] for key, when in _met.items()], file, separators=(",", ":"))


class _Met:
    """What the marks in the script speak to."""

    __slots__ = ()

    def __setitem__(self, key: tuple[str, int, int, int], when: int) -> None:
        _met[key] = when

    def __call__(self, holds: Any, kind: str, line: int, place: int) -> bool:
        """A condition whose value is asked for: its truth, noted."""
        truth = bool(holds)
        _met[kind, line, place, int(truth)] = getattr(builtins, NOW)
        return truth


def marked(source: str, name: str) -> ast.Module:
    """The program with its marks. Raises what parsing raises, and RecursionError where its expressions are too deep."""
    tree = ast.parse(source, name)
    seen: dict[tuple[str, int], int] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.If):
            key = _key("if", node.lineno, seen)
            node.body.insert(_after_words(node.body), _mark(key, 1, node))
            node.orelse.insert(0, _mark(key, 0, node))
        elif isinstance(node, ast.IfExp):
            node.test = _asked(_key("choice", node.lineno, seen), node.test)
        elif isinstance(node, ast.comprehension):
            node.ifs = [_asked(_key("filter", test.lineno, seen), test) for test in node.ifs]
    return tree


def _key(kind: str, line: int, seen: dict[tuple[str, int], int]) -> tuple[str, int, int]:
    place = seen[kind, line] = seen.get((kind, line), -1) + 1
    return kind, line, place


def _after_words(body: list[ast.stmt]) -> int:
    """Where the first statement that does anything stands: names are declared before they are used."""
    declared = [i for i, one in enumerate(body) if isinstance(one, ast.Global | ast.Nonlocal)]
    return max(declared, default=-1) + 1


def _mark(key: tuple[str, int, int], way: int, at: ast.stmt) -> ast.stmt:
    words = ast.Tuple([ast.Constant(part) for part in (*key, way)], ast.Load())
    target = ast.Subscript(ast.Name(MARKS, ast.Load()), words, ast.Store())
    made = ast.Assign([target], ast.Name(NOW, ast.Load()))
    for part in ast.walk(made):
        if "lineno" in part._attributes:
            ast.copy_location(part, at)
    return made


def _asked(key: tuple[str, int, int], test: ast.expr) -> ast.expr:
    call = ast.Call(ast.Name(MARKS, ast.Load()), [test, *(ast.Constant(part) for part in key)], [])
    for part in (call, call.func, *call.args[1:]):
        ast.copy_location(part, test)
    return call
