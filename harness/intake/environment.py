"""Which environment variables a script reads, and how each becomes a value: found in its syntax tree, never by running it.

Scripts read them as ``os.environ.get``, ``os.getenv``, ``os.environ[...]``, ``"X" in os.environ``, through aliases
(``E = os.environ.get``) and through helpers of their own (``_env_int("X", 3)``). A printed setting goes back to its variable
through the assignment that made it: ``ttt_enabled = bool(int(os.environ.get("TTT_ENABLED", "1")))``. To find the text that
the variable must have held, a few candidate texts are put through that expression by a small interpreter of our own.
"""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Mapping
from typing import Any

_READERS = ("os.environ.get", "os.getenv", "environ.get", "getenv", "os.environ.setdefault", "os.environ.pop")
_MAPPINGS = ("os.environ", "environ")
_STEPS = 4_000


class Unknown(Exception):
    """The small interpreter does not know this construct."""


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
    """One printed key: the name of the value printed beside it, None where that is not a plain name or attribute."""

    key: str
    target: str | None


class Environment:
    """The environment variables of one script.

    `variables` by name, `targets` maps an assigned name to its variables, `printed` a printed key to what stands there,
    `dynamic` says that names are built at run time (``field.name.upper()``), `argv` that the script reads its arguments.
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
            self.tree: ast.Module | None = ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            self.tree = None
            return
        self._nodes = list(ast.walk(self.tree))
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
                dotted = _dotted(node.value)
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
        dotted = _dotted(call.func)
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
        """Functions and lambdas that read a variable whose name is one of their parameters; helpers of helpers too."""
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
            for name, function in functions:
                first = function.args.args[0].arg if function.args.args else None
                if first == "self" and len(function.args.args) > 1:
                    first = function.args.args[1].arg
                if name not in self._helpers and first and self._asks_for(function, first):
                    self._helpers[name] = function

    def _asks_for(self, function: ast.FunctionDef | ast.Lambda, parameter: str) -> bool:
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and node.args and _is_name(node.args[0], parameter):
                if self._reader(node) or _last(node.func) in self._helpers:
                    return True
            if (
                isinstance(node, ast.Subscript)
                and _dotted(node.value) in self._maps
                and _is_name(node.slice, parameter)
            ):
                return True
        return False

    def _find_reads(self) -> None:
        in_helper = {id(n) for f in self._helpers.values() for n in ast.walk(f)}
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
            and (self._reader(node) or _last(node.func) in self._helpers)
        ):
            default = node.args[1] if len(node.args) > 1 else next((k.value for k in node.keywords), None)
            return self._name_of(node.args[0]), default
        if (
            isinstance(node, ast.Subscript)
            and _dotted(node.value) in self._maps
            and isinstance(node.ctx, ast.Load)
        ):
            return self._name_of(node.slice), None
        if (
            isinstance(node, ast.Compare)
            and len(node.ops) == 1
            and isinstance(node.ops[0], ast.In | ast.NotIn)
            and _dotted(node.comparators[0]) in self._maps
        ):
            return self._name_of(node.left), None
        return None

    def _find_targets(self) -> None:
        for node in self._nodes:
            for target, value in _assignments(node):
                names = {self._reads[id(n)][0] for n in ast.walk(value) if id(n) in self._reads}
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
                        self.printed.setdefault(match[1], []).append(Printing(match[1], _target(part.value)))
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
        return _Interpreter(self, name, text).run(variable.expressions[0])

    def text_for(self, name: str, printed: str) -> str | None:
        """The text of the variable that makes the script print this value; None where none was found."""
        if not self.variables[name].expressions:
            return printed
        known = False
        for candidate in _candidates(printed):
            try:
                value = self.value(name, candidate)
            except Unknown:
                continue
            except (ValueError, TypeError, ArithmeticError, LookupError, AttributeError, RecursionError):
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
            isinstance(node, ast.Subscript) and _dotted(node.value) in self._maps
        )

    def constant(self, name: str) -> ast.expr | None:
        """The constant that a module-level name holds."""
        return self._constants.get(name)


def same_value(value: Any, printed: str) -> bool:
    """Whether a printed text stands for this value; a printed number may be rounded."""
    printed = printed.strip()
    if str(value) == printed or repr(value) == printed:
        return True
    if isinstance(value, bool):
        return printed.lower() in (
            ("1", "true", "yes", "on", "enabled") if value else ("0", "false", "no", "off", "disabled")
        )
    if isinstance(value, int | float):
        try:
            number = float(printed.replace(",", "").replace("_", ""))
        except ValueError:
            return False
        decimals = len(printed.partition(".")[2]) if "e" not in printed.lower() else None
        return number == float(value) or (
            decimals is not None and "." in printed and round(float(value), decimals) == number
        )
    if isinstance(value, list | tuple | set):
        return re.sub(r"[\s\[\](){}'\"]", "", str(value)).rstrip(",") == re.sub(
            r"[\s\[\](){}'\"]", "", printed
        ).rstrip(",")
    return value is None and printed in ("None", "")


def _candidates(printed: str) -> list[str]:
    """Texts that a variable may have held for a value printed so, the likeliest first."""
    plain = printed.strip()
    low = plain.lower()
    result = [plain]
    if low in ("true", "yes", "on", "enabled"):
        result = ["1", "true", "True", plain]
    elif low in ("false", "no", "off", "disabled"):
        result = ["0", "false", "False", "", plain]
    elif plain in ("None", "none", "[]", "()"):
        result = ["", plain]
    elif plain[:1] in "[({":
        result = [re.sub(r"[\s\[\](){}'\"]", "", plain).rstrip(","), plain]
    elif re.fullmatch(r"-?\d+\.0+", plain):
        result = [plain, plain.partition(".")[0]]
    return list(dict.fromkeys(result))


class _Interpreter:
    """Evaluates one expression of a script with one variable set: numbers, texts, their methods, the script's helpers."""

    _CALLS: Mapping[str, Any] = {
        "int": int, "float": float, "bool": bool, "str": str, "tuple": tuple, "list": list, "set": set, "len": len,
        "max": max, "min": min, "abs": abs, "round": round,
    }  # fmt: skip
    _METHODS = frozenset(
        "strip lower upper split replace startswith endswith lstrip rstrip isdigit casefold".split()
    )

    def __init__(self, environment: Environment, name: str, text: str | None) -> None:
        self._environment = environment
        self._name = name
        self._text = text
        self._steps = 0

    def run(self, node: ast.expr) -> Any:
        return self._eval(node, {})

    def _eval(self, node: ast.expr, scope: Mapping[str, Any]) -> Any:
        self._steps += 1
        if self._steps > _STEPS:
            raise Unknown("too long")
        if isinstance(node, ast.Constant):
            return node.value
        handler = getattr(self, f"_on_{type(node).__name__.lower()}", None)
        if handler is None:
            raise Unknown(type(node).__name__)
        return handler(node, scope)

    def _on_name(self, node: ast.Name, scope: Mapping[str, Any]) -> Any:
        if node.id in scope:
            return scope[node.id]
        constant = self._environment.constant(node.id)
        if constant is not None:
            return self._eval(constant, {})
        if node.id in self._CALLS:
            return self._CALLS[node.id]
        raise Unknown(node.id)

    def _on_tuple(self, node: ast.Tuple, scope: Mapping[str, Any]) -> Any:
        return tuple(self._eval(e, scope) for e in node.elts)

    def _on_list(self, node: ast.List, scope: Mapping[str, Any]) -> Any:
        return [self._eval(e, scope) for e in node.elts]

    def _on_set(self, node: ast.Set, scope: Mapping[str, Any]) -> Any:
        return {self._eval(e, scope) for e in node.elts}

    def _on_ifexp(self, node: ast.IfExp, scope: Mapping[str, Any]) -> Any:
        return self._eval(node.body if self._eval(node.test, scope) else node.orelse, scope)

    def _on_boolop(self, node: ast.BoolOp, scope: Mapping[str, Any]) -> Any:
        value: Any = None
        for part in node.values:
            value = self._eval(part, scope)
            if bool(value) != isinstance(node.op, ast.And):
                return value
        return value

    def _on_unaryop(self, node: ast.UnaryOp, scope: Mapping[str, Any]) -> Any:
        value = self._eval(node.operand, scope)
        if isinstance(node.op, ast.Not):
            return not value
        if isinstance(node.op, ast.USub) and isinstance(value, int | float):
            return -value
        raise Unknown("unary")

    def _on_binop(self, node: ast.BinOp, scope: Mapping[str, Any]) -> Any:
        left, right = self._eval(node.left, scope), self._eval(node.right, scope)
        if (
            not (isinstance(left, int | float) and isinstance(right, int | float))
            or max(abs(left), abs(right)) > 1e15
        ):
            raise Unknown("arithmetic")
        if isinstance(node.op, ast.Add):
            return left + right
        if isinstance(node.op, ast.Sub):
            return left - right
        if isinstance(node.op, ast.Mult):
            return left * right
        if isinstance(node.op, ast.Div):
            return left / right
        if isinstance(node.op, ast.FloorDiv):
            return left // right
        raise Unknown("operator")

    def _on_compare(self, node: ast.Compare, scope: Mapping[str, Any]) -> Any:
        if self._environment.read_of(node) is not None:
            return (self._text is not None) == isinstance(node.ops[0], ast.In)
        left, right = self._eval(node.left, scope), self._eval(node.comparators[0], scope)
        if len(node.ops) != 1:
            raise Unknown("chain")
        operator = type(node.ops[0]).__name__
        table = {
            "Eq": lambda: left == right, "NotEq": lambda: left != right, "In": lambda: left in right,
            "NotIn": lambda: left not in right, "Gt": lambda: left > right, "Lt": lambda: left < right,
            "GtE": lambda: left >= right, "LtE": lambda: left <= right, "Is": lambda: left is right,
            "IsNot": lambda: left is not right,
        }  # fmt: skip
        return table[operator]()

    def _on_subscript(self, node: ast.Subscript, scope: Mapping[str, Any]) -> Any:
        if self._environment.is_reader(node):
            return self._environment_value(self._eval(node.slice, scope), None, scope)
        value, index = self._eval(node.value, scope), self._eval(node.slice, scope)
        if isinstance(value, str | tuple | list) and isinstance(index, int):
            return value[index]
        raise Unknown("subscript")

    def _on_generatorexp(self, node: ast.GeneratorExp, scope: Mapping[str, Any]) -> Any:
        return self._comprehension(node.elt, node.generators, scope)

    def _on_listcomp(self, node: ast.ListComp, scope: Mapping[str, Any]) -> Any:
        return self._comprehension(node.elt, node.generators, scope)

    def _on_setcomp(self, node: ast.SetComp, scope: Mapping[str, Any]) -> Any:
        return set(self._comprehension(node.elt, node.generators, scope))

    def _comprehension(
        self, element: ast.expr, generators: list[ast.comprehension], scope: Mapping[str, Any]
    ) -> list[Any]:
        if len(generators) != 1 or not isinstance(generators[0].target, ast.Name):
            raise Unknown("comprehension")
        generator = generators[0]
        name = generator.target.id  # type: ignore[attr-defined]
        result = []
        for item in self._eval(generator.iter, scope):
            inner = {**scope, name: item}
            if all(self._eval(test, inner) for test in generator.ifs):
                result.append(self._eval(element, inner))
        return result

    def _on_call(self, node: ast.Call, scope: Mapping[str, Any]) -> Any:
        if self._environment.is_reader(node):
            name = self._eval(node.args[0], scope)
            default = node.args[1] if len(node.args) > 1 else None
            return self._environment_value(name, default, scope)
        helper = self._environment.helper(_last(node.func))
        arguments = [self._eval(a, scope) for a in node.args]
        if helper is not None:
            keywords = {k.arg: self._eval(k.value, scope) for k in node.keywords if k.arg}
            return self._apply(helper, arguments, keywords)
        if isinstance(node.func, ast.Name) and not node.keywords:
            function = self._on_name(node.func, scope)
            if function in self._CALLS.values():
                return function(*arguments)
        if isinstance(node.func, ast.Attribute) and node.func.attr in self._METHODS:
            owner = self._eval(node.func.value, scope)
            if isinstance(owner, str):
                return getattr(owner, node.func.attr)(*arguments)
        raise Unknown("call")

    def _environment_value(self, name: Any, default: ast.expr | None, scope: Mapping[str, Any]) -> Any:
        if name == self._name and self._text is not None:
            return self._text
        return self._eval(default, scope) if default is not None else None

    def _apply(
        self, function: ast.FunctionDef | ast.Lambda, arguments: list[Any], keywords: dict[str, Any]
    ) -> Any:
        names = [a.arg for a in function.args.args]
        if names and names[0] == "self":
            names = names[1:]
        scope: dict[str, Any] = dict(zip(names, arguments, strict=False))
        for name, default in zip(reversed(names), reversed(function.args.defaults), strict=False):
            if name not in scope:
                scope[name] = self._eval(default, {})
        scope.update(keywords)
        if isinstance(function, ast.Lambda):
            return self._eval(function.body, scope)
        return self._block(function.body, scope)[1]

    def _block(self, body: list[ast.stmt], scope: dict[str, Any]) -> tuple[bool, Any]:
        """Run straight-line statements; (True, value) where one returned."""
        for statement in body:
            if isinstance(statement, ast.Return):
                return True, self._eval(statement.value, scope) if statement.value is not None else None
            if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
                scope[statement.targets[0].id] = self._eval(statement.value, scope)
            elif isinstance(statement, ast.If):
                done, value = self._block(
                    statement.body if self._eval(statement.test, scope) else statement.orelse, scope
                )
                if done:
                    return True, value
            elif isinstance(statement, ast.Try):
                done, value = self._block(statement.body, scope)
                if done:
                    return True, value
            elif not isinstance(statement, ast.Expr | ast.Raise | ast.Pass):
                raise Unknown(type(statement).__name__)
        return False, None


def _dotted(node: ast.AST) -> str | None:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if isinstance(node, ast.Name):
        return ".".join([node.id, *reversed(parts)])
    return None


def _last(node: ast.AST) -> str | None:
    return (_dotted(node) or "").rpartition(".")[2] or None


def _is_name(node: ast.AST, name: str) -> bool:
    """Whether the node is that name, or a call chain on it such as ``name.upper()``."""
    return any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(node))


def _assignments(node: ast.AST) -> list[tuple[str, ast.expr]]:
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
                    (t, v) for a, v in zip(target.elts, node.value.elts, strict=True) if (t := _target(a))
                ]
            elif name := _target(target):
                pairs.append((name, node.value))
        return pairs
    if isinstance(node, ast.AnnAssign) and node.value is not None and (name := _target(node.target)):
        return [(name, node.value)]
    if isinstance(node, ast.NamedExpr):
        return [(node.target.id, node.value)]
    if isinstance(node, ast.keyword) and node.arg:
        return [(node.arg, node.value)]
    return []


def _target(node: ast.AST) -> str | None:
    """The name of a variable or attribute."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else None
