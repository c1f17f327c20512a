"""Switches that the claimed log proves: a line printed only under ``if args.ttt_enabled`` is there or not.

READMEs forget switches and logs do not print them all, but a log shows which branches ran. Only switches, and
modes compared with a word (``args.ttt_mode == "lora"``), are settled so, and only where every print that could have
made the line stands under the same test.
"""

from __future__ import annotations

import ast
import bisect
import dataclasses
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from harness.intake import syntax
from harness.intake.environment import Environment
from harness.witnesses.claims.log import Log

_SHORTEST = 8
_DEPTH = 4
_PLAIN = ("enabled", "enable", "use", "do", "run", "eval", "skip", "save", "final", "no", "with", "on")

Test = tuple[str, bool | str]
"""A variable and whether its value must be true, or the word that it must equal, for a line to be printed."""


@dataclasses.dataclass(frozen=True)
class Proof:
    """One switch (or mode: `on` is its word) that the log settles; `log_line` shows it (0: missing), `script_line`
    prints it."""

    name: str
    on: bool | str
    log_line: int
    script_line: int


@dataclasses.dataclass(frozen=True)
class _Print:
    text: str
    line: int
    tests: frozenset[Test]
    plain: bool
    printer: str


def proofs(environment: Environment, log: Log) -> dict[str, Proof]:
    """The switches that the log's lines settle, by variable.

    A printed line proves the tests it stands under. A missing one proves a test false only where nothing else guards it,
    the same print function wrote most of what the script always prints into this log, and no line speaks of the feature.
    """
    prints = _prints(environment)
    lines = _outer_lines(log)
    by_text: dict[str, list[_Print]] = {}
    for found in prints:
        by_text.setdefault(found.text, []).append(found)
    seen = {text: number for text in by_text if (number := _find(text, lines)) is not None}
    result: dict[str, Proof] = {}
    for text, number in seen.items():
        same = [p for t, group in by_text.items() if t.startswith(text) or text.startswith(t) for p in group]
        for name, on in sorted(frozenset.intersection(*(p.tests for p in same)), key=str):  # one order always
            result.setdefault(name, Proof(name, on, number, by_text[text][0].line))
    trusted = _trusted_printers(by_text, seen)
    if trusted:
        for text, group in by_text.items():
            if (
                text not in seen
                and group[0].printer in trusted
                and len(group) == 1
                and group[0].plain
                and len(group[0].tests) == 1
            ):
                name, on = next(iter(group[0].tests))
                if isinstance(on, bool) and not _speaks_of(name, lines):
                    result.setdefault(name, Proof(name, not on, 0, group[0].line))
    return result


def _trusted_printers(by_text: Mapping[str, Sequence[_Print]], seen: Mapping[str, int]) -> set[str]:
    """The print functions that wrote nearly all that they print without any test: the log is theirs, and of this script."""
    always = [
        (t, group[0].printer) for t, group in by_text.items() if all(p.plain and not p.tests for p in group)
    ]
    trusted = set()
    for printer in {p for _, p in always}:
        own = [text for text, by in always if by == printer]
        if len(own) >= 4 and sum(text in seen for text in own) >= 0.8 * len(own):
            trusted.add(printer)
    return trusted


def _speaks_of(name: str, lines: Sequence[tuple[int, str]]) -> bool:
    """Whether any line but a printed setting names what the variable switches."""
    word = max(name.lower().split("_"), key=lambda w: (w not in _PLAIN, -name.lower().index(w)))
    return any(word in line.lower() and name.lower() not in line.lower() for _, line in lines)


def _outer_lines(log: Log) -> list[tuple[int, str]]:
    inside = {i for a, b in log.source for i in range(a, b + 1)}
    return [(n, t.strip()[:400]) for n, t in log.text.items() if n not in inside and t.strip()]


def _find(text: str, lines: Sequence[tuple[int, str]]) -> int | None:
    return next((n for n, line in lines if text in line), None)


