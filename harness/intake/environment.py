"""Which environment variables a script reads, and how each becomes a value: found in its syntax tree.

Scripts read them as ``os.environ.get``, ``os.getenv``, ``os.environ[...]``, ``"X" in os.environ``, through
aliases (``E = os.environ.get``) and through helpers of their own (``_env_int("X", 3)``). A printed setting
goes back to its variable through the assignment that made it: ``ttt_enabled =
bool(int(os.environ.get("TTT_ENABLED", "1")))``. To find the text that the variable must have held, a few
candidate texts are put through that expression by a small interpreter of our own.
"""

from __future__ import annotations

import ast
import bisect
import dataclasses
import re
from typing import Any

from harness.intake.conversion import FAILURES, Interpreter, Unknown, candidates, same_value
from harness.intake.names import assignments, bound_name, dotted_name, last_name
from harness.intake.syntax import Unparsable, all_nodes, parse, walk

_READERS = ("os.environ.get", "os.getenv", "environ.get", "getenv", "os.environ.setdefault", "os.environ.pop")
_MAPPINGS = ("os.environ", "environ")


@dataclasses.dataclass(frozen=True)
class Variable:
    """One environment variable that a script reads. `targets` are the names its value is assigned to.

    `expressions` are the right-hand sides (one per assignment) that turn the text into the value.
    """

    name: str
    line: int
    targets: tuple[str, ...]
    expressions: tuple[ast.expr, ...]


@dataclasses.dataclass(frozen=True)
class Printing:
    """One printed key and the name of the value printed beside it (None: not a plain name)."""

    key: str
    target: str | None


