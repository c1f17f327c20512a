"""Where a script keeps its numbers: environment variables, command-line options, constants, keyword arguments.

Found in the syntax tree, never by running it. A constant can be replaced in place, so that every line keeps its number.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import re
from collections.abc import Iterator, Mapping

from harness.intake.syntax import Unparsable, parse

_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]{2,}")
_OPTION = re.compile(r"--[a-z][a-z0-9_-]+")
SCRIPTS = 64
"""Scripts and helpers that are kept as read: every run of an audit asks again."""


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a constant stands: 1-based line, 0-based byte columns, on one line."""

    line: int
    start: int
    end: int


@dataclasses.dataclass(frozen=True)
class Number:
    """One number of the script. `name` is lower case with underscores; one of variable, option and place is
    set. `file` is empty for the script itself."""

    name: str
    value: float
    variable: str | None = None
    option: str | None = None
    place: Place | None = None
    file: str = ""


def numbers(source: str, claimed: Mapping[str, str]) -> list[Number]:
    """Every named number of the script, the claimed value before the default. Raises SyntaxError."""
    return list(_numbers(source, tuple(sorted(claimed.items()))))


def _tree(source: str) -> ast.Module:
    """The tree of a script; an empty one where Python cannot read it: its run will say so."""
    try:
        return parse(source)
    except Unparsable:
        return ast.Module([], [])


@functools.lru_cache(SCRIPTS)
def _numbers(source: str, settings: tuple[tuple[str, str], ...]) -> tuple[Number, ...]:
    tree, claimed = _tree(source), dict(settings)
    found: dict[tuple[str, str], Number] = {}
    parameters = _parameters(tree)
    for node in ast.walk(tree):
        for number in (*_numbers_at(node, claimed), *_positional(node, parameters)):
            key = (number.variable or number.option or str(number.place), number.name)
            found.setdefault(key, number)
    seen = {n.variable for n in found.values()}
    for (
        name,
        text,
    ) in claimed.items():  # read in a way that is not understood, but claimed: the script knows it
        value = _from_text(text)
        if name not in seen and value is not None:
            found[(name, name)] = Number(name.lower(), value, variable=name)
    return tuple(found.values())


def texts(source: str, claimed: Mapping[str, str]) -> dict[str, str]:
    """Environment variables with a text, claimed or by default: paths and names of choices."""
    return dict(_default_texts(source)) | dict(claimed)


@functools.lru_cache(SCRIPTS)
def _default_texts(source: str) -> Mapping[str, str]:
    result: dict[str, str] = {}
    for node in ast.walk(_tree(source)):
        read = _environment_read(node)
        if read is not None:
            name, default = read
            if isinstance(default, ast.Constant) and isinstance(default.value, str):
                result.setdefault(name, default.value)
    return result


def replace(source: str, changes: Mapping[Place, str]) -> str:
    """The source with each constant replaced; lines keep their numbers."""
    lines = source.split("\n")
    for place in sorted(changes, key=lambda p: (p.line, p.start), reverse=True):
        raw = lines[place.line - 1].encode()
        lines[place.line - 1] = (raw[: place.start] + changes[place].encode() + raw[place.end :]).decode()
    return "\n".join(lines)


def fold(node: ast.expr | None) -> float | None:
    """The number that a constant expression stands for: 65_536, "2048", 1 << 20, 2048 * 32, int("5")."""
    if isinstance(node, ast.Constant):
        if isinstance(node.value, bool):
            return None
        if isinstance(node.value, int | float):
            return node.value
        return _from_text(node.value) if isinstance(node.value, str) else None
    if isinstance(node, ast.BinOp):
        return _fold_operation(node)
    if (
        isinstance(node, ast.Call)
        and ast.unparse(node.func) in ("int", "float", "str")
        and len(node.args) == 1
    ):
        return fold(node.args[0])
    return None


def _fold_operation(node: ast.BinOp) -> float | None:
    left, right = fold(node.left), fold(node.right)
    if left is None or right is None:
        return None
    if isinstance(node.op, ast.Mult):
        return left * right
    if isinstance(node.op, ast.Pow) and abs(right) <= 64:
        return float(left**right)
    if (
        isinstance(node.op, ast.LShift)
        and isinstance(left, int)
        and isinstance(right, int)
        and 0 <= right <= 64
    ):
        return left << right
    return None


def _from_text(text: str) -> float | None:
    try:
        return int(text.replace("_", ""))
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return None


