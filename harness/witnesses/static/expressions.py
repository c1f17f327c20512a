"""What each kind of expression evaluates to."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any, cast

from harness.witnesses.static import ahead, bending, calling, indexing, library, statements, streams
from harness.witnesses.static.events import Note
from harness.witnesses.static.folding import (
    add_affine,
    bounds,
    fold_binary,
    fold_compare,
)
from harness.witnesses.static.machine import Env, Machine, choose, elements, unknown
from harness.witnesses.static.mixing import asks_answer, combine, mixes
from harness.witnesses.static.values import (
    CLEAN,
    NO,
    SENT,
    Alt,
    Bound,
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
    const,
    find_attribute,
    join,
    state_of,
    taint_of,
    text_of,
    truth,
)

BUILTINS = frozenset(dir(__import__("builtins")))


def evaluate(m: Machine, node: ast.expr, env: Env) -> Value:
    """The abstract value of an expression."""
    m.steps += 1
    if m.steps > m.limit:
        m.tick()
    m.line = node.lineno
    return EVALUATE[type(node)](m, node, env)


def constant(m: Machine, node: ast.Constant, env: Env) -> Value:
    return Val(node.value)


def name(m: Machine, node: ast.Name, env: Env) -> Value:
    found = env.lookup(node.id)
    if found is not None:
        return found
    if node.id == "__file__":
        return Val(text="__file__", taint=CLEAN.with_marks(("file", "__file__")))
    if node.id in BUILTINS:
        return Ext("builtins." + node.id)
    return Val(taint=CLEAN.with_marks(("unbound", node.id)))


def attribute(m: Machine, node: ast.Attribute, env: Env) -> Value:
    return get_attribute(m, evaluate(m, node.value, env), node.attr)


def get_attribute(m: Machine, value: Value, attr: str) -> Value:
    """`value.attr` for every kind of value."""
    if isinstance(value, Obj):
        return object_attribute(m, value, attr)
    if isinstance(value, Ext):
        return library.external_attribute(m, value, attr)
    if isinstance(value, Cls):
        found = find_attribute(value, attr)
        if isinstance(found, Fn):
            return calling.bind_class(found, value)
        return found if found is not None else Bound(value, attr)
    if isinstance(value, Alt):
        results = [get_attribute(m, option, attr) for option in value.options if const(option) is not None]
        return m.merge(results)
    if isinstance(value, Val):
        return library.value_attribute(m, value, attr)
    if isinstance(value, Fn | Part | Bound) and attr in ("__wrapped__", "forward", "__call__", "fn"):
        return value
    if isinstance(value, Seq) and attr.isdigit() is False and value.kind.startswith("named:"):
        fields = value.kind[6:].split(",")
        if attr in fields and value.box.items is not None:
            return value.box.items[fields.index(attr)]
    return Bound(value, attr)


def object_attribute(m: Machine, obj: Obj, attr: str) -> Value:
    """An attribute of an instance: its own, else of its class, else a library method."""
    found = obj.attrs.get(attr)
    if found is not None:
        return found if isinstance(found, Val) and found.own is not None else choose(found, obj.deps)
    if isinstance(obj.cls, Cls):
        found = find_attribute(obj.cls, attr)
        if isinstance(found, Fn):
            bound = calling.bind(found, obj)
            return calling.call(m, bound, [], {}) if found.kind == "property" else bound
        if found is not None:
            return found
    if attr == "__class__":
        return obj.cls
    if attr == "__dict__":
        return Map(dict(obj.attrs))
    if attr == "module":
        return obj
    return library.library_attribute(m, obj, attr)


def subscript(m: Machine, node: ast.Subscript, env: Env) -> Value:
    value = evaluate(m, node.value, env)
    if isinstance(value, Ext) and value.path == "os.environ":
        return library.EXTERNAL["os.getenv"](m, [evaluate(m, node.slice, env)], {})
    if isinstance(value, Ext | Cls):
        return value
    return indexing.get_item(m, value, node.slice, env, evaluate)


def binary(m: Machine, node: ast.BinOp, env: Env) -> Value:
    left = evaluate(m, node.left, env)
    right = evaluate(m, node.right, env)
    m.line = node.lineno
    if isinstance(node.op, ast.MatMult):
        ahead.mixed(m, node, left, right)
    return apply_binary(m, type(node.op), left, right)


def apply_binary(m: Machine, kind: type[ast.operator], left: Value, right: Value) -> Value:
    """`left op right`."""
    result = plain_binary(m, kind, left, right)
    if isinstance(left, Val) and isinstance(right, Val):
        return bending.scaled(m, kind.__name__, left, right, result)
    return result


def plain_binary(m: Machine, kind: type[ast.operator], left: Value, right: Value) -> Value:
    """`left op right`, whatever it does to a loss."""
    if isinstance(left, Seq) and isinstance(right, Seq) and kind is ast.Add:
        return concatenate(left, right)
    if isinstance(left, Seq) and kind is ast.Mult:
        repeated = Seq(None, left.kind, left.taint | taint_of(right))
        if left.box.items is not None and isinstance(const(right), int) and len(left.box.items) == 1:
            count = int(const(right))
            if 0 <= count <= 64:
                return Seq(list(left.box.items) * count, left.kind, left.taint)
        repeated.box.any = elements(left)
        return repeated
    if not (isinstance(left, Val) and isinstance(right, Val)):
        if kind is ast.Div and (text_of(left) or text_of(right)):
            return Val(taint=taint_of(left) | taint_of(right), text=text_of(left) + "/" + text_of(right))
        return Val(taint=combine(m, taint_of(left), taint_of(right), kind.__name__))
    taint = taint_of(left)
    other = taint_of(right)
    if other is not taint:
        spread = kind in (ast.Div, ast.Pow) and spreads(taint, other)
        taint = combine(m, taint, other, kind.__name__).latest()
        if spread:
            taint = taint.with_marks(("spread", m.line))
        limit = time_limit(kind, left, right)
        if limit:
            taint = taint.with_marks(("limit", limit))
    if taint.losses and kind in (ast.Div, ast.Mult):
        note_ratio(m, kind, taint, left, right)
    elif kind is ast.Mult and per_token_times_count(left, right):
        taint = taint.with_marks(BYTES)
    elif kind in (ast.Div, ast.Mult) and scales_bytes(left, right):
        taint = taint.with_marks(SCALED)
    if left.const is not NO and right.const is not NO:
        folded = fold_binary(kind, left.const, right.const)
        if folded is not NO:
            return Val(folded, taint)
    result = Val(taint=taint)
    if kind is ast.Add or kind is ast.Sub:
        result.low, result.high = bounds(kind, left, right)
        if left.text or right.text or isinstance(left.const, str) or isinstance(right.const, str):
            result.text = text_of(left) + text_of(right)
        else:
            result.affine = add_affine(m.symbol(left), m.symbol(right), 1 if kind is ast.Add else -1)
    elif (is_mask(left) and is_mask(right)) or (kind is ast.BitAnd and (is_mask(left) or is_mask(right))):
        if kind in (ast.BitAnd, ast.BitOr, ast.BitXor):
            result.low, result.high = 0, 1
    elif kind is ast.Div and (left.text or right.text or isinstance(right.const, str)):
        result.text = text_of(left) + "/" + text_of(right)
    elif kind is ast.Mod and isinstance(left.const, str):
        result.text = left.const
    return result


def spreads(taint: Taint, size: Taint) -> bool:
    """Whether a loss is divided by a number of bytes (a probability raised to one over it): what val tokens or a length
    tell. What a filled table tells is a count, and a blend with counts that is divided by counts is made to sum to 1.
    """
    sized = size.reads("val") or any(mark[0] == "length" for mark in size.marks)
    return bool(taint.losses) and sized and not (mixes(taint) or mixes(size) or size.losses)


def time_limit(kind: type[ast.operator], left: Val, right: Val) -> float:
    """The limit that a clock is divided by or taken from (`elapsed / limit`, `limit - elapsed`); 0 for none."""
    clock, limit = (left, right.const) if kind is ast.Div else (right, left.const)
    timed = any(mark[0] == "time" for mark in clock.taint.marks)
    known = isinstance(limit, int | float) and not isinstance(limit, bool) and limit > 1
    return float(limit) if timed and known and kind in (ast.Div, ast.Sub) else 0.0


BYTES = ("bytes", "a count times a constant")
"""The mark of a number that a constant of the size of bytes per token was multiplied with."""


SCALED = ("bytes", "multiplied by a constant")
"""The mark of a number that val tokens give, no loss, once a constant near one was multiplied with it or holds it up."""


def scales_bytes(left: Val, right: Val) -> bool:
    """Whether a constant near one, which is no unit, meets a number that val tokens give beside their losses."""
    for factor, other in ((left.const, right.taint), (right.const, left.taint)):
        near = isinstance(factor, float) and 0.8 < factor < 1.25 and factor != 1.0
        counted = any(
            mark[0] in ("lookup", "table") for mark in other.marks
        )  # a share of counts is no number of bytes
        if near and other.reads("val") and not (other.losses or other.states or counted):
            return True
    return False


def per_token(known: object) -> float:
    """A constant of the size of bytes per token (or one over it, as such a size); 0 for others."""
    if not isinstance(known, float) or known.is_integer():
        return 0.0
    size = known if 1.5 < known < 9 else (1 / known if 0.11 < known < 0.6 else 0.0)
    return size if abs(size - 1.4427) > 0.01 else 0.0


def per_token_times_count(left: Val, right: Val) -> bool:
    """Whether one factor is of the size of bytes per token and the other a plain number, no measure of tokens or models."""
    for size, other in ((left, right), (right, left)):
        taint = other.taint
        if per_token(size.const) and not (taint.tokens or taint.losses or taint.updates or taint.states):
            return not any(mark[0] in ("lookup", "table") for mark in taint.marks)
    return False


def note_ratio(m: Machine, kind: type[ast.operator], taint: Taint, left: Val, right: Val) -> None:
    """Note a loss that is divided by a constant of the size of bytes per token, itself or times a count."""
    other = right.taint if left.taint.losses else left.taint
    if SCALED in other.marks and not other.losses:
        m.emit(Note(**m.where(), what="ratio of scaled bytes", losses=taint.losses))
    if kind is ast.Div and BYTES in right.taint.marks and not (right.taint.losses or right.taint.tokens):
        m.emit(Note(**m.where(), what="ratio of a count", losses=taint.losses))
    elif per_token(left.const) or per_token(right.const):
        m.emit(Note(**m.where(), what="ratio", losses=taint.losses))


def concatenate(left: Seq, right: Seq) -> Seq:
    """Two lists one after the other."""
    x, y = left.box.items, right.box.items
    known = x is not None and y is not None and left.box.any is None and right.box.any is None
    if known and x is not None and y is not None and len(x) + len(y) <= 256:
        return Seq([*x, *y], left.kind, left.taint | right.taint)
    merged = Seq(None, left.kind, left.taint | right.taint)
    for value in [*(x or []), *(y or []), left.box.any, right.box.any]:
        if value is not None:
            merged.box.any = value if merged.box.any is None else join(merged.box.any, value)
    return merged


def unary(m: Machine, node: ast.UnaryOp, env: Env) -> Value:
    value = evaluate(m, node.operand, env)
    if isinstance(node.op, ast.Not):
        known = truth(value)
        return Val(NO if known is None else not known, taint_of(value))
    if isinstance(value, Val) and value.const is not NO:
        try:
            if isinstance(node.op, ast.USub):
                return Val(-value.const, value.taint)
            if isinstance(node.op, ast.Invert):
                return Val(~value.const, value.taint)
        except TypeError:
            return unknown(value)
    result = unknown(value)
    if isinstance(node.op, ast.Invert) and is_mask(value):
        return truth_value(taint_of(value))
    if isinstance(node.op, ast.USub) and isinstance(value, Val) and value.affine is not None:
        result.affine = add_affine((0, ()), value.affine, -1)
    return result


def boolean(m: Machine, node: ast.BoolOp, env: Env) -> Value:
    stop = isinstance(node.op, ast.Or)
    seen: list[Value] = []
    taint = CLEAN
    for operand in node.values:
        value = evaluate(m, operand, env)
        known = truth(value)
        taint = taint | taint_of(value)
        if known is stop:
            if seen:
                return (
                    join(m.merge(seen), value) if not stop or not all_plain(seen) else decided(value, taint)
                )
            return value
        if known is None:
            seen.append(value)
        last = value
    if not seen:
        return last
    if seen[-1] is not last:
        seen.append(last)
    return m.merge(seen)


def all_plain(values: list[Value]) -> bool:
    """Whether all are unknown conditions rather than objects."""
    return all(isinstance(v, Val) for v in values)


def decided(value: Value, taint: Any) -> Value:
    """`unknown or True` is true in any case."""
    return Val(value.const, taint) if isinstance(value, Val) else value


def compare(m: Machine, node: ast.Compare, env: Env) -> Value:
    left = evaluate(m, node.left, env)
    taint = taint_of(left)
    answers: list[Any] = []
    for op, operand in zip(node.ops, node.comparators, strict=True):
        right = evaluate(m, operand, env)
        m.line = node.lineno
        taint = combine(m, taint, taint_of(right), "Compare")
        if isinstance(op, ast.In | ast.NotIn):
            streams.note_filter(m, right, left)
        answers.append(compare_values(m, type(op), left, right))
        left = right
    if taint.tokens and answers_from_file(taint, node):
        taint = taint.with_marks(("known", node.lineno))
    if taint.tokens:
        taint = taint.with_tokens(frozenset(t._replace(read=-1) for t in taint.tokens))
    if taint.marks and asks_answer(m, taint):
        taint = taint.with_marks(("answer", m.line))
    if any(a is False for a in answers):
        return Val(False, taint)
    if all(a is True for a in answers):
        return Val(True, taint)
    return truth_value(taint)


def answers_from_file(taint: Taint, node: ast.Compare) -> bool:
    """Whether val token ids are compared for equality with the contents of a file that is no shard."""
    equal = any(isinstance(op, ast.Eq | ast.NotEq) for op in node.ops)
    ids = any(t.stream == "val" and t.read >= 0 for t in taint.tokens)
    return equal and ids and any(mark[0] == "contents" for mark in taint.marks)


def truth_value(taint: Taint) -> Val:
    """An unknown condition or mask: 0 or 1."""
    result = Val(taint=taint)
    result.low, result.high = 0, 1
    return result


def is_mask(value: Value) -> bool:
    """Whether a value is a condition or an array of conditions."""
    return isinstance(value, Val) and value.const is NO and value.low == 0 and value.high == 1


def note_clock(m: Machine, left: Value, right: Value) -> None:
    """Remember a clock that is compared with a constant: a limit on time."""
    for clock, limit in ((left, right), (right, left)):
        known = const(limit)
        marks = clock.taint.marks if isinstance(clock, Val) and const(clock) is NO else ()
        if not isinstance(known, int | float) or not any(mark[0] == "time" for mark in marks):
            continue
        limits = [mark[1] for mark in marks if mark[0] == "limit"]
        # Where a share of the limit is compared (`elapsed / limit >= 0.97`), the loop ends at that share of it.
        shares = [found * (known if 0.5 < known <= 1 else 1) for found in limits if known <= 1]
        for value in [known] if known > 1 else shares:
            m.clocks.append((len(m.events), m.file, m.line, float(value), m.loop_numbers()))


def compare_values(m: Machine, kind: type[ast.cmpop], left: Value, right: Value) -> Any:
    """True, False or NO."""
    note_clock(m, left, right)
    if isinstance(right, Ext) and right.path == "os.environ" and isinstance(const(left), str):
        return (const(left) in m.environment) is (kind is ast.In)
    if isinstance(left, Val) and isinstance(right, Val):
        return fold_compare(kind, left, right)
    if kind in (ast.Is, ast.IsNot):
        if const(right) is None and not isinstance(left, Val | Alt):
            return kind is ast.IsNot
        if const(left) is None and not isinstance(right, Val | Alt):
            return kind is ast.IsNot
        return (kind is ast.Is) if left is right else NO
    if kind in (ast.In, ast.NotIn) and isinstance(left, Val) and left.const is not NO:
        return contains(kind, left.const, right)
    return NO


def contains(kind: type[ast.cmpop], item: Any, container: Value) -> Any:
    """Membership in a list, set or dictionary whose contents are known."""
    if isinstance(container, Map) and container.any is None and container.key is None:
        try:
            return (item in container.items) is (kind is ast.In)
        except TypeError:
            return NO
    if isinstance(container, Seq) and container.box.items is not None and container.box.any is None:
        items = [const(x) for x in container.box.items]
        if any(i is not NO and i == item for i in items):
            return kind is ast.In
        if all(i is not NO for i in items):
            return kind is ast.NotIn
    return NO


def conditional(m: Machine, node: ast.IfExp, env: Env) -> Value:
    test = evaluate(m, node.test, env)
    known = truth(test)
    statements.decide(m, node.test.lineno, test, known)
    if known is not None:
        return evaluate(m, node.body if known else node.orelse, env)
    picked = statements.compared(m, node.test, test, env)
    first = evaluate(m, node.body, env)
    second = evaluate(m, node.orelse, env)
    return calling.gated(join(first, second), test, picked)


def sequence(m: Machine, node: ast.List | ast.Tuple | ast.Set, env: Env) -> Value:
    kind = "tuple" if isinstance(node, ast.Tuple) else "list"
    items: list[Value] = []
    for element in node.elts:
        if isinstance(element, ast.Starred):
            inner = evaluate(m, element.value, env)
            if isinstance(inner, Seq) and inner.box.items is not None and inner.box.any is None:
                items += inner.box.items
                continue
            result = Seq(None, kind, taint_of(inner))
            result.box.any = elements(inner)
            for item in items:
                result.box.any = join(result.box.any, item)
            return result
        items.append(evaluate(m, element, env))
    return Seq(items, kind)


def dictionary(m: Machine, node: ast.Dict, env: Env) -> Value:
    result = Map()
    result.node, result.born = node.lineno, m.loop_numbers()
    for key, value in zip(node.keys, node.values, strict=True):
        held = evaluate(m, value, env)
        if key is None:
            if isinstance(held, Map):
                result.items.update(held.items)
                if held.any is not None:
                    result.any = held.any if result.any is None else join(result.any, held.any)
            else:
                result.any = held if result.any is None else join(result.any, held)
            continue
        indexing.put_item(m, result, evaluate(m, key, env), held)
    return result


def lambda_(m: Machine, node: ast.Lambda, env: Env) -> Value:
    return calling.make_function(m, node, env, evaluate)


def formatted(m: Machine, node: ast.JoinedStr, env: Env) -> Value:
    parts: list[str] = []
    taint = CLEAN
    whole = True
    for part in node.values:
        if isinstance(part, ast.Constant):
            parts.append(str(part.value))
            continue
        value = evaluate(m, cast(ast.FormattedValue, part).value, env)
        taint = taint | taint_of(value)
        known = const(value)
        if known is not NO and cast(ast.FormattedValue, part).format_spec is None:
            parts.append(str(known))
        else:
            parts.append(text_of(value))
            whole = False
    text = "".join(parts)
    return Val(text, taint) if whole else Val(taint=taint, text=text)


def starred(m: Machine, node: ast.Starred, env: Env) -> Value:
    return evaluate(m, node.value, env)


def walrus(m: Machine, node: ast.NamedExpr, env: Env) -> Value:
    value = evaluate(m, node.value, env)
    env.assign(node.target.id, value)
    return value


def slice_(m: Machine, node: ast.Slice, env: Env) -> Value:
    parts = [evaluate(m, p, env) for p in (node.lower, node.upper, node.step) if p is not None]
    return unknown(*parts)


def await_(m: Machine, node: ast.Await, env: Env) -> Value:
    return evaluate(m, node.value, env)


def yield_(m: Machine, node: ast.Yield, env: Env) -> Value:
    value = evaluate(m, node.value, env) if node.value is not None else Val(None)
    if m.yields:
        m.yields[-1].append(value)
    return Val(taint=Taint(deps=frozenset((SENT,))))


def yield_from(m: Machine, node: ast.YieldFrom, env: Env) -> Value:
    value = evaluate(m, node.value, env)
    if m.yields:
        m.yields[-1].append(elements(value))
    return Val()


def comprehension(
    m: Machine, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp, env: Env
) -> Value:
    """A comprehension: unrolled over a few known items, else evaluated once for what an item may be."""
    results: list[Value] = []
    inner = Env(env, env.file)
    exact = fill(m, node, node.generators, inner, results)
    taint = CLEAN
    for generator in node.generators[:1]:
        source = inner.vars.get("\0source" + str(id(generator)))
        if source is not None:
            taint = taint.with_deps(taint_of(source).deps)
    if isinstance(node, ast.DictComp):
        return mapping_of(m, results, exact, node.lineno)
    if exact:
        return Seq(results, "list", taint)
    sequence_ = Seq(None, "list", taint)
    for value in results:
        sequence_.box.any = value if sequence_.box.any is None else join(sequence_.box.any, value)
    return sequence_


def mapping_of(m: Machine, results: list[Value], exact: bool, line: int) -> Map:
    """The dictionary of a dict comprehension's (key, value) pairs."""
    result = Map()
    result.node, result.born = line, m.loop_numbers()
    for pair in results:
        if isinstance(pair, Seq) and pair.box.items is not None:
            indexing.put_item(m, result, pair.box.items[0], pair.box.items[1])
    return result


