"""Where a model blends each position with the one before it (SmearGate), and whether that stops where a document begins.

Read from the syntax of the functions that were entered: `x[:, 1:] + g * x[:, :-1]`, `(1 - g) * x + g * shifted`,
`torch.lerp(x, shifted, g)`. Token ids put together in this way (`prime * ids[:, :-1] + ids[:, 1:]`, taken modulo the
rows of a table) are no blend.
"""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Iterable, Iterator, Sequence

from harness.intake import syntax
from harness.witnesses.static.machine import Machine

NAMES = re.compile(r"bos(?![a-z])|doc|mask|bound|segment|cu_?seq|fresh|start", re.IGNORECASE)
"""Words in the name of something that tells where documents begin."""

HASHES = (ast.Mod, ast.BitXor, ast.BitAnd, ast.LShift)
JOINS = frozenset(("cat", "concat", "concatenate", "hstack"))

Place = tuple[int, int]
"""(line, column): scripts that were made small hold whole functions in one line."""


@dataclasses.dataclass(frozen=True)
class Mix:
    """One blend with the position before: where it stands, and the line of its mask (None where it has none)."""

    file: int
    line: int
    mask: int | None


def mixes(m: Machine) -> list[Mix]:
    """Every blend in code that the followed path entered, each once."""
    found: dict[tuple[int, int], Mix] = {}
    for number, source in enumerate(m.sources):
        if not may_shift(source.text):
            continue
        for function in source.functions:
            if (number, function.lineno) not in m.reached or not may_shift(source.body(function)):
                continue
            for line, mask in of_function(function):
                if not switched_off(m, number, line):
                    seen = mask or around_calls(source.nodes, function)
                    found.setdefault((number, line), Mix(number, line, seen))
    return list(found.values())


def may_shift(text: str) -> bool:
    """Whether code may move a tensor on by one position."""
    return ":-1" in text.replace(" ", "") or ".roll(" in text


def switched_off(m: Machine, file: int, line: int) -> bool:
    """Whether a line lies in a branch that the followed configuration keeps off."""
    return any(b.file == file and b.first <= line <= b.last for b in m.branches.values())


def of_function(function: ast.FunctionDef) -> Iterator[tuple[int, int | None]]:
    """(line, line of its mask or None) of each blend in a function."""
    nodes = syntax.nodes(function)
    assigned = assignments(nodes)
    hashed = {id(inner) for node in nodes if is_hash(node) for inner in syntax.walk(node)}
    for node in nodes:
        if isinstance(node, ast.expr) and id(node) not in hashed:
            held = blended(node, assigned)
            if held is not None:
                yield node.lineno, mask_of(node, held, assigned)


def assignments(nodes: Iterable[ast.AST]) -> dict[str, list[ast.expr]]:
    """What each name of a function is assigned, in order."""
    found: dict[str, list[ast.expr]] = {}
    for node in nodes:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found.setdefault(node.targets[0].id, []).append(node.value)
    return found


def is_hash(node: ast.AST) -> bool:
    """Whether an operation is one on token ids."""
    return isinstance(node, ast.BinOp) and isinstance(node.op, HASHES)


def blended(node: ast.expr, assigned: dict[str, list[ast.expr]]) -> str | None:
    """The name of the tensor that an expression blends with itself one position on; None for other expressions."""
    if isinstance(node, ast.Call) and called(node) == "lerp":
        given = [*([node.func.value] if isinstance(node.func, ast.Attribute) else []), *node.args]
        shifts = {held for part in given for held in [shifted(part, assigned)] if held}
        return next((h for h in shifts if any(bare(part) == h for part in given)), None)
    if not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add)):
        return None
    for own, other in ((node.left, node.right), (node.right, node.left)):
        for factor in factors(other):
            held = shifted_within(factor, assigned)
            if held is not None and gated(other, factor) and held in map(bare, terms(own)):
                return held
    return None


def terms(node: ast.expr) -> Iterator[ast.expr]:
    """The factors of the summands of an expression."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        yield from terms(node.left)
        yield from terms(node.right)
    else:
        yield from factors(node)


def factors(node: ast.expr) -> Iterator[ast.expr]:
    """The factors of a product."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        yield from factors(node.left)
        yield from factors(node.right)
    else:
        yield node


def gated(product: ast.expr, factor: ast.expr) -> bool:
    """Whether a factor stands in a product with something that is no whole number (those put token ids together)."""
    others = [f for f in factors(product) if f is not factor]
    return bool(others) and not any(isinstance(f, ast.Constant) and isinstance(f.value, int) for f in others)


def shifted_within(factor: ast.expr, assigned: dict[str, list[ast.expr]]) -> str | None:
    """The tensor of which a factor, or a summand of it, is the copy one position on."""
    for part in terms(factor) if isinstance(factor, ast.BinOp) else (factor,):
        held = shifted(part, assigned)
        if held is not None:
            return held
    return None


