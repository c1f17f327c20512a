"""Looks for code by which a script does what its text does not say: code built at run time, frames and closures of others,
memory written by address, library functions given another meaning, lines printed past `sys.stdout`.

Honest submissions hardly use any of these (none of 122 ruled valid), so each is worth a look, whatever it is for.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from harness.intake import syntax

_BUILT = "runs code that is built at run time, which no witness can read"
_FRAMES = "reaches into frames, closures or the interpreter"
_MEMORY = "writes memory by its address"
_HOOKS = "steps between torch and its functions"
_RUNNERS = frozenset(("exec", "eval", "compile"))
_ATTRIBUTES = {
    **dict.fromkeys(
        (
            "_getframe", "_current_frames", "currentframe", "getouterframes", "f_locals", "f_globals", "f_back", "tb_frame",
            "settrace", "setprofile", "__closure__", "cell_contents", "__globals__", "__code__", "__subclasses__",
            "__builtins__", "get_referents", "FunctionType", "CodeType", "pythonapi",
        ),
        _FRAMES,
    ),
    **dict.fromkeys(("memmove", "memset", "from_address"), _MEMORY),
    **dict.fromkeys(
        ("__torch_function__", "__torch_dispatch__", "TorchFunctionMode", "TorchDispatchMode"),
        _HOOKS,
    ),
    "run_path": _BUILT,
    "run_module": _BUILT,
    "__stdout__": "prints past sys.stdout",
    "__stderr__": "prints past sys.stderr",
}  # fmt: skip
_TEXTS = {
    "/proc/self/mem": _MEMORY,
    "/proc/self/fd": "prints past sys.stdout",
    "/dev/stdout": "prints past sys.stdout",
}
_LIBRARIES = frozenset(
    ("torch", "numpy", "math", "builtins", "time", "io", "glob", "random", "zlib", "struct", "pathlib", "json")
)  # fmt: skip
_SETTINGS = frozenset(("backends", "_dynamo", "_inductor", "_functorch", "_C", "compile", "__version__"))
"""Parts of torch that are set rather than called, and the compiler, which some switch off."""
_SECRETIVE = frozenset(("sys", "gc", "inspect", "ctypes", "builtins", "types", "importlib"))
_STANDARD = (1, 2)


def reflections(nodes: Sequence[ast.AST]) -> set[tuple[int, str]]:
    """(line, what it does) of each place in a parsed file. `nodes` are all nodes of its tree."""
    names = _imported(nodes)
    own = {n.name for n in nodes if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    selves = _own_attributes(nodes, names)
    return {
        (line, why) for node in nodes if id(node) not in selves for line, why in _reasons(node, names, own)
    }


def _own_attributes(nodes: Sequence[ast.AST], names: dict[str, str]) -> set[int]:
    """Assignments to attributes of a method's own object, where that has the name of an import (minified code)."""
    found: set[int] = set()
    for function in (f for c in nodes if isinstance(c, ast.ClassDef) for f in c.body):
        if not isinstance(function, ast.FunctionDef) or function.decorator_list or not function.args.args:
            continue
        first = function.args.args[0].arg
        if first not in names:
            continue
        for node in syntax.walk(function):
            if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                if all(_plain(t, first) for t in targets):
                    found.add(id(node))
    return found


def _plain(target: ast.expr, name: str) -> bool:
    """Whether a target is `name.attribute` or deeper."""
    root = target
    while isinstance(root, ast.Attribute):
        root = root.value
    return isinstance(target, ast.Attribute) and isinstance(root, ast.Name) and root.id == name


def _imported(nodes: Sequence[ast.AST]) -> dict[str, str]:
    """The library name, with dots, that each imported name stands for."""
    found: dict[str, str] = {}
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                found[alias.asname or alias.name.split(".")[0]] = (
                    alias.name if alias.asname else alias.name.split(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                found[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return found


def _reasons(node: ast.AST, names: dict[str, str], own: set[str]) -> Iterator[tuple[int, str]]:
    if isinstance(node, ast.Attribute) and node.attr in _ATTRIBUTES:
        yield node.lineno, _ATTRIBUTES[node.attr]
    elif isinstance(node, ast.Name) and _ATTRIBUTES.get(names.get(node.id, "").rpartition(".")[2]):
        yield node.lineno, _ATTRIBUTES[names[node.id].rpartition(".")[2]]
    elif isinstance(node, ast.FunctionDef) and node.name in ("__torch_function__", "__torch_dispatch__"):
        yield node.lineno, _HOOKS
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < 400:
        why = _ATTRIBUTES.get(node.value) or next((w for t, w in _TEXTS.items() if t in node.value), None)
        if why:
            yield node.lineno, why
    elif isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            if isinstance(target, ast.Attribute) and (name := _replaced(target, names)):
                yield node.lineno, f"gives {name} another meaning"
    elif isinstance(node, ast.Call):
        yield from _called(node, names, own)


def _called(node: ast.Call, names: dict[str, str], own: set[str]) -> Iterator[tuple[int, str]]:
    name = dotted(node.func, names)
    bare = name.removeprefix("builtins.")
    imports = bare == "__import__" and bool(node.args) and not isinstance(node.args[0], ast.Constant)
    if imports or (bare in _RUNNERS and bare not in own):
        yield node.lineno, _BUILT
    elif bare in ("getattr", "setattr", "vars") and node.args:
        yield from _by_name(node, bare, names)
    elif name in ("os.write", "os.dup2", "os.fdopen", "os.writev", "open"):
        place = node.args[1:2] if name == "os.dup2" else node.args[:1]
        if any(isinstance(a, ast.Constant) and a.value in _STANDARD and a.value is not True for a in place):
            yield node.lineno, "prints past sys.stdout"


def _by_name(node: ast.Call, how: str, names: dict[str, str]) -> Iterator[tuple[int, str]]:
    """`setattr(library, ...)`, and names of the interpreter's own modules that are put together at run time."""
    library = dotted(node.args[0], names)
    known = len(node.args) > 1 and isinstance(node.args[1], ast.Constant)
    if how == "setattr" and library.split(".")[0] in _LIBRARIES and not _is_setting(library):
        yield node.lineno, f"gives a name of {library} another meaning"
    elif how != "setattr" and library in _SECRETIVE and not known:
        yield node.lineno, f"asks {library} for a name that is made at run time"


def _replaced(target: ast.Attribute, names: dict[str, str]) -> str | None:
    """The library name that is assigned to; None for anything of the script's own and for settings."""
    name = dotted(target, names)
    head = name.split(".")[0]
    if head not in _LIBRARIES or _is_setting(name):
        return None
    return name


def _is_setting(name: str) -> bool:
    parts = name.split(".")
    return parts[0] == "torch" and len(parts) > 1 and parts[1] in _SETTINGS


def dotted(node: ast.expr, names: dict[str, str]) -> str:
    """The library name of an expression such as `F.cross_entropy`; its own words for a builtin, empty where neither."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    if node.id not in names:
        return node.id if not parts else ""
    return ".".join([names[node.id], *parts[::-1]])
