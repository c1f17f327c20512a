"""What value a script's own expression makes of a variable's text: a small interpreter.

Nothing of a script is ever executed to read its configuration. The interpreter knows constants, arithmetic
on numbers, comparisons, the common methods of texts, comprehensions over one name, and the script's own
helper functions.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from harness.intake.names import last_name

if TYPE_CHECKING:
    from harness.intake.environment import Environment

_STEPS = 4_000
_ARITHMETIC: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
}
_COMPARISONS: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Gt: operator.gt,
    ast.Lt: operator.lt,
    ast.GtE: operator.ge,
    ast.LtE: operator.le,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda item, items: item in items,
    ast.NotIn: lambda item, items: item not in items,
}

FAILURES = (ValueError, TypeError, ArithmeticError, LookupError, AttributeError, RecursionError)
"""What an expression may raise that the interpreter does know."""


class Unknown(Exception):
    """The small interpreter does not know this construct."""


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


def candidates(printed: str) -> list[str]:
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


class Interpreter:
    """Evaluates one expression of a script with one environment variable set."""

    _CALLS: Mapping[str, Any] = {
        "int": int, "float": float, "bool": bool, "str": str, "tuple": tuple, "list": list, "set": set,
        "len": len,
        "max": max, "min": min, "abs": abs, "round": round,
    }  # fmt: skip
    _METHODS = frozenset(
        [
            "strip",
            "lower",
            "upper",
            "split",
            "replace",
            "startswith",
            "endswith",
            "lstrip",
            "rstrip",
            "isdigit",
        ]
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
        if type(node.op) not in _ARITHMETIC:
            raise Unknown("operator")
        return _ARITHMETIC[type(node.op)](left, right)

    def _on_compare(self, node: ast.Compare, scope: Mapping[str, Any]) -> Any:
        if self._environment.read_of(node) is not None:
            return (self._text is not None) == isinstance(node.ops[0], ast.In)
        left, right = self._eval(node.left, scope), self._eval(node.comparators[0], scope)
        if len(node.ops) != 1:
            raise Unknown("chain")
        return _COMPARISONS[type(node.ops[0])](left, right)

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
        helper = self._environment.helper(last_name(node.func))
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
