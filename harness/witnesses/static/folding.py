"""Constant folding: what an operator gives on known values, and what bounds survive where one is not known."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import Any

from harness.witnesses.static.values import NO, Affine, Val, high_of, low_of

BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
    ast.Pow: operator.pow,
}

COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: lambda a, b: a is b,
    ast.IsNot: lambda a, b: a is not b,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}

SCALARS = (int, float, str, bool, bytes, type(None))
LONGEST = 20000


def fold_binary(kind: type[ast.operator], a: Any, b: Any) -> Any:
    """The constant result of an operator, or NO."""
    if not (isinstance(a, SCALARS) and isinstance(b, SCALARS)):
        return NO
    if kind is ast.Pow and isinstance(b, int | float) and abs(b) > 64:
        return NO
    if kind is ast.LShift and isinstance(b, int) and b > 256:
        return NO
    if kind is ast.Mult and isinstance(a, str | bytes) | isinstance(b, str | bytes):
        number = a if isinstance(a, int) else b
        if not isinstance(number, int) or number > 4096:
            return NO
    if kind is ast.Mod and isinstance(a, str | bytes):
        return NO
    try:
        result = BINARY[kind](a, b)
    except Exception:
        return NO
    return result if not isinstance(result, str | bytes) or len(result) < LONGEST else NO


def fold_compare(kind: type[ast.cmpop], a: Val, b: Val) -> Any:
    """True, False, or NO: by the constants, else by the bounds."""
    if a.const is not NO and b.const is not NO:
        try:
            return bool(COMPARE[kind](a.const, b.const))
        except Exception:
            return NO
    if kind in (ast.Is, ast.IsNot) and (a.const is None or b.const is None):
        other = b if a.const is None else a
        if other.taint.tokens or other.taint.states or other.taint.losses or other.low is not None:
            return kind is ast.IsNot
        return NO
    return compare_bounds(kind, a, b)


def compare_bounds(kind: type[ast.cmpop], a: Val, b: Val) -> Any:
    """Compare by lower and upper bounds."""
    a_low, a_high, b_low, b_high = low_of(a), high_of(a), low_of(b), high_of(b)
    below = a_high is not None and b_low is not None and a_high < b_low
    above = a_low is not None and b_high is not None and a_low > b_high
    not_above = a_high is not None and b_low is not None and a_high <= b_low
    not_below = a_low is not None and b_high is not None and a_low >= b_high
    if kind is ast.Eq and (below or above):
        return False
    if kind is ast.NotEq and (below or above):
        return True
    if kind is ast.Lt and (below or not_below):
        return below
    if kind is ast.Gt and (above or not_above):
        return above
    if kind is ast.LtE and (not_above or above):
        return not_above
    if kind is ast.GtE and (not_below or below):
        return not_below
    return NO


def bounds(kind: type[ast.operator], a: Val, b: Val) -> tuple[float | None, float | None]:
    """Bounds of a sum or difference."""
    a_low, a_high, b_low, b_high = low_of(a), high_of(a), low_of(b), high_of(b)
    if kind is ast.Add:
        return (
            a_low + b_low if a_low is not None and b_low is not None else None,
            a_high + b_high if a_high is not None and b_high is not None else None,
        )
    if kind is ast.Sub:
        return (
            a_low - b_high if a_low is not None and b_high is not None else None,
            a_high - b_low if a_high is not None and b_low is not None else None,
        )
    return None, None


def affine_of(value: Val) -> Affine | None:
    """The value as an integer plus symbols: itself one symbol where nothing better is known."""
    if value.affine is not None:
        return value.affine
    if isinstance(value.const, int):
        return int(value.const), ()
    return None


def add_affine(a: Affine, b: Affine, sign: int) -> Affine:
    """a + sign*b."""
    terms = dict(a[1])
    for symbol, weight in b[1]:
        terms[symbol] = terms.get(symbol, 0) + sign * weight
    return a[0] + sign * b[0], tuple(sorted((s, w) for s, w in terms.items() if w))
