"""The abstract machine: follows the claimed path through a script and notes what happens, without running it.

It holds the state that evaluation shares: scopes, the call stack, running loops, open branches, the events so far. The
rules for expressions, statements, calls and library functions are in the modules beside this one.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

from harness.intake import syntax
from harness.witnesses.static.events import Branch, Event, Frame, Guard, LoopStep, Printed
from harness.witnesses.static.values import (
    CLEAN,
    EMPTY,
    NO,
    PLACE,
    Affine,
    Cls,
    Ext,
    Fn,
    Map,
    Obj,
    Part,
    Seq,
    Taint,
    Val,
    Value,
    is_module,
    is_optimizer,
    join,
    low_of,
    taint_of,
)

STEPS = 400_000
"""Expressions evaluated before the witness gives up and says so."""

DEPTH = 60
"""Calls inside calls before a result is taken as unknown."""


class TooLong(Exception):
    """The path could not be followed within the bound on steps."""


class Env:
    """A scope: its variables and the scope around it."""

    __slots__ = ("assigned", "file", "outer", "parent", "root", "vars")

    def __init__(self, parent: Env | None, file: int) -> None:
        self.vars: dict[str, Value] = {}
        self.parent = parent
        self.root: Env = parent.root if parent is not None else self
        self.file = file
        self.outer: dict[str, Env] = {}
        self.assigned: dict[str, tuple[int, ...]] = {}

    def lookup(self, name: str) -> Value | None:
        """The value of a name, from this scope outwards."""
        env: Env | None = self
        while env is not None:
            found = env.vars.get(name)
            if found is not None:
                return found
            env = env.parent
        return None

    def assign(self, name: str, value: Value) -> None:
        """Bind a name here, or where `global`/`nonlocal` says."""
        target = self.outer.get(name)
        if target is not None:
            target.vars[name] = value
        else:
            self.vars[name] = value


class Source:
    """One file of the program: what to call it in evidence, and its tree."""

    def __init__(self, display: str, text: str, tree: ast.Module) -> None:
        self.display = display
        self.text = text
        self.lines = text.split("\n")
        self.tree = tree

    @functools.cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Every node of the tree; a walk costs as much as following a small script, so it is done once."""
        return syntax.all_nodes(self.tree)

    @functools.cached_property
    def strings(self) -> list[ast.JoinedStr | ast.Constant]:
        """Every string and number."""
        return [n for n in self.nodes if isinstance(n, ast.JoinedStr | ast.Constant)]

    @functools.cached_property
    def assigned(self) -> dict[str, list[ast.expr]]:
        """What each name is set to, as a variable, a field or an attribute, in the order of the nodes."""
        found: dict[str, list[ast.expr]] = {}
        for node in self.nodes:
            if not isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign) or node.value is None:
                continue
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            named = {
                t.id if isinstance(t, ast.Name) else t.attr
                for t in targets
                if isinstance(t, ast.Name | ast.Attribute)
            }
            for name in named:
                found.setdefault(name, []).append(node.value)
        return found

    @functools.cached_property
    def functions(self) -> list[ast.FunctionDef]:
        """Every function, methods and inner ones too."""
        return [n for n in self.nodes if isinstance(n, ast.FunctionDef)]

    @functools.cached_property
    def by_name(self) -> dict[str, list[ast.FunctionDef | ast.AsyncFunctionDef]]:
        """The functions that bear each name, methods and inner ones too."""
        found: dict[str, list[ast.FunctionDef | ast.AsyncFunctionDef]] = {}
        for node in self.nodes:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                found.setdefault(node.name, []).append(node)
        return found

    def body(self, node: ast.stmt) -> str:
        """The text of a statement."""
        return "\n".join(self.lines[node.lineno - 1 : node.end_lineno])


@dataclasses.dataclass(frozen=True)
class Sieve:
    """A condition on val tokens or on the `losses` of some: where it stands. `ranks`: it is an order (:mod:`ranking`)."""

    file: int
    line: int
    losses: frozenset[int]
    ranks: bool = False