def fill(
    m: Machine,
    node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp,
    generators: list[ast.comprehension],
    env: Env,
    results: list[Value],
) -> bool:
    """Evaluate the element for each item; whether `results` has exactly the items there will be."""
    if not generators:
        if isinstance(node, ast.DictComp):
            results.append(Seq([evaluate(m, node.key, env), evaluate(m, node.value, env)], "tuple"))
        else:
            results.append(evaluate(m, node.elt, env))
        return True
    generator = generators[0]
    source = evaluate(m, generator.iter, env)
    known = calling.known_items(source)
    exact = known is not None
    items = known if known is not None else [calling.any_item(m, source)]
    if known is None:
        m.run_over(items[0])
    for item in items:
        assign_target(m, generator.target, item, env)
        keep: bool | None = True
        for test in generator.ifs:
            answer = truth(evaluate(m, test, env))
            if answer is False:
                keep = False
                break
            if answer is None:
                keep = None
        if keep is False:
            continue
        if keep is None:
            exact = False
        if not fill(m, node, generators[1:], env, results):
            exact = False
    return exact


def assign_target(m: Machine, target: ast.expr, value: Value, env: Env) -> None:
    """Bind a target (name, tuple, attribute, element) to a value."""
    if isinstance(target, ast.Name):
        env.assign(target.id, value)
        if m.loops:
            env.assigned[target.id] = m.loop_numbers()
    elif isinstance(target, ast.Tuple | ast.List):
        unpack_target(m, target, value, env)
    elif isinstance(target, ast.Attribute):
        owner = evaluate(m, target.value, env)
        for option in owner.options if isinstance(owner, Alt) else (owner,):
            calling.set_attribute(m, option, target.attr, value)
    elif isinstance(target, ast.Subscript):
        container = evaluate(m, target.value, env)
        indexing.set_item(m, container, target, value, env, evaluate)
        write_through(m, target.value, container, env)
    elif isinstance(target, ast.Starred):
        assign_target(m, target.value, value, env)


