"""Names in a syntax tree: dotted paths, and the names that an assignment binds."""

from __future__ import annotations

import ast


def dotted_name(node: ast.AST) -> str | None:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if isinstance(node, ast.Name):
        return ".".join([node.id, *reversed(parts)])
    return None


def last_name(node: ast.AST) -> str | None:
    return (dotted_name(node) or "").rpartition(".")[2] or None


def assignments(node: ast.AST) -> list[tuple[str, ast.expr]]:
    """(target name, value) of an assignment, dataclass field or keyword argument."""
    if isinstance(node, ast.Assign):
        pairs: list[tuple[str, ast.expr]] = []
        for target in node.targets:
            if (
                isinstance(target, ast.Tuple)
                and isinstance(node.value, ast.Tuple)
                and len(target.elts) == len(node.value.elts)
            ):
                pairs += [
                    (t, v) for a, v in zip(target.elts, node.value.elts, strict=True) if (t := bound_name(a))
                ]
            elif name := bound_name(target):
                pairs.append((name, node.value))
        return pairs
    if isinstance(node, ast.AnnAssign) and node.value is not None and (name := bound_name(node.target)):
        return [(name, node.value)]
    if isinstance(node, ast.NamedExpr):
        return [(node.target.id, node.value)]
    if isinstance(node, ast.keyword) and node.arg:
        return [(node.arg, node.value)]
    return []


def bound_name(node: ast.AST) -> str | None:
    """The name of a variable or attribute."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else None