class Machine:
    """State shared by all evaluation."""

    def __init__(
        self, environment: Mapping[str, str], argv: tuple[str, ...], files: Mapping[str, str]
    ) -> None:
        self.environment = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "8", **environment}
        self.settings: dict[str, str] = {}
        self.argv = argv
        self.files = files
        self.sources: list[Source] = []
        self.modules: dict[str, Env] = {}
        self.steps = 0
        self.limit = STEPS
        self.counter = 0
        self.frames: list[Frame] = []
        self.names: list[str] = []
        self.loops: list[LoopStep] = []
        self.guards: list[Guard] = []
        self.events: list[Event] = []
        self.branches: dict[tuple[int, int], Branch] = {}
        self.decided: dict[tuple[int, int], bool | None] = {}
        self.objects: dict[int, Obj] = {}
        self.pending: dict[int, frozenset[int]] = {}
        self.heads: dict[
            int, frozenset[tuple[str, Any]]
        ] = {}  # of losses: the beginnings that were trained on
        self.whole: set[int] = set()  # losses that were trained on as a whole
        self.disk: dict[str, Taint] = {}
        self.filtered: set[str] = set()  # folders whose files are asked for words that tell a stream
        self.arrays = CLEAN
        self.hooks: list[tuple[Obj | None, Value, int]] = []
        self.operators: dict[str, Fn] = {}
        self.notes: list[str] = []
        self.passes: dict[Any, Any] = {}
        self.inside = False
        self.version = 0
        self.pivots: set[int] = set()
        self.sieves: dict[int, Sieve] = {}  # conditions that can sift val
        self.reached_leaves: frozenset[int] = EMPTY
        self.clocks: list[tuple[int, int, int, float, tuple[int, ...]]] = []
        self.natives: list[tuple[str, int, int]] = []
        self.called_natives: set[str] = set()  # functions of libraries that were called by name
        self.reached: set[tuple[int, int]] = set()
        self.calling: list[int] = []
        self.recursions: dict[int, int] = {}  # functions that call themselves, as loops
        self.exits: list[list[dict[str, Value]]] = []
        self.returns: list[list[Value]] = []
        self.yields: list[list[Value]] = []
        self.file = 0
        self.line = 0
        self.memo: dict[Any, Any] = {}
        self.running: set[int] = set()  # symbols of numbers that run over a whole list inside one expression
        self.places: dict[Affine, int] = {}  # where slices begin that no loop chose

    def fresh(self) -> int:
        """A new number, for loops, objects, symbols and branchings."""
        self.counter += 1
        return self.counter

    def tick(self) -> None:
        """Count a step of evaluation. Raises TooLong past the bound."""
        self.steps += 1
        if self.steps > self.limit:
            raise TooLong

    def where(self) -> dict[str, Any]:
        """The fields every event shares."""
        return {
            "number": len(self.events),
            "file": self.file,
            "line": self.line,
            "frames": tuple(self.frames),
            "loops": tuple(self.loops),
            "guards": tuple(self.guards),
            "functions": tuple(self.names),
        }

    def emit(self, event: Event) -> int:
        """Note an event; its number."""
        self.events.append(event)
        return event.number

    def here(self) -> frozenset[tuple[int, int]]:
        """The innermost loop iteration, for values that differ each time they are fetched."""
        return frozenset(((self.loops[-1][0], self.loops[-1][1]),)) if self.loops else EMPTY

    def loop_numbers(self) -> tuple[int, ...]:
        """The loops that are running, outermost first."""
        return tuple(step[0] for step in self.loops)

    def symbol(self, value: Val) -> Affine:
        """The value as an integer plus symbols, giving it a symbol of its own where it has none."""
        if value.affine is None:
            if isinstance(value.const, int):
                value.affine = (int(value.const), ())
            else:
                value.affine = (0, ((self.fresh(), 1),))
        return value.affine

    def place(self, begin: Val) -> frozenset[tuple[int, int]]:
        """The place where a slice begins, as something that chose it, unless a loop did or it is near the head."""
        if begin.taint.deps or (isinstance(begin.const, int) and 0 <= begin.const <= 1):
            return EMPTY
        affine = self.symbol(begin)
        if any(symbol in self.running for symbol, _ in affine[1]):
            return EMPTY
        return frozenset(((PLACE, self.places.setdefault(affine, len(self.places))),))

    def run_over(self, item: Value) -> None:
        """Note that an item stands for all items of a list, one after the other, in one expression."""
        if isinstance(item, Val) and item.const is NO:
            self.running.update(symbol for symbol, _ in self.symbol(item)[1])
        elif isinstance(item, Seq) and item.kind != "range":
            for part in item.box.items or []:
                self.run_over(part)

    def instance(self, cls: Cls | Ext) -> Obj:
        """A new object."""
        made = Obj(cls, self.fresh(), self.line, self.loop_numbers())
        self.objects[made.number] = made
        return made

    def printed(self, value: Value, text: str, *, numbers: bool = True) -> None:
        """Note a printed line; `numbers` says that it tells something that the source does not."""
        taint = taint_of(value)
        if text or taint.losses:
            self.emit(
                Printed(
                    **self.where(),
                    text=text,
                    losses=taint.losses,
                    updates=taint.updates,
                    marks=taint.marks,
                    counted=taint.reads("val"),
                    numbers=numbers,
                )
            )

    def merge(self, values: list[Value]) -> Value:
        """The join of several values; None where there are none."""
        if not values:
            return Val(None)
        result = values[0]
        for value in values[1:]:
            result = join(result, value)
        return result