def write_through(m: Machine, view: ast.expr, written: Value, env: Env) -> None:
    """`losses[i, :n][known] = 0`: what is written into a view of a variable is in the variable."""
    if not (isinstance(view, ast.Subscript) and isinstance(written, Val) and written.base is None):
        return
    inner = view.value
    while isinstance(inner, ast.Subscript):
        inner = inner.value
    held = env.lookup(inner.id) if isinstance(inner, ast.Name) else None
    if isinstance(held, Val) and held is not written and held.own is None:
        taint = written.taint
        held.taint = held.taint | Taint(taint.tokens, taint.losses, taint.updates, taint.states, taint.marks)


def unpack_target(m: Machine, target: ast.Tuple | ast.List, value: Value, env: Env) -> None:
    """Unpack a value into several targets."""
    if isinstance(value, Alt):
        merged = [o for o in value.options if isinstance(o, Seq)]
        value = merged[0] if len(merged) == 1 else (m.merge([*merged]) if merged else value)
    items = value.box.items if isinstance(value, Seq) else None
    starred_at = next((i for i, t in enumerate(target.elts) if isinstance(t, ast.Starred)), None)
    if items is not None and isinstance(value, Seq) and value.box.any is None:
        if starred_at is None and len(items) == len(target.elts):
            deps = value.taint.deps
            for element, item in zip(target.elts, items, strict=True):
                assign_target(m, element, choose(item, deps), env)
            return
        if starred_at is not None and len(items) >= len(target.elts) - 1:
            after = len(target.elts) - starred_at - 1
            rest = items[starred_at : len(items) - after]
            spread = [*items[:starred_at], Seq(list(rest)), *items[len(items) - after :]]
            for element, item in zip(target.elts, spread, strict=True):
                assign_target(m, element, item, env)
            return
    each = elements(value)
    if isinstance(value, Seq):
        each = choose(each, value.taint.deps)
    for element in target.elts:
        assign_target(m, element, each if not isinstance(each, Val) else copy_of(each), env)