def shifted(node: ast.expr, assigned: dict[str, list[ast.expr]], depth: int = 0) -> str | None:
    """The name of the tensor of which an expression is the copy one position on; None for other expressions."""
    if isinstance(node, ast.Subscript):
        return bare(node.value) if ends_before_last(node.slice) else None
    if isinstance(node, ast.Name) and depth < 3:
        found = [shifted(value, assigned, depth + 1) for value in assigned.get(node.id, ())]
        return next((held for held in found if held is not None and held != node.id), None)
    if not isinstance(node, ast.Call):
        return None
    name = called(node)
    if name in JOINS and node.args and isinstance(node.args[0], ast.List | ast.Tuple) and node.args[0].elts:
        return shifted(node.args[0].elts[-1], assigned, 3)
    if name == "pad" and node.args:
        return shifted(node.args[0], assigned, 3)
    if name == "roll":
        return rolled(node)
    if name in ("to", "detach", "contiguous", "type_as", "float", "clone") and isinstance(
        node.func, ast.Attribute
    ):
        return shifted(node.func.value, assigned, depth)
    return None


def rolled(node: ast.Call) -> str | None:
    """`torch.roll(x, 1, dims=1)` and `x.roll(1, 1)`."""
    method = isinstance(node.func, ast.Attribute) and bare(node.func.value) not in ("torch", "np", "numpy")
    given = [node.func.value, *node.args] if method and isinstance(node.func, ast.Attribute) else node.args
    steps = [*given[1:2], *(k.value for k in node.keywords if k.arg == "shifts")]
    one = any(isinstance(s, ast.Constant) and s.value == 1 for s in steps)
    return bare(given[0]) if given and one else None


def ends_before_last(index: ast.expr) -> bool:
    """`[:, :-1]`, `[:, :-1, :]`, `[..., :-1, :]`: all positions but the last."""
    parts = index.elts if isinstance(index, ast.Tuple) else []
    return any(
        isinstance(p, ast.Slice)
        and p.lower is None
        and isinstance(p.upper, ast.UnaryOp)
        and isinstance(p.upper.op, ast.USub)
        and isinstance(p.upper.operand, ast.Constant)
        and p.upper.operand.value == 1
        for p in parts[1:]
    )


def bare(node: ast.expr) -> str | None:
    """The name under subscripts: `x` of `x`, `x[:, 1:]`."""
    while isinstance(node, ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def called(node: ast.Call) -> str:
    """The last name of what is called."""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def mask_of(node: ast.expr, held: str, assigned: dict[str, list[ast.expr]]) -> int | None:
    """The line of what keeps a blend within documents: a comparison of ids with the token that begins one, or something
    that is named so; looked for in the expression and in all that its names were assigned before."""
    todo: list[ast.expr] = [node]
    seen = {held}
    while todo:
        expression = todo.pop()
        line = tells_starts(expression)
        if line is not None:
            return line
        for inner in syntax.nodes(expression):
            if isinstance(inner, ast.Name) and inner.id not in seen:
                seen.add(inner.id)
                todo += [v for v in assigned.get(inner.id, ()) if before(v, node)]
    return None


def before(value: ast.expr, node: ast.expr) -> bool:
    """Whether a value stands before an expression."""
    return (value.lineno, value.col_offset) <= (node.lineno, node.col_offset)


def tells_starts(expression: ast.expr) -> int | None:
    """The line in an expression that tells where documents begin."""
    for node in syntax.nodes(expression):
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq | ast.NotEq):
            return node.lineno
        if isinstance(node, ast.Name | ast.Attribute):
            name = node.id if isinstance(node, ast.Name) else node.attr
            if NAMES.search(name):
                return node.lineno
    return None


def around_calls(nodes: Sequence[ast.AST], function: ast.FunctionDef) -> int | None:
    """The line of a mask that is put around the calls of the module whose forward pass a function is."""
    owner = next(
        (n.name for n in nodes if isinstance(n, ast.ClassDef) and function in n.body and function.name == "forward"),
        None,
    )  # fmt: skip
    if owner is None:
        return None
    held = {
        target.attr
        for n in nodes
        if isinstance(n, ast.Assign)
        and any(isinstance(t, ast.Attribute) for t in n.targets)
        and calls_class(n.value, owner)
        for target in n.targets
        if isinstance(target, ast.Attribute)
    }
    if not held:
        return None
    for node in nodes:
        if isinstance(node, ast.Assign | ast.Return) and node.value is not None:
            inside = [c for c in syntax.nodes(node.value) if isinstance(c, ast.Call) and called(c) in held]
            line = tells_starts(node.value) if inside else None
            if line is not None:
                return line
    return None


def calls_class(value: ast.expr, name: str) -> bool:
    """Whether an expression makes an instance of a class."""
    return any(isinstance(n, ast.Call) and called(n) == name for n in syntax.nodes(value))