def _prints(environment: Environment) -> list[_Print]:
    """Every print or log call with a telling literal, and the tests it stands under, through its callers."""
    if environment.tree is None:
        return []
    walker = _Walker(environment)
    walker.visit_body(environment.tree.body, None, frozenset(), True)
    callers = walker.callers
    result = []
    for function, found in walker.prints:
        tests, plain = _through_callers(function, callers, _DEPTH)
        result.append(dataclasses.replace(found, tests=found.tests | tests, plain=found.plain and plain))
    return result


def _through_callers(
    function: str | None, callers: Mapping[str, list[tuple[str | None, frozenset[Test], bool]]], depth: int
) -> tuple[frozenset[Test], bool]:
    """(tests that hold wherever the function is called, whether it is surely called when they hold)."""
    sites = callers.get(function or "", [])
    if function is None or function == "main" or not sites or depth == 0:
        return frozenset(), function is None or function == "main" or bool(sites)
    common: frozenset[Test] | None = None
    plain = len(sites) == 1
    for caller, tests, certain in sites:
        outer, sure = _through_callers(caller, callers, depth - 1)
        held = tests | outer
        common = held if common is None else common & held
        plain = plain and certain and sure
    return common or frozenset(), plain


class _Walker:
    """Collects prints and call sites with their tests; `certain` is lost in loops, try and other tests."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._nodes = syntax.all_nodes(environment.tree) if environment.tree else ()
        self._returns = sorted(n.lineno for n in self._nodes if isinstance(n, ast.Return))
        self._functions = {n.name for n in self._nodes if isinstance(n, ast.FunctionDef)}
        self._aliases = _other_names(environment, self._nodes)
        self.prints: list[tuple[str | None, _Print]] = []
        self.callers: dict[str, list[tuple[str | None, frozenset[Test], bool]]] = {}

    def visit_body(
        self, body: Iterable[ast.stmt], function: str | None, tests: frozenset[Test], certain: bool
    ) -> None:
        for statement in body:
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
                self.visit_body(statement.body, statement.name, frozenset(), True)
            elif isinstance(statement, ast.ClassDef):
                self.visit_body(statement.body, function, tests, certain)
            elif isinstance(statement, ast.If):
                self._visit_if(statement, function, tests, certain)
            else:
                self._visit_other(statement, function, tests, certain)
            if certain and self._leaves(statement):
                certain = False

    def _leaves(self, statement: ast.stmt) -> bool:
        """Whether the statement may return, so that later ones of the function are not surely reached."""
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            return False
        first = bisect.bisect_left(self._returns, statement.lineno)
        if first == len(self._returns) or self._returns[first] > (statement.end_lineno or statement.lineno):
            return False
        found = syntax.nodes(statement)
        returns = {id(n) for n in found if isinstance(n, ast.Return)}
        for function in found if returns else ():
            if isinstance(function, ast.FunctionDef | ast.Lambda):
                returns -= {id(n) for n in syntax.walk(function)}
        return bool(returns)

    def _visit_if(self, node: ast.If, function: str | None, tests: frozenset[Test], certain: bool) -> None:
        positive, whole = self._tests(node.test)
        self._expressions([node.test], function, tests, False)
        self.visit_body(node.body, function, tests | positive, certain and (whole or _main_rank(node.test)))
        negative = (
            frozenset((n, not on) for n, on in positive) if len(positive) == 1 and whole else frozenset()
        )
        size = self._size(node.test)
        self.visit_body(
            node.orelse,
            function,
            tests | negative | ({(size, False)} if size else set()),
            certain and bool(negative),
        )

    def _visit_other(
        self, node: ast.stmt, function: str | None, tests: frozenset[Test], certain: bool
    ) -> None:
        blocks = [getattr(node, field, None) for field in ("body", "orelse", "finalbody")]
        loose = isinstance(node, ast.For | ast.While | ast.Try)
        for block in blocks:
            if isinstance(block, list):
                self.visit_body(block, function, tests, certain and not loose)
        for handler in getattr(node, "handlers", []):
            self.visit_body(handler.body, function, tests, False)
        if isinstance(node, ast.With):
            self._expressions([i.context_expr for i in node.items], function, tests, certain)
        elif not any(isinstance(b, list) for b in blocks):
            self._expressions([node], function, tests, certain)

    def _expressions(
        self, nodes: Sequence[ast.AST], function: str | None, tests: frozenset[Test], certain: bool
    ) -> None:
        for call in (n for node in nodes for n in syntax.nodes(node) if isinstance(n, ast.Call)):
            name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
            if name in self._functions:
                self.callers.setdefault(name, []).append((function, tests, certain))
            if text := _literal(call):
                self.prints.append((function, _Print(text, call.lineno, tests, certain, name)))

    def _tests(self, test: ast.expr) -> tuple[frozenset[Test], bool]:
        """(variables that must be true or false for the test to hold, whether nothing else is asked)."""
        if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
            parts = [self._tests(v) for v in test.values]
            return frozenset().union(*(p for p, _ in parts)), all(w for _, w in parts) and len(parts) == 1
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            inner, whole = self._tests(test.operand)
            return (
                (frozenset((n, not on) for n, on in inner), True)
                if len(inner) == 1 and whole
                else (frozenset(), False)
            )
        if isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], ast.Eq):
            word = test.comparators[0]
            variable = self._variable(test.left)
            if variable and isinstance(word, ast.Constant) and isinstance(word.value, str):
                return frozenset({(variable, word.value)}), False  # another word proves nothing by itself
            return frozenset(), False
        variable = self._variable(test)
        return (frozenset({(variable, True)}), True) if variable else (frozenset(), False)

    def _size(self, test: ast.expr) -> str | None:
        """The variable that a test wants above zero, as in ``args.stride > 0 and args.stride < args.seq_len``: where the
        other branch ran, it was zero or as good as that."""
        parts = test.values if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And) else [test]
        names = {self._variable(p.left) for p in parts if isinstance(p, ast.Compare) and len(p.ops) == 1}
        if len(names) != 1 or not all(isinstance(p, ast.Compare) and len(p.ops) == 1 for p in parts):
            return None
        above = any(
            isinstance(p, ast.Compare)
            and isinstance(p.ops[0], ast.Gt)
            and isinstance(p.comparators[0], ast.Constant)
            and p.comparators[0].value == 0
            for p in parts
        )
        return names.pop() if above else None

    def _variable(self, node: ast.expr) -> str | None:
        """The environment variable behind a name or an attribute, where there is exactly one."""
        name = (
            node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else None
        )
        variables = self._environment.targets.get(name or "", [])
        if not variables and isinstance(node, ast.Name):
            return self._aliases.get(node.id)
        return variables[0] if len(variables) == 1 else None


def _other_names(environment: Environment, nodes: Sequence[ast.AST]) -> dict[str, str]:
    """Names that stand for one variable wherever the script binds them: ``use_cache = args.cache_enabled``."""
    means: dict[str, list[str]] = {}
    bound: Counter[str] = Counter()
    for node in nodes:
        if isinstance(node, ast.arg):
            bound[node.arg] += 1
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bound[node.id] += 1
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Name | ast.Attribute):
            source = node.value.attr if isinstance(node.value, ast.Attribute) else node.value.id
            variables = environment.targets.get(source, [])
            for target in node.targets:
                if isinstance(target, ast.Name) and len(variables) == 1:
                    means.setdefault(target.id, []).append(variables[0])
    return {n: found[0] for n, found in means.items() if len(set(found)) == 1 and len(found) == bound[n]}


def _literal(call: ast.Call) -> str | None:
    """The first literal text of a print or log call, up to its first value; None where it tells little."""
    name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
    if not call.args or not re.search(r"print|log|write|info", name):
        return None
    first = call.args[0]
    if isinstance(first, ast.JoinedStr) and first.values:
        first = first.values[0] if isinstance(first.values[0], ast.Constant) else first
    if not isinstance(first, ast.Constant) or not isinstance(first.value, str):
        return None
    text = first.value.strip().split("\n")[0].strip()
    return text if len(text) >= _SHORTEST and re.search(r"[A-Za-z]{4}", text) else None


def _main_rank(test: ast.expr) -> bool:
    """Whether a test only asks for the process that prints."""
    return bool(re.search(r"master_process|is_main|rank\b.*== 0|__name__", ast.unparse(test)[:200]))
