"""The patterns of a match statement: whether a value fits, and the names that it binds."""

from __future__ import annotations

import ast

from harness.witnesses.static import calling, expressions
from harness.witnesses.static.machine import Env, Machine, choose, elements, unknown
from harness.witnesses.static.values import EMPTY, NO, Alt, Cls, Map, Obj, Seq, Val, Value, const


def fits(m: Machine, pattern: ast.pattern, value: Value, env: Env) -> bool | None:
    """Whether a value fits a pattern (None: unknown); the pattern's names are bound to its parts unless it does not."""
    if isinstance(pattern, ast.MatchAs):
        inner = fits(m, pattern.pattern, value, env) if pattern.pattern is not None else True
        if pattern.name is not None and inner is not False:
            env.assign(pattern.name, value)
        return inner
    if isinstance(pattern, ast.MatchValue | ast.MatchSingleton):
        return _equal(m, pattern, value, env)
    if isinstance(pattern, ast.MatchOr):
        return _any([fits(m, part, value, env) for part in pattern.patterns])
    if isinstance(pattern, ast.MatchSequence):
        return _sequence(m, pattern, value, env)
    if isinstance(pattern, ast.MatchMapping):
        return _mapping(m, pattern, value, env)
    if isinstance(pattern, ast.MatchClass):
        return _instance(m, pattern, value, env)
    if isinstance(pattern, ast.MatchStar) and pattern.name is not None:
        env.assign(pattern.name, value)
    return None


def _equal(m: Machine, pattern: ast.MatchValue | ast.MatchSingleton, value: Value, env: Env) -> bool | None:
    wanted = (
        const(expressions.evaluate(m, pattern.value, env))
        if isinstance(pattern, ast.MatchValue)
        else pattern.value
    )
    known = const(value)
    if known is NO or wanted is NO:
        return None
    return bool(known is wanted if isinstance(pattern, ast.MatchSingleton) else known == wanted)


def _any(answers: list[bool | None]) -> bool | None:
    if True in answers:
        return True
    return None if None in answers else False


def _all(answers: list[bool | None]) -> bool | None:
    if False in answers:
        return False
    return None if None in answers else True


def _sequence(m: Machine, pattern: ast.MatchSequence, value: Value, env: Env) -> bool | None:
    if isinstance(value, Alt):
        value = m.merge([o for o in value.options if isinstance(o, Seq)] or [unknown(value)])
    parts = pattern.patterns
    starred = any(isinstance(part, ast.MatchStar) for part in parts)
    items = value.box.items if isinstance(value, Seq) and value.box.any is None else None
    deps = value.taint.deps if isinstance(value, Seq) else EMPTY
    if items is not None and not starred:
        if len(items) != len(parts):
            return False
        return _all([fits(m, p, choose(i, deps), env) for p, i in zip(parts, items, strict=True)])
    each = choose(elements(value), deps)
    for part in parts:
        rest = Seq(None)
        rest.box.any = each
        fits(m, part, rest if isinstance(part, ast.MatchStar) else each, env)
    return None


def _mapping(m: Machine, pattern: ast.MatchMapping, value: Value, env: Env) -> bool | None:
    answers: list[bool | None] = []
    for key, part in zip(pattern.keys, pattern.patterns, strict=True):
        name = const(expressions.evaluate(m, key, env))
        held: Value = unknown(value)
        if isinstance(value, Map) and isinstance(name, str | int) and name in value.items:
            held = choose(value.items[name], value.taint.deps)
        elif isinstance(value, Map) and value.any is None and name is not NO:
            return False
        answers.append(fits(m, part, held, env))
    if pattern.rest is not None:
        env.assign(pattern.rest, value)
    return _all(answers) if isinstance(value, Map) else None


def _instance(m: Machine, pattern: ast.MatchClass, value: Value, env: Env) -> bool | None:
    wanted = expressions.evaluate(m, pattern.cls, env)
    if isinstance(value, Obj) and isinstance(wanted, Cls) and isinstance(value.cls, Cls):
        if wanted is not value.cls and not any(base is wanted for base in value.cls.bases):
            return False
        names = calling.all_fields(wanted)
    else:
        names = []
    answers: list[bool | None] = []
    for number, part in enumerate(pattern.patterns):
        held = expressions.get_attribute(m, value, names[number]) if number < len(names) else _whole(value)
        answers.append(fits(m, part, held, env))
    for name, part in zip(pattern.kwd_attrs, pattern.kwd_patterns, strict=True):
        answers.append(fits(m, part, expressions.get_attribute(m, value, name), env))
    return _all([*answers, None if not isinstance(value, Obj) else True])


def _whole(value: Value) -> Value:
    """`int(n)` binds the value itself; another class's fields are unknown parts of it."""
    return value if isinstance(value, Val) else unknown(value)
