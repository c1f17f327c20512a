"""Gives every name that a script makes up itself another one, consistently, so that nothing but names has changed.

Two kinds of names are told apart: variables (functions, classes, parameters, locals) and attributes (methods, what class
bodies and assignments put on objects). What is bound in a class body is both. A name stays where something outside the
syntax tree could know it: imports, libraries' attributes and keyword arguments, strings, other files, reflection.
"""

from __future__ import annotations

import ast
import builtins
import functools
import importlib
import keyword
import re
from collections.abc import Collection, Iterator

_REFLECTION = {"vars", "dir", "locals", "globals", "asdict", "__dict__"}
_LIBRARY_CALLS = {"step", "state_dict", "load_state_dict", "zero_grad", "train", "to", "apply"}
_FORWARDS = {"partial", "checkpoint", "submit", "run", "apply", "vmap"}  # hand keyword arguments on
_SHORTEST = 3  # letters of a string that may be looked for inside names of parameters

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_NAMED = _Function | ast.ClassDef | ast.ExceptHandler | ast.MatchAs | ast.MatchStar


_LIBRARIES = """
    argparse builtins collections concurrent.futures contextlib ctypes datetime io json logging math multiprocessing os
    os.path pathlib pickle queue random re struct subprocess sys threading time types typing numpy numpy.linalg
    numpy.random sentencepiece torch torch.amp torch.autograd torch.backends torch.compiler torch.cuda
    torch.distributed torch.library torch.linalg torch.nn torch.nn.functional torch.nn.init torch.nn.parallel torch.optim
    torch.profiler torch.utils torch.utils.data
"""
_OF_OBJECTS = "weight bias param_groups defaults value argtypes restype _fields_ _pack_"
"""Attributes that libraries put on objects, where no class shows them."""


@functools.cache
def library_names() -> frozenset[str]:
    """What the libraries of scripts call their functions, classes, methods and attributes."""
    found = set(_OF_OBJECTS.split())
    for name in _LIBRARIES.split():
        module = importlib.import_module(name)
        found |= set(dir(module))
        for thing in vars(module).values():
            if issubclass(type(thing), type):
                found |= set(dir(thing)) | set(getattr(thing, "__annotations__", ()))
    return frozenset(found)


def renamed(source: str, elsewhere: Collection[str] = ()) -> tuple[str, int, int] | None:
    """The script with other names, how many names have changed, and how many it makes up in all.

    `elsewhere` holds names that other files use. Lines and comments are not kept: the text is written anew from the syntax
    tree. None where the tree cannot be written as text. Raises SyntaxError where the source does not parse.
    """
    tree = ast.parse(source)
    names = _Names(tree, elsewhere)
    fresh = _fresh(names)
    changed = _Renamer(
        {n: fresh[n] for n in names.variables}, {n: fresh[n] for n in names.attributes}, names
    ).visit(tree)
    try:
        text = ast.unparse(ast.fix_missing_locations(changed))
        ast.parse(text)
    except (ValueError, SyntaxError):
        return None
    return text, len(names.variables | names.attributes), len(names.made)


def _fresh(names: _Names) -> dict[str, str]:
    """New names in the order of the alphabet, none of them in use: what a name says is gone, not only spelt otherwise."""
    taken = names.made | names.seen | set(keyword.kwlist)
    numbers = (f"zq{number}" for number in range(10**9))
    free = (n for n in numbers if n not in taken)
    return {name: next(free) for name in sorted(names.variables | names.attributes)}