def _numbers_at(node: ast.AST, claimed: Mapping[str, str]) -> Iterator[Number]:
    read = _environment_read(node)
    if read is not None:
        name, default = read
        value = _from_text(claimed[name]) if name in claimed else fold(default)
        if value is not None:
            yield Number(name.lower(), value, variable=name)
    elif isinstance(node, ast.Call):
        yield from _of_call(node)
    elif isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            name = target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")
            yield from _literal(name, node.value)
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        arguments = node.args
        positional = [*arguments.posonlyargs, *arguments.args]
        defaults = [None] * (len(positional) - len(arguments.defaults)) + list(arguments.defaults)
        for argument, default in zip(positional, defaults, strict=True):
            yield from _literal(argument.arg, default)
        for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
            yield from _literal(argument.arg, default)
    elif isinstance(node, ast.Compare):
        yield from _of_comparison(node)
    elif isinstance(node, ast.BinOp):
        parts = fold(node.left) if isinstance(node.op, ast.FloorDiv | ast.Div) else None
        if parts is not None and parts <= 64 and "world_size" in ast.unparse(node.right):
            yield from _literal("grad_accum_steps", node.left)  # grad_accum_steps = 8 // world_size
    elif isinstance(node, ast.Dict):
        for key, item in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                yield from _literal(key.value, item)


def _of_call(node: ast.Call) -> Iterator[Number]:
    if isinstance(node.func, ast.Attribute) and node.func.attr == "add_argument" and node.args:
        flag = node.args[-1]
        default = next((k.value for k in node.keywords if k.arg == "default"), None)
        value = fold(default)
        if isinstance(flag, ast.Constant) and _OPTION.fullmatch(str(flag.value)) and value is not None:
            yield Number(str(flag.value)[2:].replace("-", "_"), value, option=str(flag.value))
        return
    if isinstance(node.func, ast.Attribute) and node.func.attr == "take" and len(node.args) == 1:
        yield from _literal("take", node.args[0])  # tokens taken from a stream
    for keyword in node.keywords:
        if keyword.arg is not None:
            yield from _literal(keyword.arg, keyword.value)


def _parameters(tree: ast.Module) -> dict[str, list[str]]:
    """The positional parameters of the script's own functions, by function name."""
    functions = (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef))
    return {f.name: [a.arg for a in f.args.args if a.arg != "self"] for f in functions}


def _positional(node: ast.AST, parameters: Mapping[str, list[str]]) -> Iterator[Number]:
    """Constants passed by position to a function of the script: named as that function names them."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        for name, argument in zip(parameters.get(node.func.id, []), node.args, strict=False):
            yield from _literal(name, argument)


def _of_comparison(node: ast.Compare) -> Iterator[Number]:
    """`tensor.numel() <= 65536`: a threshold of size, named after what it is compared with."""
    sides = [node.left, *node.comparators]
    if len(sides) == 2:
        for measured, constant in (sides, sides[::-1]):
            if isinstance(measured, ast.Call) and isinstance(measured.func, ast.Attribute):
                yield from _literal(measured.func.attr, constant)


def _literal(name: str, node: ast.expr | None) -> Iterator[Number]:
    value = fold(node)
    if not name or node is None or value is None or isinstance(node, ast.Call) or not _is_number(node):
        return
    if node.lineno == node.end_lineno and node.end_col_offset is not None:
        yield Number(name.lower(), value, place=Place(node.lineno, node.col_offset, node.end_col_offset))


def _is_number(node: ast.expr) -> bool:
    return not (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _environment_read(node: ast.AST) -> tuple[str, ast.expr | None] | None:
    """The variable and its default, for os.environ.get, os.getenv, os.environ[...] and any helper called like them."""
    if isinstance(node, ast.Subscript) and ast.unparse(node.value).endswith("environ"):
        key, default = node.slice, None
    elif isinstance(node, ast.Call) and node.args and _is_reader(node.func):
        key = node.args[0]
        default = node.args[1] if len(node.args) > 1 else next((k.value for k in node.keywords), None)
    else:
        return None
    if isinstance(key, ast.Constant) and isinstance(key.value, str) and _VARIABLE.fullmatch(key.value):
        return key.value, default
    return None


def _is_reader(function: ast.expr) -> bool:
    """Whether calling it with an upper-case name reads a variable; minified scripts have aliases of one letter."""
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return (
        name in ("get", "getenv", "setdefault", "pop")
        or "env" in name.lower()
        or isinstance(function, ast.Name)
    )