def unknown(*values: Value | None) -> Val:
    """An unknown value that came from these."""
    taint = CLEAN
    for value in values:
        taint = taint | taint_of(value)
    return Val(taint=taint)


def unify(value: Seq) -> None:
    """A list of tensors seen through an unknown index is one tensor: what is written to any is read from all."""
    items = value.box.items
    if items is None or len(items) < 2 or not all(isinstance(i, Val) and i.storage for i in items):
        return
    first = items[0]
    assert isinstance(first, Val)
    for item in items[1:]:
        first.taint = first.taint | taint_of(item)
    first.const = NO
    value.box.items = [first] * len(items)


def elements(value: Value) -> Value:
    """What any element of a value may be."""
    if isinstance(value, Seq) and value.kind == "range":
        start = value.box.items[0] if value.box.items else None
        number = Val(taint=value.taint)
        number.low = low_of(start) if isinstance(start, Val) else None
        return number
    if isinstance(value, Seq):
        unify(value)
        options = [*(value.box.items or [])]
        if value.box.any is not None:
            options.append(value.box.any)
        if not options:
            return Val(taint=value.taint)
        result = options[0]
        for option in options[1:32]:
            result = join(result, option)
        return result
    return unknown(value)


def choose(value: Value, deps: frozenset[tuple[int, int]]) -> Value:
    """The value as one that loop iterations chose."""
    if not deps:
        return value
    if isinstance(value, Val):
        if deps <= value.taint.deps or value.storage or value.param in ("leaf", "parameter"):
            return value  # what is written in place stays itself
        return value.tinted(value.taint.with_deps(deps))
    if isinstance(value, Seq):
        if value.kind == "tuple" and value.box.items is not None:
            return Seq([choose(item, deps) for item in value.box.items], "tuple", value.taint.with_deps(deps))
        return value.view(deps)
    if isinstance(value, Map) and is_record(value):
        return value if deps <= value.taint.deps else value.view(value.taint.with_deps(deps))
    if isinstance(value, Obj) and is_record(value):
        return value if deps <= value.deps else value.view(deps)
    if isinstance(value, Part):
        given = {name: choose(v, deps) for name, v in value.kwargs.items()}
        return Part(value.function, [choose(v, deps) for v in value.args], given)
    if isinstance(value, Fn) and value.defaults:
        chosen = value.copy()
        chosen.defaults = {name: choose(v, deps) for name, v in value.defaults.items()}
        return chosen
    return value


def is_record(value: Map | Obj) -> bool:
    """Whether something only holds values under names: a dictionary with words for keys, a namespace, an instance of a
    class of the script that is no module."""
    if isinstance(value, Map):
        return bool(value.items) and value.any is None and all(isinstance(k, str) for k in value.items)
    if isinstance(value.cls, Cls):
        return not (is_module(value) or is_optimizer(value))
    return value.cls.path == "argparse.Namespace"


__all__ = ["DEPTH", "Env", "Fn", "Machine", "Source", "TooLong", "choose", "elements", "unknown"]
