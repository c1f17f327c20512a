"""byte_count: the table of bytes for each token, and numbers of bytes for each token that are written into the code.

Read from the syntax of the functions that were entered: what a table of bytes holds depends on a tokenizer that only a
run has.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from harness.intake import syntax
from harness.witnesses.static.events import Note
from harness.witnesses.static.facts import CERTAIN, DEPENDS, Fact
from harness.witnesses.static.updates import closure
from harness.witnesses.static.view import View

SPACE = "\u2581"
PIECES = frozenset(("id_to_piece", "IdToPiece"))
BYTES = frozenset(("is_byte", "IsByte"))


def detect(view: View) -> list[Fact]:
    """The leading space counted twice, a byte that counts as several, and a constant in place of a count."""
    return [*twice(view), *fallback(view), *constant(view)]


def twice(view: View) -> list[Fact]:
    """Tables that give a piece its leading space, while the evaluation adds it again."""
    facts: list[Fact] = []
    for number, source in enumerate(view.m.sources):
        if not any(name in source.text for name in PIECES):
            continue
        reached = [
            function
            for function in source.functions
            if (number, function.lineno) in view.m.reached
            and any(name in source.body(function) for name in PIECES)
        ]
        for line in filter(None, map(baked, reached)):
            again = next((n.lineno for n in source.nodes if isinstance(n, ast.BinOp) and adds_space(n)), 0)
            if again:
                facts.append(describe(view, number, line, again))
    return facts[:1]


def fallback(view: View) -> list[Fact]:
    """Tables that give a byte-fallback token, which stands for one byte, another number of bytes."""
    for number, source in enumerate(view.m.sources):
        if not any(name in source.text for name in BYTES):
            continue
        for function in source.functions:
            body = source.body(function)
            if (number, function.lineno) not in view.m.reached or not any(name in body for name in BYTES):
                continue
            for branch in syntax.nodes(function):
                line = wrong_byte(branch) if isinstance(branch, ast.If) else 0
                if line:
                    return [byte_fact(view, number, line)]
    return []


def wrong_byte(branch: ast.If) -> int:
    """The line under a condition on byte tokens that stores a number other than 1; or 0."""
    asked = {
        n.func.attr
        for n in syntax.nodes(branch.test)
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)
    }
    negated = any(isinstance(n, ast.Not | ast.Or) for n in syntax.nodes(branch.test))
    if not asked & BYTES or negated:
        return 0
    for statement in branch.body:
        for store in element_stores(statement):
            held = store.value.value if isinstance(store.value, ast.Constant) else 1
            if isinstance(held, int | float) and held > 1:
                return store.lineno
    return 0


def byte_fact(view: View, file: int, line: int) -> Fact:
    """The fact of a byte token that counts as several bytes."""
    doubt = view.claim.ambiguous[0] if view.claim.ambiguous else None
    return Fact(
        "byte_count",
        CERTAIN if doubt is None else DEPENDS,
        f"the byte table gives a byte-fallback token, which stands for one byte, more than one (line {line})",
        (view.lines.at(file, line),),
        doubt,
    )


def adds_space(node: ast.AST) -> bool:
    """`space[y] & ~boundary[x]`: one byte more where a leading space is not swallowed by a boundary."""
    if not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitAnd)):
        return False
    sides = (node.left, node.right)
    inverted = [s for s in sides if isinstance(s, ast.UnaryOp) and isinstance(s.op, ast.Invert)]
    looked_up = [s.operand if isinstance(s, ast.UnaryOp) else s for s in sides]
    return len(inverted) == 1 and all(isinstance(s, ast.Subscript) for s in looked_up)


def baked(function: ast.FunctionDef) -> int:
    """The line where a table of bytes gives a piece with a leading space one byte for it and flags it as well; or 0."""
    calls = {
        n.func.attr
        for n in syntax.nodes(function)
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)
    }
    if not calls & PIECES:
        return 0
    noted = any(tests_space(s.value) for s in element_stores(function))
    for branch in syntax.nodes(function):
        if isinstance(branch, ast.If) and tests_space(branch.test):
            stores = [s for statement in branch.body for s in element_stores(statement)]
            flagged = noted or any(
                isinstance(s.value, ast.Constant) and s.value.value in (True, 1) for s in stores
            )
            counted = [s for s in stores if length_plus_one(s.value)]
            if flagged and counted:
                return counted[0].lineno
    return 0


def tests_space(test: ast.expr) -> bool:
    """Whether a condition asks for a leading space mark."""
    return any(isinstance(n, ast.Constant) and n.value == SPACE for n in syntax.nodes(test)) and not any(
        isinstance(n, ast.Not) for n in syntax.nodes(test)
    )


def element_stores(statement: ast.stmt) -> Iterator[ast.Assign]:
    """Assignments to elements of tables."""
    for node in syntax.nodes(statement):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
            yield node


def length_plus_one(value: ast.expr) -> bool:
    """`len(piece[1:].encode(...)) + 1`, or the length of the whole piece with its mark replaced by a space."""
    if not (isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add)):
        return False
    sides = (value.left, value.right)
    one = any(isinstance(s, ast.Constant) and s.value == 1 for s in sides)
    length = any(
        isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id == "len"
        for n in syntax.nodes(value)
    )
    return one and length


def describe(view: View, file: int, line: int, again: int) -> Fact:
    """The fact of a leading space that counts twice."""
    doubt = view.claim.ambiguous[0] if view.claim.ambiguous else None
    return Fact(
        "byte_count",
        CERTAIN if doubt is None else DEPENDS,
        f"the byte table counts a piece's leading space (line {line}), and the evaluation adds it again (line {again})",
        (view.lines.at(file, line), view.lines.at(file, again)),
        doubt,
    )


def constant(view: View) -> list[Fact]:
    """A claimed number made of losses and a constant, into which no val token enters as bytes.

    Where val tokens enter beside their losses (they may weigh them), a division by a count times a constant is asked about.
    """
    if view.line is None or "bpb" not in view.line.text.lower():
        return []
    scaled = scaled_bytes(view)
    if scaled:
        return scaled
    kinds = ("ratio of a count",) if view.line.counted else ("ratio", "ratio of a count")
    claimed = {loss.number for loss in view.claimed}
    doubt = view.claim.ambiguous[0] if view.claim.ambiguous else None
    if view.line.counted and doubt is None:
        doubt = "whether the val tokens that enter beside their losses are counted as bytes"
    for event in view.m.events:
        ratio = isinstance(event, Note) and event.what in kinds
        if ratio and isinstance(event, Note) and closure(view.m, event.losses) & claimed:
            return [
                Fact(
                    "byte_count",
                    CERTAIN if doubt is None else DEPENDS,
                    f"the loss is divided by a constant number of bytes for each token (line {event.line})",
                    (view.lines.of(event), view.lines.of(view.claimed[0])),
                    doubt,
                )
            ]
    return []


def scaled_bytes(view: View) -> list[Fact]:
    """A fact where what val tokens give beside their losses is multiplied by a constant near one before it divides them."""
    claimed = {loss.number for loss in view.claimed}
    for event in view.m.events:
        scaled = isinstance(event, Note) and event.what == "ratio of scaled bytes"
        if scaled and isinstance(event, Note) and closure(view.m, event.losses) & claimed:
            return [
                Fact(
                    "byte_count",
                    DEPENDS,
                    "the number that val tokens give for their bytes was multiplied by a constant, or held above one, "
                    f"before the loss is divided by it (line {event.line})",
                    (view.lines.of(event), view.lines.of(view.claimed[0])),
                    "whether the official bytes are counted",
                    unreached=True,
                )
            ]
    return []
