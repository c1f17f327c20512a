"""Looks for code that reaches for the auditor's instruments: hooks switched off, its folders, its modules, live objects.

Honest submissions have no reason to name any of these. The words are few and exact on purpose.
"""

from __future__ import annotations

import ast

from harness.case import Script
from harness.intake import syntax
from harness.witnesses.static.facts import CERTAIN, Fact

KIND = "tampering"

_NAMES = {
    "DisableTorchFunction": "switches the hooks of torch functions off",
    "DisableTorchFunctionSubclass": "switches the hooks of torch functions off",
    "_pop_torch_function_stack": "removes the mode that watches torch functions",
    "_get_current_function_mode_stack": "reads the modes that watch torch functions",
    "addaudithook": "hooks the interpreter's audit events",
    "get_referrers": "looks for live objects of the process",
    "get_objects": "looks for live objects of the process",
}
_TEXTS = {
    "/auditor": "names the auditor's folder",
    "/.audit": "names the auditor's folder",
    ".audit/": "names the auditor's folder",
    "inside.watch": "names the auditor's modules",
    "inside.emulator": "names the auditor's modules",
}
_BY_NAME = ("get", "setdefault", "pop", "update")
_LOSSES = {"cross_entropy", "nll_loss", "log_softmax", "softmax"}
_LIBRARY = {"F", "torch", "functional", "nn"}
_MODULES = ("inside", "inside.watch", "inside.emulator", "harness.inside")


def tampering(script: Script) -> tuple[Fact, ...]:
    """One fact for each place that reaches for the instruments; none where the script cannot be parsed."""
    try:
        tree = ast.parse(script.runnable)
        found = sorted(
            {(line, why) for node in syntax.nodes(tree) for line, why in _reasons(node)} | _searches(tree)
        )
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    return tuple(
        Fact(KIND, CERTAIN, f"Line {line} {why}.", (script.evidence(line),)) for line, why in found[:20]
    )


def _searches(tree: ast.Module) -> set[tuple[int, str]]:
    """Uses of sys.modules that do not ask for one module by its name: they go through all that are loaded."""
    all_uses = {
        id(n): n.lineno
        for n in syntax.nodes(tree)
        if isinstance(n, ast.Attribute)
        and n.attr == "modules"
        and isinstance(n.value, ast.Name)
        and n.value.id == "sys"
    }
    for node in syntax.nodes(tree):
        if isinstance(node, ast.Subscript) or (isinstance(node, ast.Attribute) and node.attr in _BY_NAME):
            all_uses.pop(id(node.value), None)
        if isinstance(node, ast.Compare):
            for side in node.comparators:
                all_uses.pop(id(side), None)
    return {(line, "searches all loaded modules") for line in all_uses.values()}


def _replaces_a_loss(node: ast.AST) -> bool:
    """Is a loss function of torch given another meaning?"""
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return any(
            isinstance(t, ast.Attribute) and t.attr in _LOSSES and _is_library(t.value) for t in targets
        )
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "setattr":
        names = [a.value for a in node.args[1:2] if isinstance(a, ast.Constant)]
        return any(name in _LOSSES for name in names) and _is_library(node.args[0])
    return False


def _is_library(node: ast.AST) -> bool:
    name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
    return name in _LIBRARY


def _reasons(node: ast.AST) -> list[tuple[int, str]]:
    if isinstance(node, ast.Assign | ast.AnnAssign | ast.Call) and _replaces_a_loss(node):
        return [(node.lineno, "replaces a loss function of torch")]
    if isinstance(node, ast.Attribute) and node.attr in _NAMES:
        return [(node.lineno, _NAMES[node.attr])]
    if isinstance(node, ast.Name) and node.id in _NAMES:
        return [(node.lineno, _NAMES[node.id])]
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < 400:
        exact = _NAMES.get(node.value)
        inside = next((why for text, why in _TEXTS.items() if text in node.value), None)
        return [(node.lineno, exact or inside or "")] if exact or inside else []
    if isinstance(node, ast.Import) and any(a.name in _MODULES for a in node.names):
        return [(node.lineno, "imports the auditor's modules")]
    if isinstance(node, ast.ImportFrom):
        if node.module in _MODULES:
            return [(node.lineno, "imports the auditor's modules")]
        return [(node.lineno, _NAMES[a.name]) for a in node.names if a.name in _NAMES]
    return []
