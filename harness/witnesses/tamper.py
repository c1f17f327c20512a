"""Looks for code that reaches for the auditor's instruments: hooks switched off, its folders, its modules, live objects.

Honest submissions have no reason to name any of these. The words are few and exact on purpose.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Mapping, Sequence

from harness.case import Evidence, Script
from harness.intake import syntax
from harness.witnesses.reflection import reflections
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
MOST = 20
"""Places that are told."""
_MODULES = ("inside", "inside.watch", "inside.emulator", "harness.inside")


def tampering(script: Script, files: Mapping[str, str] | None = None) -> tuple[Fact, ...]:
    """One fact for each place that reaches for the instruments, in the script and in those of its modules (`files`, text by
    path) that it names; none where a file cannot be parsed."""
    found = [
        Fact(KIND, CERTAIN, f"Line {line} {why}.", (script.evidence(line),))
        for line, why in _places(script.runnable)
    ]
    said = _said(script.runnable)
    for name, text in (files or {}).items():
        stem = name.rpartition("/")[2].removesuffix(".py")
        if name.endswith(".py") and re.search(rf"\b{re.escape(stem)}\b", said):
            shown = text.split("\n")
            found += [
                Fact(KIND, CERTAIN, f"Line {line} of {name} {why}.", (Evidence(name, line, shown[line - 1].strip()[:300]),))
                for line, why in _places(text)
            ]  # fmt: skip
    return tuple(found[:MOST])


def _said(text: str) -> str:
    """What a program says besides comments and docstrings: the text itself where it cannot be parsed."""
    try:
        tree = syntax.parse(text)
    except syntax.Unparsable:
        return text
    alone = {id(n.value) for n in syntax.all_nodes(tree) if isinstance(n, ast.Expr)}
    words = []
    for node in syntax.all_nodes(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone:
            words.append(node.value)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            words += [getattr(node, "module", "") or "", *(alias.name for alias in node.names)]
        elif isinstance(node, ast.Name | ast.Attribute):
            words.append(node.id if isinstance(node, ast.Name) else node.attr)
    return "\n".join(words)


@functools.lru_cache(maxsize=64)
def _places(text: str) -> tuple[tuple[int, str], ...]:
    """(line, what it does), one reason a line, in their order."""
    try:
        nodes = syntax.all_nodes(syntax.parse(text))
    except syntax.Unparsable:
        return ()
    found = reflections(nodes) | _searches(nodes) | {place for node in nodes for place in _reasons(node)}
    return tuple(sorted(dict(sorted(found)).items()))


def _searches(nodes: Sequence[ast.AST]) -> set[tuple[int, str]]:
    """Uses of sys.modules that do not ask for one module by its name: they go through all that are loaded."""
    all_uses = {
        id(n): n.lineno
        for n in nodes
        if isinstance(n, ast.Attribute)
        and n.attr == "modules"
        and isinstance(n.value, ast.Name)
        and n.value.id == "sys"
    }
    for node in nodes:
        if isinstance(node, ast.Subscript) or (isinstance(node, ast.Attribute) and node.attr in _BY_NAME):
            all_uses.pop(id(node.value), None)
        if isinstance(node, ast.Compare):
            for side in node.comparators:
                all_uses.pop(id(side), None)
    return {(line, "searches all loaded modules") for line in all_uses.values()}


def _reasons(node: ast.AST) -> list[tuple[int, str]]:
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