class Environment:
    """The environment variables of one script.

    `variables` by name, `targets` maps an assigned name to its variables, `printed` a printed key to what
    stands there, `dynamic` says that names are built at run time (``field.name.upper()``), `argv` that the
    script reads its arguments.
    """

    def __init__(self, source: str) -> None:
        self.variables: dict[str, Variable] = {}
        self.targets: dict[str, list[str]] = {}
        self.printed: dict[str, list[Printing]] = {}
        self.dynamic = False
        self.argv = "argparse" in source or "sys.argv" in source
        self._helpers: dict[str, ast.FunctionDef | ast.Lambda] = {}
        self._aliases: set[str] = set()
        self._maps: set[str] = set(_MAPPINGS)
        self._reads: dict[int, tuple[str, ast.expr | None]] = {}
        self._constants: dict[str, ast.expr] = {}
        try:
            self.tree: ast.Module | None = parse(source)
        except Unparsable:
            self.tree = None
            return
        self._nodes = all_nodes(self.tree)
        self._find_aliases()
        self._find_helpers()
        self._find_reads()
        self._find_targets()
        self._find_printed()

    # ---- reading the tree

    def _find_aliases(self) -> None:
        for node in self._nodes:
            if (
                isinstance(node, ast.Assign)
                and len(node.targets) == 1
                and isinstance(node.targets[0], ast.Name)
            ):
                dotted = dotted_name(node.value)
                if dotted in _READERS:
                    self._aliases.add(node.targets[0].id)
                elif dotted in _MAPPINGS:
                    self._maps.add(node.targets[0].id)
        for statement in self.tree.body if self.tree else []:
            if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant):
                self._constants |= {
                    t.id: statement.value for t in statement.targets if isinstance(t, ast.Name)
                }

    def _reader(self, call: ast.Call) -> bool:
        dotted = dotted_name(call.func)
        if dotted is None:
            return False
        return (
            dotted in _READERS
            or dotted in self._aliases
            or (dotted.rpartition(".")[0] in self._maps and dotted.endswith(".get"))
        )

    def _name_of(self, node: ast.expr) -> str | None:
        """The literal name that a read asks for; None where it is computed."""
        if isinstance(node, ast.Name) and node.id in self._constants:
            node = self._constants[node.id]
        return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None

    def _find_helpers(self) -> None:
        """Functions and lambdas that read a variable named by their first parameter, directly or not."""
        asking = [
            n for n in self._nodes if isinstance(n, ast.Subscript) or (isinstance(n, ast.Call) and n.args)
        ]
        functions: list[tuple[str, ast.FunctionDef | ast.Lambda]] = [
            (n.name, n) for n in self._nodes if isinstance(n, ast.FunctionDef)
        ]
        functions += [
            (n.targets[0].id, n.value)
            for n in self._nodes
            if isinstance(n, ast.Assign)
            and isinstance(n.value, ast.Lambda)
            and isinstance(n.targets[0], ast.Name)
        ]
        for _ in range(3):
            before = len(self._helpers)
            asked = [n for n in asking if self._asks_environment(n)]
            for name, function in functions:
                near = {id(n) for n in asked if _within(n, function)}
                if name not in self._helpers and near and any(id(n) in near for n in _asks(function)):
                    self._helpers[name] = function
            if len(self._helpers) == before:
                break

    def _asks_environment(self, node: ast.Call | ast.Subscript) -> bool:
        if isinstance(node, ast.Call):
            return self._reader(node) or last_name(node.func) in self._helpers
        return dotted_name(node.value) in self._maps

    def _find_reads(self) -> None:
        in_helper = {id(n) for f in self._helpers.values() for n in walk(f)}
        for node in self._nodes:
            if id(node) in in_helper:
                continue
            read = self._read_of(node)
            if read is None:
                continue
            name, default = read
            if name is None:
                self.dynamic = True
                continue
            self._reads[id(node)] = (name, default)
            self.variables.setdefault(name, Variable(name, getattr(node, "lineno", 0), (), ()))

    def _read_of(self, node: ast.AST) -> tuple[str | None, ast.expr | None] | None:
        """(name, default) where this node reads a variable; the name is None where it is computed."""
        if (
            isinstance(node, ast.Call)
            and node.args
            and (self._reader(node) or last_name(node.func) in self._helpers)
        ):
            default = node.args[1] if len(node.args) > 1 else next((k.value for k in node.keywords), None)
            return self._name_of(node.args[0]), default
        if (
            isinstance(node, ast.Subscript)
            and dotted_name(node.value) in self._maps
            and isinstance(node.ctx, ast.Load)
        ):
            return self._name_of(node.slice), None
        if (
            isinstance(node, ast.Compare)
            and len(node.ops) == 1
            and isinstance(node.ops[0], ast.In | ast.NotIn)
            and dotted_name(node.comparators[0]) in self._maps
        ):
            return self._name_of(node.left), None
        return None

    def _find_targets(self) -> None:
        lines = sorted(n.lineno for n in self._nodes if id(n) in self._reads and isinstance(n, ast.expr))
        for node in self._nodes:
            for target, value in assignments(node):
                first = bisect.bisect_left(lines, value.lineno)
                if first == len(lines) or lines[first] > (value.end_lineno or value.lineno):
                    continue
                names = {self._reads[id(n)][0] for n in walk(value) if id(n) in self._reads}
                for name in names:
                    held = self.variables[name]
                    self.variables[name] = dataclasses.replace(
                        held, targets=(*held.targets, target), expressions=(*held.expressions, value)
                    )
                    self.targets.setdefault(target, [])
                    if name not in self.targets[target]:
                        self.targets[target].append(name)

    def _find_printed(self) -> None:
        for node in self._nodes:
            if not isinstance(node, ast.JoinedStr):
                continue
            before = ""
            for part in node.values:
                if isinstance(part, ast.Constant):
                    before = str(part.value)
                elif isinstance(part, ast.FormattedValue):
                    if match := re.search(r"([A-Za-z_]\w{0,60})[\"']?\s?[:=]\s?$", before[-80:]):
                        self.printed.setdefault(match[1], []).append(
                            Printing(match[1], bound_name(part.value))
                        )
                    before = ""

    # ---- values

    def default(self, name: str) -> Any:
        """The value that the script gets when the variable is not set. Raises Unknown."""
        return self.value(name, None)

    def value(self, name: str, text: str | None) -> Any:
        """The value that the script's own expression makes of `text` (None: not set). Raises Unknown."""
        variable = self.variables[name]
        if not variable.expressions:
            raise Unknown(name)
        return Interpreter(self, name, text).run(variable.expressions[0])

    def text_for(self, name: str, printed: str) -> str | None:
        """The text of the variable that makes the script print this value; None where none was found."""
        if not self.variables[name].expressions:
            return printed.rstrip(":;,)")  # "NAME=1: it says", as a sentence goes on
        known = False
        for candidate in candidates(printed):
            try:
                value = self.value(name, candidate)
            except Unknown:
                continue
            except FAILURES:
                known = True
                continue
            known = True
            if same_value(value, printed):
                return candidate
        if known:
            return None
        low = printed.strip().lower()
        return {"true": "1", "false": "0"}.get(low, printed)

    def read_of(self, node: ast.AST) -> tuple[str, ast.expr | None] | None:
        """(name, default) where this node is a read of a variable."""
        return self._reads.get(id(node))

    def helper(self, name: str | None) -> ast.FunctionDef | ast.Lambda | None:
        """The script's own helper of that name."""
        return self._helpers.get(name or "")

    def is_reader(self, node: ast.AST) -> bool:
        """Whether the node reads the environment itself (not through a helper)."""
        return (isinstance(node, ast.Call) and self._reader(node)) or (
            isinstance(node, ast.Subscript) and dotted_name(node.value) in self._maps
        )

    def constant(self, name: str) -> ast.expr | None:
        """The constant that a module-level name holds."""
        return self._constants.get(name)


def _within(node: ast.expr, function: ast.FunctionDef | ast.Lambda) -> bool:
    """Whether an expression stands on the lines of a function, which may hold more than the function."""
    return function.lineno <= node.lineno <= (function.end_lineno or function.lineno)


def _is_name(node: ast.AST, name: str) -> bool:
    """Whether the node is that name, or a call chain on it such as ``name.upper()``."""
    return any(isinstance(n, ast.Name) and n.id == name for n in walk(node))


def _asks(function: ast.FunctionDef | ast.Lambda) -> list[ast.Call | ast.Subscript]:
    """What a function asks with its first parameter (after self): `f(name)`, `f(name, 3)`, `held[name]`."""
    given = function.args.args
    if not given:
        return []
    first = given[1].arg if given[0].arg == "self" and len(given) > 1 else given[0].arg
    return [
        n
        for n in walk(function)
        if (isinstance(n, ast.Call) and n.args and _is_name(n.args[0], first))
        or (isinstance(n, ast.Subscript) and _is_name(n.slice, first))
    ]
