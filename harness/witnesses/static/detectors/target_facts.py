"""target_gating: what a loss is taken of was computed with its targets, in the very function that takes the loss.

Names are followed backwards through the assignments of that function, from the scores to what holds the targets. How many
there are, on which device and of which type (`targets.size(0)`) says nothing; nor does giving them to a model, which takes
its own loss of them.
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterator

from harness.witnesses.static.events import Loss
from harness.witnesses.static.facts import DEPENDS, Fact
from harness.witnesses.static.machine import Source
from harness.witnesses.static.view import View

_LOSSES = ("cross_entropy", "nll_loss", "gather")
_RESHAPES = frozenset(
    ("flatten", "view", "reshape", "long", "to", "contiguous", "unsqueeze", "squeeze", "int", "clamp", "cuda", "clone")
)  # fmt: skip
_SHAPES = frozenset(
    ("shape", "size", "numel", "ndim", "dim", "dtype", "device", "element_size", "is_cuda", "stride", "requires_grad")
)  # fmt: skip
_COUNTS = frozenset(("len", "zeros_like", "ones_like", "empty_like", "full_like", "isinstance", "arange"))
_LIBRARIES = frozenset(("torch", "F", "np", "numpy", "nn"))
_METHODS = frozenset(
    ("scatter", "scatter_", "scatter_add", "scatter_add_", "index_add", "index_add_", "index_fill", "index_put",
     "masked_fill", "masked_fill_", "where", "eq", "ne", "add", "add_", "mul", "mul_", "sub", "sub_", "float", "double",
     "half", "type_as", "gather", "take_along_dim", "expand", "repeat", *_RESHAPES)
)  # fmt: skip


def detect(view: View) -> list[Fact]:
    """One fact for each line that takes a claimed loss of scores that were computed with the targets."""
    facts: dict[tuple[int, int], Fact] = {}
    for loss in view.claimed:
        where = _place(view.m.sources[loss.file], loss)
        if where is not None and (loss.file, loss.line) not in facts:
            facts[loss.file, loss.line] = Fact(
                "target_gating",
                DEPENDS,
                f"the scores that line {loss.line} takes a loss of are computed with its targets: line {where} uses them",
                (view.lines.of(loss), view.lines.at(loss.file, where)),
                "whether what is computed there favours the token, which an experiment on random tokens shows",
                unreached=True,
            )
    return list(facts.values())


def _place(source: Source, loss: Loss) -> int | None:
    """The line that brings the targets of a loss into its scores; None where none does."""
    around = [f for f in source.functions if f.lineno <= loss.line <= (f.end_lineno or 0)]
    if not around:
        return None
    function = max(around, key=lambda f: f.lineno)
    call = next((c for c in _losses(function) if c.first <= loss.line <= c.last), None)
    if call is None:
        return None
    inside = _Function(function, call.first)
    held = inside.aliases(call.targets)
    return inside.use(call.scores, held, call.first) if held else None


@dataclasses.dataclass(frozen=True)
class _Call:
    """A call that takes a loss: of which scores, with which targets."""

    first: int
    last: int
    scores: ast.expr
    targets: ast.expr


def _losses(function: ast.FunctionDef) -> Iterator[_Call]:
    """`cross_entropy(scores, targets)`, `nll_loss` alike, `scores.gather(dim, targets)`, `gather(scores, dim, targets)`."""
    for node in ast.walk(function):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name not in _LOSSES:
            continue
        given = list(node.args)
        named = {k.arg: k.value for k in node.keywords}
        method = name == "gather" and isinstance(node.func, ast.Attribute) and len(given) + len(named) == 2
        if method and isinstance(node.func, ast.Attribute):
            given.insert(0, node.func.value)
        at = 2 if name == "gather" else 1
        targets = given[at] if len(given) > at else named.get("index" if name == "gather" else "target")
        scores = given[0] if given else named.get("input")
        if scores is not None and targets is not None:
            yield _Call(node.lineno, node.end_lineno or node.lineno, scores, targets)


class _Function:
    """The assignments of a function up to a line, by name."""

    def __init__(self, function: ast.FunctionDef, line: int) -> None:
        self.values: dict[str, list[tuple[int, ast.expr]]] = {}
        self.together: set[str] = set()
        for node in ast.walk(function):
            if isinstance(node, ast.Expr) and (written := _written(node.value)) and node.lineno < line:
                self.values.setdefault(written, []).append((node.lineno, node.value))
            if (
                isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign)
                and node.value
                and node.lineno < line
            ):
                for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                    for name in ast.walk(target):
                        if isinstance(name, ast.Name) and not isinstance(target, ast.Attribute):
                            self.values.setdefault(name.id, []).append((node.lineno, node.value))
                            if name is not target:
                                self.together.add(name.id)

    def aliases(self, targets: ast.expr) -> frozenset[str]:
        """The names that hold the targets, reshaped at most; empty where they are cut out of something in the call."""
        found: list[str] = []
        base = _reshaped(targets)
        while isinstance(base, ast.Name) and base.id not in found:
            found.append(base.id)
            held = self.values.get(base.id, [])
            base = _reshaped(held[0][1]) if len(held) == 1 and base.id not in self.together else None
        return frozenset(found)

    def use(self, scores: ast.expr, held: frozenset[str], line: int) -> int | None:
        """The line that uses one of the names on the way to the scores."""
        seen: set[str] = set()
        waiting = [(line, scores)]
        while waiting:
            at, expression = waiting.pop()
            for name in _names(expression):
                if name in held:
                    return at
                if name not in seen:
                    seen.add(name)
                    waiting += self.values.get(name, [])
        return None


def _written(node: ast.expr) -> str | None:
    """The name whose tensor a statement such as `hot.scatter_(1, targets, 1.0)` writes."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return None
    in_place = node.func.attr.endswith("_") and node.func.attr in _METHODS
    return node.func.value.id if in_place and isinstance(node.func.value, ast.Name) else None


def _reshaped(node: ast.expr | None) -> ast.expr | None:
    """What an expression has reshaped or moved."""
    while True:
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in _RESHAPES
        ):
            node = node.func.value
        elif isinstance(node, ast.Subscript) and all(_whole(part) for part in _parts(node.slice)):
            node = node.value
        else:
            return node


def _parts(index: ast.expr) -> list[ast.expr]:
    return list(index.elts) if isinstance(index, ast.Tuple) else [index]


def _whole(part: ast.expr) -> bool:
    """Whether a part of an index takes everything: `:`, `None` or `...`."""
    if isinstance(part, ast.Slice):
        return part.lower is None and part.upper is None
    return isinstance(part, ast.Constant) and (part.value is None or part.value is Ellipsis)


def _names(expression: ast.AST) -> Iterator[str]:
    """The names whose contents an expression uses."""
    if isinstance(expression, ast.Name):
        yield expression.id
        return
    if isinstance(expression, ast.Attribute) and expression.attr in _SHAPES:
        return
    if isinstance(expression, ast.Call) and not _computes(expression):
        yield from _names(expression.func)
        return
    for child in ast.iter_child_nodes(expression):
        yield from _names(child)


def _computes(call: ast.Call) -> bool:
    """Whether a call computes with its arguments as a library does, rather than handing them to a model."""
    function = call.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    root = function
    while isinstance(root, ast.Attribute):
        root = root.value
    known = isinstance(root, ast.Name) and root.id in _LIBRARIES
    return name not in _COUNTS and (known or name in _METHODS)
