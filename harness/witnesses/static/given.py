"""What a call gave for a parameter: the expression at the call that led to an event, or the parameter's default."""

from __future__ import annotations

import ast

from harness.intake import syntax
from harness.witnesses.static.events import Event
from harness.witnesses.static.machine import Source
from harness.witnesses.static.neighbours import called


def given(sources: list[Source], event: Event, depth: int, name: str) -> tuple[Source, ast.expr] | None:
    """The expression that parameter `name` of the function running at `depth` calls deep had, and the file it stands in.

    None where the function has no such parameter, sets it itself, or the call is not a plain one.
    """
    function = running(sources, event, depth)
    if function is None or depth == 0 or rebound(function, name):
        return None
    file, line = event.frames[depth - 1]
    found = [
        c for c in sources[file].nodes if isinstance(c, ast.Call) and c.lineno <= line <= (c.end_lineno or 0)
    ]
    calls = [c for c in found if called(c) == function.name]
    if len(calls) != 1:
        return None
    call, names = calls[0], [a.arg for a in (*function.args.posonlyargs, *function.args.args)]
    if any(isinstance(a, ast.Starred) for a in call.args) or any(k.arg is None for k in call.keywords):
        return None
    by_name = {k.arg: k.value for k in call.keywords}
    if name in by_name:
        return sources[file], by_name[name]
    if name in names and names.index(name) < len(call.args) and names[:1] != ["self"]:
        return sources[file], call.args[names.index(name)]
    default = defaults(function).get(name)
    return (sources[place(event, depth)[0]], default) if default is not None else None


def place(event: Event, depth: int) -> tuple[int, int]:
    """(file, line) that ran at a depth of calls when an event happened."""
    return event.frames[depth] if depth < len(event.frames) else (event.file, event.line)


def running(sources: list[Source], event: Event, depth: int) -> ast.FunctionDef | None:
    """The innermost function that ran at a depth of calls."""
    file, line = place(event, depth)
    around = [f for f in sources[file].functions if f.lineno <= line <= (f.end_lineno or 0)]
    return max(around, key=lambda f: f.lineno) if around else None


def defaults(function: ast.FunctionDef) -> dict[str, ast.expr]:
    """The defaults of a function's parameters."""
    named = [*function.args.posonlyargs, *function.args.args]
    late = named[len(named) - len(function.args.defaults) :]
    found = {a.arg: d for a, d in zip(late, function.args.defaults, strict=True)}
    pairs = zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
    return found | {a.arg: d for a, d in pairs if d is not None}


def rebound(function: ast.FunctionDef, name: str) -> bool:
    """Whether a function sets a name itself."""
    return any(
        isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Store)
        for n in syntax.walk(function)
    )
