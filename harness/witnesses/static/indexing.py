"""Subscripts: slices of token streams keep where they begin; reads and writes of tables are noted."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from harness.witnesses.static import bending, parts, ranking, tables
from harness.witnesses.static.folding import add_affine
from harness.witnesses.static.machine import Env, Machine, choose, elements, unknown
from harness.witnesses.static.mixing import combine
from harness.witnesses.static.values import (
    CLEAN,
    EMPTY,
    HEAD,
    NO,
    Affine,
    Alt,
    Bound,
    Cls,
    Ext,
    Fn,
    Map,
    Obj,
    Seq,
    Taint,
    Token,
    Val,
    Value,
    const,
    find_attribute,
    join,
    taint_of,
)

CAP = 100_000
"""A constant end of a slice of val from which on it looks like a part of the split rather than a window."""
WHOLE = 40_000_000
"""The validation set has more tokens than this with every official tokenizer."""

Evaluate = Callable[[Machine, Any, Env], Value]


def get_item(m: Machine, value: Value, node: ast.expr, env: Env, evaluate: Evaluate) -> Value:
    """`value[node]`."""
    if isinstance(value, Alt):
        return m.merge([get_item(m, option, node, env, evaluate) for option in value.options])
    if isinstance(node, ast.Slice):
        return get_slice(m, value, node, env, evaluate)
    if isinstance(value, Val):
        return get_element(m, value, node, env, evaluate)
    index = evaluate(m, node, env)
    if isinstance(value, Obj):
        return object_item(m, value, index)
    return container_item(m, value, index)


def object_item(m: Machine, value: Obj, index: Value) -> Value:
    """`obj[i]`: through `__getitem__` of its class, or the children of a module list."""
    from harness.witnesses.static import calling

    if isinstance(value.cls, Cls):
        method = find_attribute(value.cls, "__getitem__")
        if isinstance(method, Fn):
            return calling.call(m, calling.bind(method, value), [index], {})
    children = value.attrs.get("\0children")
    if children is not None:
        return container_item(m, children, index)
    return unknown(value, index)


def container_item(m: Machine, value: Value, index: Value) -> Value:
    """An element of a list or dictionary."""
    deps = taint_of(index).deps
    if isinstance(value, Seq):
        items = value.box.items if value.kind != "range" else None
        at = const(index)
        if (
            items is not None
            and value.box.any is None
            and isinstance(at, int)
            and -len(items) <= at < len(items)
        ):
            return ranking.indexed(
                value, imbue(choose(items[at], deps | value.taint.deps), value.taint), index
            )
        found = elements(value)
        if at == 0 and isinstance(found, Val) and found.low is not None:
            deps = deps | {HEAD}
        found = imbue(chosen_by(choose(found, deps | value.taint.deps), index), value.taint)
        return ranking.indexed(value, found, index)
    if isinstance(value, Map):
        return ranking.indexed(value, tables.dictionary_read(m, value, index), index)
    if isinstance(value, Bound):
        return Val(taint=taint_of(value) | taint_of(index))
    return value


def imbue(value: Value, taint: Taint) -> Value:
    """An entry of a row that was looked up in a table came from the lookup."""
    if not taint.marks or not any(mark[0] == "lookup" for mark in taint.marks):
        return value
    if isinstance(value, Map):
        return value.view(value.taint | taint)
    if isinstance(value, Seq):
        view = value.view(EMPTY)
        view.taint = value.taint | taint
        return view
    if isinstance(value, Val) and not value.storage:
        marks = frozenset(mark for mark in taint.marks if mark[0] != "table")
        bare = Taint(taint.tokens, taint.losses, taint.updates, taint.states, marks, taint.deps)
        result = Val(value.const, value.taint | bare, text=value.text)
        result.low, result.high = value.low, value.high
        return result
    return value


def chosen_by(value: Value, index: Value) -> Value:
    """An entry that tokens choose tells the tokens: the bytes of a token are as good as its id."""
    chosen = taint_of(index)
    if not chosen.tokens or not isinstance(value, Val | Seq):
        return value
    extra = CLEAN.with_tokens(chosen.tokens)
    if isinstance(value, Seq):
        view = value.view(EMPTY)
        view.taint = value.taint | extra
        return view
    result = Val(value.const, value.taint | extra, text=value.text)
    result.low, result.high = value.low, value.high
    return result


def get_slice(m: Machine, value: Value, node: ast.Slice, env: Env, evaluate: Evaluate) -> Value:
    """`value[a:b:c]`."""
    lower = evaluate(m, node.lower, env) if node.lower is not None else None
    upper = evaluate(m, node.upper, env) if node.upper is not None else None
    step = evaluate(m, node.step, env) if node.step is not None else None
    deps = taint_of(lower).deps - {HEAD} | taint_of(upper).deps
    if isinstance(value, Seq):
        return slice_sequence(value, lower, upper, step, deps)
    if isinstance(value, Obj):
        children = value.attrs.get("\0children")
        return children if children is not None else value
    if not isinstance(value, Val):
        return unknown(value, lower, upper)
    known = slice_constant(value, lower, upper, step)
    taint = chosen_part(m, value.taint.with_deps(deps), lower, upper)
    if taint.losses:
        taint = parts.of_slice(m, taint, node, upper)
    if value.taint.tokens:
        taint = shift(m, taint, lower)
        if isinstance(lower, Val) and not deps and taint.reads("val"):
            taint = taint.with_deps(m.place(lower))
    result = Val(known, taint, text=value.text)
    result.own, result.base = value.own, storage_of(value)
    if value.affine is not None and lower is not None and isinstance(lower, Val):
        result.affine = add_affine(value.affine, m.symbol(lower), 1)
    elif value.affine is not None:
        result.affine = value.affine
    return result


def chosen_part(m: Machine, taint: Taint, lower: Value | None, upper: Value | None) -> Taint:
    """Note a slice of val that a random number chooses, or that ends at a constant."""
    if not (taint.reads("val") or taint.losses):
        return taint
    if any(mark[0] == "drawn" for mark in taint_of(lower).marks):
        taint = taint.with_marks(("sampled", m.line))
    end = const(upper)
    whole = lower is None or const(lower) == 0
    if end is NO and lower is None and isinstance(upper, Val) and (upper.high or WHOLE) < WHOLE:
        end = int(upper.high or 0)  # `val[: min(len(val), 3_000_000)]`
    if whole and isinstance(end, int) and end >= CAP and not taint.deps and not taint_of(upper).deps:
        names = tuple(sorted(str(mark[1]) for mark in taint_of(upper).marks if mark[0] == "env"))
        taint = taint.with_marks(("capped", (m.line, end, names)))
    return taint


def slice_sequence(
    value: Seq, lower: Value | None, upper: Value | None, step: Value | None, deps: frozenset[tuple[int, int]]
) -> Seq:
    """A slice of a list."""
    items = value.box.items if value.kind != "range" else None
    a, b, c = (const(x) if x is not None else None for x in (lower, upper, step))
    if items is not None and value.box.any is None and NO not in (a, b, c):
        try:
            part = [ranking.taken(value.taint, choose(i, deps), ranking.SHARE) for i in items[a:b:c]]
            return Seq(part, value.kind, value.taint.with_deps(deps))
        except (TypeError, ValueError):
            pass
    result = Seq(None, value.kind if value.kind != "range" else "list", value.taint.with_deps(deps))
    result.box.any = ranking.taken(value.taint, elements(value), ranking.SHARE)
    return result


def slice_constant(value: Val, lower: Value | None, upper: Value | None, step: Value | None) -> Any:
    """A slice of a constant string, or NO."""
    if not isinstance(value.const, str | bytes):
        return NO
    a, b, c = (const(x) if x is not None else None for x in (lower, upper, step))
    if NO in (a, b, c):
        return NO
    try:
        return value.const[a:b:c]
    except (TypeError, ValueError):
        return NO


def shift(m: Machine, taint: Taint, lower: Value | None) -> Taint:
    """The taint of a slice of tokens: the same stream, beginning further on."""
    begin: Affine | None = (0, ())
    if lower is not None:
        begin = m.symbol(lower) if isinstance(lower, Val) else None
    moved = frozenset(
        Token(
            t.stream,
            t.file,
            t.line,
            add_affine(t.start, begin, 1) if t.start is not None and begin is not None else None,
            t.read if begin == (0, ()) else m.line * 64 + m.file,
        )
        for t in taint.tokens
    )
    return taint.with_tokens(moved)


def get_element(m: Machine, value: Val, node: ast.expr, env: Env, evaluate: Evaluate) -> Value:
    """`tensor[...]`: a slice along its last axis, an element, or a lookup by index."""
    if isinstance(node, ast.Tuple):
        return get_axes(m, value, node, env, evaluate)
    index = evaluate(m, node, env)
    if isinstance(value.const, str) and isinstance(const(index), int):
        try:
            return Val(value.const[const(index)], value.taint)
        except IndexError:
            return unknown(value)
    return bending.selected(m, index, flags(value, take(m, value, index)))


def flags(value: Val, part: Value) -> Value:
    """A part of an array of conditions is one."""
    if masks(value) and value.const is NO and isinstance(part, Val) and part.const is NO:
        part.low, part.high = 0, 1
    return part


def take(m: Machine, value: Val, index: Value) -> Value:
    """`value[index]` by number, mask or index array; a table lookup when the index is made of tokens."""
    chosen = taint_of(index)
    taint = taint_of(value)
    if chosen.tokens and not any(t.read >= 0 for t in chosen.tokens):
        result = Val(
            taint=combine(
                m, taint.with_deps(chosen.deps), Taint(losses=chosen.losses, marks=chosen.marks), "index"
            )
        )
        result.own = value.own
        return result
    if taint.tokens and not chosen.tokens:
        number = isinstance(index, Val) and index.const is NO and not masks(index)
        moved = shift(m, taint, index) if number else taint
        if any(mark[0] == "drawn" for mark in chosen.marks):
            moved = moved.with_marks(("sampled", m.line))
        return Val(taint=moved.with_deps(chosen.deps))
    if chosen.tokens:
        return tables.array_read(m, value, index)
    result = Val(
        taint=combine(
            m, taint.with_deps(chosen.deps), Taint(losses=chosen.losses, marks=chosen.marks), "index"
        )
    )
    result.own = value.own
    return result


def masks(index: Val) -> bool:
    """Whether an index is an array of conditions, which keeps the alignment of what it selects."""
    return index.low == 0 and index.high == 1


def get_axes(m: Machine, value: Val, node: ast.Tuple, env: Env, evaluate: Evaluate) -> Value:
    """`tensor[i, a:b]`: only a slice of the last axis moves where tokens begin."""
    taint = taint_of(value)
    last = len(node.elts) - 1
    for position, part in enumerate(node.elts):
        if isinstance(part, ast.Slice):
            lower = evaluate(m, part.lower, env) if part.lower is not None else None
            upper = evaluate(m, part.upper, env) if part.upper is not None else None
            taint = taint.with_deps(taint_of(lower).deps | taint_of(upper).deps)
            if position == last and taint.tokens and lower is not None:
                taint = shift(m, taint, lower)
                if (
                    isinstance(lower, Val)
                    and not taint_of(upper).deps
                    and not taint.losses
                    and taint.reads("val")
                ):
                    taint = taint.with_deps(m.place(lower))
            if position == last and (taint.losses or (taint.reads("val") and not taint.states)):
                taint = parts.of_slice(m, taint, part, upper)
        elif not (isinstance(part, ast.Constant) and part.value in (None, Ellipsis)):
            index = evaluate(m, part, env)
            chosen = taint_of(index)
            real = any(t.read >= 0 for t in chosen.tokens)
            row = tables.is_table(value.taint) and not tables.is_table(taint)
            if real and (row or not taint.tokens or taint.states or taint.losses):
                inner = Val(taint=taint)
                inner.own = value.own
                taint = taint_of((tables.row_read if row else tables.array_read)(m, inner, index))
            else:
                taint = taint.with_deps(chosen.deps)
                if real:
                    # What several tokens were asked for in turn tells them all (`counts[context, answer]`).
                    rows = [("row", mark[1]) for mark in taint.marks if mark[0] == "lookup"]
                    taint = (taint | CLEAN.with_tokens(chosen.tokens)).with_marks(*rows)
    result = Val(taint=taint)
    result.own, result.base = value.own, storage_of(value)
    return result


def storage_of(value: Val) -> Val | None:
    """The tensor whose memory a view of this value shares."""
    return value if value.storage else value.base


def set_item(
    m: Machine, container: Value, target: ast.Subscript, value: Value, env: Env, evaluate: Evaluate
) -> None:
    """`container[...] = value`: the container came from the value as well."""
    if isinstance(container, Alt):
        for option in container.options:
            set_item(m, option, target, value, env, evaluate)
        return
    if isinstance(container, Map) and not isinstance(target.slice, ast.Slice):
        tables.dictionary_write(m, container, evaluate(m, target.slice, env), value)
        return
    index = (
        evaluate(m, target.slice, env)
        if not isinstance(target.slice, ast.Tuple)
        else tuple_index(m, target.slice, env, evaluate)
    )
    if isinstance(container, Seq):
        set_element(container, index, value)
    elif isinstance(container, Val):
        whole = (
            isinstance(target.slice, ast.Slice) and target.slice.lower is None and target.slice.upper is None
        )
        tables.array_write(m, container, index, mask_of(m, container, target.slice, value), overwrite=whole)
        bending.selected(m, index, container)
    elif isinstance(container, Ext) and container.path == "os.environ":
        set_environment(m, const(index), const(value))


def mask_of(m: Machine, container: Val, node: ast.expr, value: Value) -> Value:
    """What is written into a tensor: a one in a slice of the last axis of a plain one makes a mask of that part."""
    last = node.elts[-1] if isinstance(node, ast.Tuple) and node.elts else node
    if const(value) not in (1, True) or not isinstance(last, ast.Slice) or container.taint.tokens:
        return value
    return Val(taint=parts.of_slice(m, taint_of(value), last, None))


def set_environment(m: Machine, name: Any, value: Any) -> None:
    """`os.environ[name] = value`."""
    if isinstance(name, str) and isinstance(value, str):
        m.environment[name] = value


def tuple_index(m: Machine, node: ast.Tuple, env: Env, evaluate: Evaluate) -> Value:
    """All parts of a multi-axis index as one value."""
    taint = CLEAN
    for part in node.elts:
        if isinstance(part, ast.Slice):
            continue
        taint = taint | taint_of(evaluate(m, part, env))
    return Val(taint=taint)


def set_element(container: Seq, index: Value, value: Value) -> None:
    """`list[i] = value`."""
    at = const(index)
    items = container.box.items
    held = choose(value, taint_of(index).deps)
    if (
        items is not None
        and isinstance(at, int)
        and -len(items) <= at < len(items)
        and container.box.any is None
    ):
        items[at] = held
    elif items is not None and len(items) <= 16 and container.box.any is None:
        for i, item in enumerate(items):
            items[i] = replaced(item, held)
    else:
        container.box.any = held if container.box.any is None else replaced(container.box.any, held)


def replaced(before: Value, held: Value) -> Value:
    """What an entry may be once another may stand there: an array stays one, and what is written later is still found."""
    if not (isinstance(before, Val) and before.storage and isinstance(held, Val)):
        return join(before, held)
    before.const, before.low, before.high = NO, None, None
    before.taint = before.taint | held.taint
    return before


def put_item(m: Machine, container: Map, key: Value, value: Value) -> None:
    """`dict[key] = value` for a new entry."""
    known = const(key)
    if known is not NO and not taint_of(key).tokens:
        try:
            container.items[known] = value
            return
        except TypeError:
            pass
    held = choose(value, taint_of(key).deps)
    container.any = held if container.any is None else join(container.any, held)
    if taint_of(key) is not CLEAN or container.key is None:
        container.key = key if container.key is None else join(container.key, key)


__all__ = ["EMPTY", "container_item", "get_item", "put_item", "set_item", "take"]