def copy_of(value: Val) -> Val:
    """A new value that came from the same."""
    copied = Val(value.const, taint_of(value), text=value.text)
    copied.low, copied.high, copied.own = value.low, value.high, value.own
    return copied


EVALUATE: dict[type[ast.expr], Callable[[Machine, Any, Env], Value]] = {
    ast.Constant: constant,
    ast.Name: name,
    ast.Attribute: attribute,
    ast.Subscript: subscript,
    ast.BinOp: binary,
    ast.UnaryOp: unary,
    ast.BoolOp: boolean,
    ast.Compare: compare,
    ast.IfExp: conditional,
    ast.List: sequence,
    ast.Tuple: sequence,
    ast.Set: sequence,
    ast.Dict: dictionary,
    ast.Lambda: lambda_,
    ast.JoinedStr: formatted,
    ast.Starred: starred,
    ast.NamedExpr: walrus,
    ast.Slice: slice_,
    ast.Await: await_,
    ast.Yield: yield_,
    ast.YieldFrom: yield_from,
    ast.ListComp: comprehension,
    ast.SetComp: comprehension,
    ast.GeneratorExp: comprehension,
    ast.DictComp: comprehension,
    ast.Call: lambda m, node, env: calling.evaluate_call(m, node, env, evaluate),
}

__all__ = ["assign_target", "evaluate", "get_attribute", "state_of"]
