"""Conditions on size, time or machine whose other way the run never went: what a whole run may do and a small one does not.

A run at small scale proves what it did. `if val.numel() > 10_000_000:` keeps out of it what the claimed run meets. Of the
conditions that the claimed score was taken under, those are told that compare with a number of their own or ask the clock
or the machine, and whose other way does more than print or raise.
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from harness.case import Script
from harness.intake import syntax
from harness.witnesses.trace.branches import Condition, OneWay

_NEXT_TO_NOTHING = (-1, 0, 1, 2)
_PROBES = frozenset(
    (
        *(
            "perf_counter",
            "monotonic",
            "process_time",
            "perf_counter_ns",
            "time_ns",
            "getpid",
            "cpu_count",
            "uname",
        ),
        *(
            "get_device_name",
            "get_device_properties",
            "get_device_capability",
            "device_count",
            "mem_get_info",
        ),
        *("total_memory", "gethostname", "platform", "exists", "isfile", "isdir", "is_file", "is_dir"),
    )
)
"""What asks for the time, the machine or its files."""

_TELLS = frozenset(
    ("print", "log", "log0", "logger", "say", "info", "debug", "warning", "warn", "write", "flush")
)
_MOST = 20


@dataclasses.dataclass(frozen=True)
class Gate:
    """A condition that went one way only: its line and text, and the first line that was not run."""

    line: int
    test: str
    other: int


def gates(script: Script, one_way: Sequence[OneWay], decided: Mapping[int, bool]) -> tuple[Gate, ...]:
    """The gates of a script that ran, by line; none where it does not parse. `decided` says which way the claimed settings
    alone send the conditions of a line: where the run went that way, nothing was kept out of it."""
    try:
        tree = syntax.parse(script.runnable)
    except syntax.Unparsable:
        return ()
    met = {one.condition: one.held for one in one_way}
    known = _Numbers(syntax.all_nodes(tree))
    told = _told(tree)
    found = []
    for condition, node, test in conditions(tree):
        held = met.get(condition)
        if held is None or decided.get(condition.line) is held or id(node) in told or not known.gated(test):
            continue
        other = _other(node, held)
        if other is not None:
            found.append(Gate(condition.line, ast.unparse(test)[:120], other))
    return tuple(sorted(set(found), key=lambda gate: gate.line))[:_MOST]


def conditions(tree: ast.Module) -> Iterator[tuple[Condition, ast.AST, ast.expr]]:
    """The conditions of a program, counted as the marks inside count them: each with its node and its test."""
    seen: dict[tuple[str, int], int] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.If):
            yield _counted("if", node.lineno, seen), node, node.test
        elif isinstance(node, ast.IfExp):
            yield _counted("choice", node.lineno, seen), node, node.test
        elif isinstance(node, ast.comprehension):
            for test in node.ifs:
                yield _counted("filter", test.lineno, seen), node, test


def _counted(kind: str, line: int, seen: dict[tuple[str, int], int]) -> Condition:
    place = seen[kind, line] = seen.get((kind, line), -1) + 1
    return Condition(kind, line, place)


def _other(node: ast.AST, held: bool) -> int | None:
    """The line where the way that was not gone begins; None where it does nothing that matters."""
    if isinstance(node, ast.If):
        body = node.orelse if held else node.body
        return next((one.lineno for one in body if _acts(one)), None)
    if isinstance(node, ast.IfExp):
        arm = node.orelse if held else node.body
        word = isinstance(arm, ast.Constant) and isinstance(arm.value, str)
        return None if word else arm.lineno
    return node.target.lineno if isinstance(node, ast.comprehension) and held else None


def _acts(one: ast.stmt) -> bool:
    """Whether a statement does more than to raise, to print or to ask for more."""
    if isinstance(one, ast.Raise | ast.Assert | ast.Pass | ast.Import | ast.ImportFrom):
        return False
    if isinstance(one, ast.If | ast.With | ast.For):
        return any(_acts(inner) for inner in (*one.body, *getattr(one, "orelse", ())))
    return not (isinstance(one, ast.Expr) and (isinstance(one.value, ast.Constant) or _tells(one.value)))


def _tells(value: ast.expr) -> bool:
    """Whether an expression is a call that prints or logs."""
    if not isinstance(value, ast.Call):
        return False
    name = _name(value.func)
    return name in _TELLS or name.startswith(("log", "print"))


def _told(tree: ast.Module) -> set[int]:
    """The choices inside of what is only printed."""
    return {
        id(inner)
        for node in syntax.all_nodes(tree)
        if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.expr) and _tells(node))
        for inner in ast.walk(node)
        if isinstance(inner, ast.IfExp)
    }


class _Numbers:
    """The names that stand for a number or for a gate, each bound to nothing else in the whole script."""

    def __init__(self, nodes: Sequence[ast.AST]) -> None:
        bound: dict[str, list[ast.expr]] = {}
        for node in nodes:
            if not isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign) or node.value is None:
                continue
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                if isinstance(target, ast.Name | ast.Attribute):
                    bound.setdefault(_name(target), []).append(node.value)
        self._bound = bound

    def gated(self, test: ast.expr, depth: int = 2) -> bool:
        """Whether a test compares with a number of its own or asks the clock or the machine, itself or by a name."""
        for node in ast.walk(test):
            if isinstance(node, ast.Name | ast.Attribute):
                name = _name(node)
                if name in _PROBES or (name == "time" and isinstance(node, ast.Attribute)):
                    return True
                if depth and any(
                    isinstance(v, ast.Compare | ast.BoolOp | ast.UnaryOp) and self.gated(v, depth - 1)
                    for v in self._bound.get(name, ())
                ):
                    return True
            if isinstance(node, ast.Compare) and any(
                self._number(side) for side in (node.left, *node.comparators)
            ):
                return True
        return False

    def _number(self, side: ast.expr) -> bool:
        """Whether one side of a comparison is a number that means something."""
        if isinstance(side, ast.Constant):
            return type(side.value) in (int, float) and side.value not in _NEXT_TO_NOTHING
        if isinstance(side, ast.UnaryOp):
            return self._number(side.operand)
        if isinstance(side, ast.BinOp):
            relative = isinstance(side.op, ast.Mult | ast.Mod) and (
                self._number(side.right) or self._number(side.left)
            )
            return relative or _literal(side)
        if isinstance(side, ast.Name):
            values = self._bound.get(side.id, [])
            return len(values) == 1 and not isinstance(values[0], ast.Name) and self._number(values[0])
        return False


def _literal(value: ast.expr) -> bool:
    """Whether an expression is made of numbers only, as 10**7 is."""
    return all(isinstance(n, ast.Constant | ast.BinOp | ast.operator) for n in ast.walk(value))


def _name(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