class _Names:
    """Which names of a script may change: `variables` and `attributes`; `made` are all that it binds itself, `seen` all
    others in it."""

    def __init__(self, tree: ast.Module, elsewhere: Collection[str]) -> None:
        self.nodes = list(ast.walk(tree))
        self.imported = set(_imported(self.nodes))
        self.seen = {n.id for n in self.nodes if isinstance(n, ast.Name)} | self.imported
        self.classes = {n.name: n for n in self.nodes if isinstance(n, ast.ClassDef)}
        inside = {name for c in self.classes.values() for name in _bound_in(c)}
        variables, attributes = set(_variables(self.nodes)) | inside, set(self._stored()) | inside
        self.made = variables | attributes
        self.methods = {f.name for c in self.classes.values() for f in c.body if isinstance(f, _Function)}
        self.parameters = _parameters(self.nodes)
        kept = self._kept(elsewhere)
        of_libraries = self._attributes_of_imports() | library_names() | self._searched()
        attributes -= kept | of_libraries
        variables -= kept
        both = inside - (variables & attributes)
        self.variables, self.attributes = variables - both, attributes - both

    def _kept(self, elsewhere: Collection[str]) -> set[str]:
        kept = {*elsewhere, *self.imported, *dir(builtins), "_"} | self._foreign_keywords() | self._spelt()
        kept |= {n for n in self.made if n.startswith("__")} | {n for n in self.made if n.startswith("zq")}
        for node in self.nodes:
            if isinstance(node, _Function) and node.name in _LIBRARY_CALLS:
                kept |= {a.arg for a in _arguments(node)}
            elif isinstance(node, ast.MatchClass):
                kept |= set(node.kwd_attrs)
        return kept | self._reflected() | self._of_itself()

    def _stored(self) -> Iterator[str]:
        for node in self.nodes:
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                yield node.attr

    def _attributes_of_imports(self) -> set[str]:
        return {n.attr for n in self.nodes if isinstance(n, ast.Attribute) and _root(n) in self.imported}

    def _of_itself(self) -> set[str]:
        """What the script reads off its own module (`me = sys.modules[__name__]`): there variables are attributes."""
        own = {
            target.id
            for n in self.nodes
            if isinstance(n, ast.Assign) and ast.unparse(n.value).split(".")[-1].startswith("modules[")
            for target in n.targets
            if isinstance(target, ast.Name)
        }
        return {n.attr for n in self.nodes if isinstance(n, ast.Attribute) and _root(n) in own}

    def _strings(self) -> Iterator[str]:
        """Strings that may name something: no documentation, no prose, no text around the values of an f-string."""
        prose = {id(v) for n in self.nodes if isinstance(n, ast.JoinedStr) for v in n.values}
        for node in self.nodes:
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
                yield node.value

    def _spelt(self) -> set[str]:
        return {word for s in self._strings() if not re.search(r"\s", s) for word in re.findall(r"\w+", s)}

    def _searched(self) -> set[str]:
        """Names of which a part is spelt in a string: parameters are chosen by such parts ("attn" in name)."""
        parts = {w for w in self._spelt() if len(w) >= _SHORTEST and w.islower()}
        parts |= {p for w in parts for p in w.split("_") if f"{p}_" == w or f"_{p}" == w}
        return {n for n in self.made if any(p in n for p in parts)}

    def _reflected(self) -> set[str]:
        """What stands in classes that only hold settings, where the script lists the attributes of something."""
        used = {n.id for n in self.nodes if isinstance(n, ast.Name)} & _REFLECTION
        used |= {n.attr for n in self.nodes if isinstance(n, ast.Attribute)} & _REFLECTION
        if not used:
            return set()
        return {
            name
            for c in self.classes.values()
            if not any(isinstance(f, _Function) and not f.name.startswith("__") for f in c.body)
            for name in _bound_in(c)
        }

    def _foreign_keywords(self) -> set[str]:
        """Keyword arguments of calls that may go to anything."""
        found = set()
        for node in self.nodes:
            if isinstance(node, ast.ClassDef):
                found |= {k.arg for k in node.keywords if k.arg}
            elif isinstance(node, ast.Call) and not self._is_library(node.func):
                found |= {k.arg for k in node.keywords if k.arg} - self.accepted(node.func)
        return found

    def accepted(self, called: ast.expr) -> set[str]:
        """Parameters that are the script's own in a call, by name; none where the call may go to something else. What a
        class leaves to the constructor of its base is not its own."""
        if isinstance(called, ast.Name) and called.id not in self.imported:
            return self.parameters.get(called.id, set())
        if isinstance(called, ast.Attribute) and called.attr in self.methods - library_names():
            return self.parameters.get(called.attr, set())
        return set()

    def _is_library(self, called: ast.expr) -> bool:
        """Whether a call certainly goes to a library, and not through it to a function of the script."""
        last = getattr(called, "attr", getattr(called, "id", ""))
        if last in _FORWARDS:
            return False
        if isinstance(called, ast.Attribute) and _root(called) not in self.imported:
            return last in library_names() - self.methods - self.made
        return _root(called) in self.imported or last in dir(builtins)


class _Renamer(ast.NodeTransformer):
    """Writes the new names into a tree."""

    def __init__(self, variables: dict[str, str], attributes: dict[str, str], names: _Names) -> None:
        self.variables, self.attributes, self.names = variables, attributes, names

    def generic_visit(self, node: ast.AST) -> ast.AST:
        """Every node that holds a name, whatever its kind."""
        if isinstance(node, ast.Name):
            node.id = self.variables.get(node.id, node.id)
        elif isinstance(node, ast.Attribute):
            if _root(node) not in self.names.imported:
                node.attr = self.attributes.get(node.attr, node.attr)
        elif isinstance(node, ast.arg):
            node.arg = self.variables.get(node.arg, node.arg)
        elif isinstance(node, ast.Global | ast.Nonlocal):
            node.names = [self.variables.get(n, n) for n in node.names]
        elif isinstance(node, _NAMED) and node.name:
            node.name = self.variables.get(node.name, node.name)
        elif isinstance(node, ast.MatchMapping) and node.rest:
            node.rest = self.variables.get(node.rest, node.rest)
        elif isinstance(node, ast.Call):
            own = self.names.accepted(node.func)
            for item in node.keywords:
                if item.arg in own:
                    item.arg = self.variables.get(item.arg or "", item.arg)
        return super().generic_visit(node)


def _imported(nodes: Collection[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                yield (alias.asname or alias.name).split(".")[0]


def _variables(nodes: Collection[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, _NAMED) and node.name:
            yield node.name


def _bound_in(defined: ast.ClassDef) -> Iterator[str]:
    """Names that a class body binds, also below its own `if` and `for`."""
    todo: list[ast.AST] = list(defined.body)
    while todo:
        node = todo.pop()
        if isinstance(node, _Function | ast.ClassDef):
            yield node.name
        elif not isinstance(node, ast.Lambda):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id
            todo += ast.iter_child_nodes(node)


def _parameters(nodes: Collection[ast.AST]) -> dict[str, set[str]]:
    """By function or class: what may be named in a call of it; for a data class its fields."""
    found: dict[str, set[str]] = {}
    for node in nodes:
        if isinstance(node, _Function):
            found.setdefault(node.name, set()).update(a.arg for a in _arguments(node))
        elif isinstance(node, ast.ClassDef):
            makers = [f for f in node.body if isinstance(f, _Function) and f.name == "__init__"]
            names = {a.arg for f in makers for a in _arguments(f)} or set(_bound_in(node))
            found.setdefault(node.name, set()).update(names)
    return found


def _arguments(function: _Function) -> list[ast.arg]:
    given = function.args
    return [*given.posonlyargs, *given.args, *given.kwonlyargs]


def _root(node: ast.expr) -> str | None:
    """The variable at the start of a chain of attributes; None where something else stands there."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None
