"""Parsing a stranger's source without harm: every way in which the parser can fail becomes one sentence."""

from __future__ import annotations

import ast
import functools
import gc
import warnings
from collections.abc import Iterator

KEPT = 8
"""Trees that are kept, each with some 10 MB: one script is parsed by intake and by every witness."""


class Unparsable(Exception):
    """The source cannot be parsed; the message says where and why."""


@functools.lru_cache(maxsize=KEPT)
def parse(source: str) -> ast.Module:
    """The syntax tree of a program, or Unparsable. Raises nothing else, whatever the text holds.

    The last few trees are kept and shared: nobody may change one.
    """
    collecting = gc.isenabled()
    gc.disable()  # a tree has 10,000s of nodes, none of them garbage: looking through them takes as long as parsing
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a stranger's invalid escapes are not the auditor's warnings
            return ast.parse(source)
    except SyntaxError as error:
        raise Unparsable(f"line {error.lineno or 1}: {error.msg}") from error
    except ValueError as error:
        raise Unparsable(f"it holds characters that no Python source may hold ({error})") from error
    except (RecursionError, MemoryError) as error:
        raise Unparsable("its expressions are nested too deeply for the Python parser") from error
    finally:
        if collecting:
            gc.enable()


@functools.lru_cache(maxsize=KEPT)
def all_nodes(tree: ast.Module) -> tuple[ast.AST, ...]:
    """Every node of a tree that :func:`parse` gave, as :func:`nodes` has them; kept with it."""
    return tuple(nodes(tree))


_WORDS = frozenset(
    ("id", "attr", "arg", "asname", "kind", "type_comment", "module", "level", "conversion", "simple", "is_async", "ctx")
)  # fmt: skip
"""Fields that hold words and numbers, or the context (load, store), which no one looks for as a node."""


class _Fields(dict[type[ast.AST], tuple[str, ...]]):
    """The fields of each kind of node that may hold other nodes."""

    def __missing__(self, kind: type[ast.AST]) -> tuple[str, ...]:
        found = () if kind is ast.Constant else tuple(f for f in kind._fields if f not in _WORDS)
        self[kind] = found
        return found


_FIELDS = _Fields()


def nodes(tree: ast.AST) -> list[ast.AST]:
    """Every node of a tree that was parsed but contexts, in the order of ast.walk, in a tenth of its time."""
    found = [tree]
    for node in found:  # grows while it is read
        for name in _FIELDS[node.__class__]:
            value = getattr(node, name, None)
            if value.__class__ is list:
                found += [item for item in value if isinstance(item, ast.AST)]
            elif isinstance(value, ast.AST):
                found.append(value)
    return found


def walk(tree: ast.AST) -> Iterator[ast.AST]:
    """As :func:`nodes`, in no particular order: for a search that ends with the first that it looks for."""
    stack = [tree]
    while stack:
        node = stack.pop()
        yield node
        for name in _FIELDS[node.__class__]:
            value = getattr(node, name, None)
            if value.__class__ is list:
                stack += [item for item in value if isinstance(item, ast.AST)]
            elif isinstance(value, ast.AST):
                stack.append(value)
