"""Calls: arguments meet parameters, functions of the script are entered, classes instantiated, modules run forward."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from harness.witnesses.static import forwards, library, losses, recursion, sifting, statements
from harness.witnesses.static.events import PLAIN_TRAIN_RUN, TRAIN_RUN, Note
from harness.witnesses.static.machine import DEPTH, Env, Machine, choose, elements, unknown
from harness.witnesses.static.values import (
    CLEAN,
    EMPTY,
    NO,
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
    base_names,
    const,
    find_attribute,
    is_module,
    is_optimizer,
    join,
    state_of,
    taint_of,
)

Evaluate = Callable[[Machine, Any, Env], Value]

UNROLL = 10
"""Loops over at most this many known items are followed item by item."""


def evaluate_call(m: Machine, node: ast.Call, env: Env, evaluate: Evaluate) -> Value:
    """A call expression."""
    function = node.func
    if isinstance(function, ast.Name) and function.id == "super" and not node.args:
        return super_of(env)
    if isinstance(function, ast.Name) and function.id in ("locals", "globals") and not node.args:
        scope = env.root if function.id == "globals" else env
        return Map(dict(scope.vars))
    callee = evaluate(m, function, env)
    args: list[Value] = []
    spread: Value | None = None
    for argument in node.args:
        if isinstance(argument, ast.Starred):
            inner = evaluate(m, argument.value, env)
            if isinstance(inner, Seq) and inner.box.items is not None and inner.box.any is None:
                args += [choose(i, inner.taint.deps) for i in inner.box.items]
            else:
                spread = elements(inner)
        else:
            args.append(evaluate(m, argument, env))
    kwargs: dict[str, Value] = {}
    for keyword in node.keywords:
        value = evaluate(m, keyword.value, env)
        if keyword.arg is not None:
            kwargs[keyword.arg] = value
        elif isinstance(value, Map):
            for key, item in value.items.items():
                if isinstance(key, str):
                    kwargs[key] = item
            if value.any is not None:
                kwargs["\0rest"] = value.any
    m.line = node.lineno
    if spread is not None:
        kwargs["\0spread"] = spread
    return call(m, callee, args, kwargs)


def super_of(env: Env) -> Value:
    """`super()` inside a method."""
    cls, owner = env.lookup("\0class"), env.lookup("\0self")
    if cls is None or owner is None:
        return Val()
    return Bound(Seq([owner, cls]), "\0super")


def call(m: Machine, callee: Value, args: list[Value], kwargs: dict[str, Value]) -> Value:
    """Call anything."""
    if isinstance(callee, Fn):
        return call_function(m, callee, args, kwargs)
    if isinstance(callee, Ext):
        return library.call_external(m, callee, args, kwargs)
    if isinstance(callee, Bound):
        return library.call_method(m, callee, args, kwargs)
    if isinstance(callee, Obj):
        return call_object(m, callee, args, kwargs)
    if isinstance(callee, Cls):
        return instantiate(m, callee, args, kwargs)
    if isinstance(callee, Part):
        return call(m, callee.function, [*callee.args, *args], {**callee.kwargs, **kwargs})
    if isinstance(callee, Alt):
        results = [call(m, o, args, kwargs) for o in callee.options if const(o) is not None]
        if len(results) > 1 and all(isinstance(o, Bound) and o.name == "parameters" for o in callee.options):
            return Alt(tuple(results))  # joined, the parameters of one or the other module would be nobody's
        return m.merge(results)
    return opaque(m, callee, args, kwargs)


def opaque(m: Machine, callee: Value, args: list[Value], kwargs: dict[str, Value]) -> Value:
    """A call that cannot be followed: its result and its outputs came from all it was given."""
    given = [*args, *kwargs.values()]
    made = next((v for v in given if taint_of(v).states and not isinstance(v, Obj)), None)
    wanted = next((v for v in given if is_target(taint_of(v))), None)
    if made is not None and wanted is not None and looks_at_output(made) and may_score(callee):
        result = losses.note(m, "kernel", made, wanted)
    else:
        result = unknown(callee, *given)
        if not result.taint.deps:
            result.taint = result.taint.with_deps(m.here())
    for value in given if writes(callee) else ():
        if isinstance(value, Val) and value.own is None and value.const is NO and is_blank(value.taint):
            value.taint = value.taint | result.taint
        elif isinstance(value, Seq) and value.box.any is None and value.box.items is not None:
            for item in value.box.items:
                if isinstance(item, Val) and item.own is None and item.const is NO and is_blank(item.taint):
                    item.taint = item.taint | result.taint
    return result


def writes(callee: Value) -> bool:
    """Whether a call may write into what it is given: a kernel may, torch and NumPy say so by a trailing underscore."""
    return not (isinstance(callee, Ext) and callee.path.split(".")[0] in ("torch", "numpy", "math"))


def is_target(taint: Taint) -> bool:
    """Whether a value is token ids rather than something computed from a model or a comparison."""
    return not taint.states and any(t.read >= 0 for t in taint.tokens)


def may_score(callee: Value) -> bool:
    """Whether an unseen function may be a loss: a kernel of the script, or a library function that says so."""
    if isinstance(callee, Ext):
        return "loss" in callee.tail.lower() or "entropy" in callee.tail.lower()
    return True


def looks_at_output(value: Value) -> bool:
    """Whether a value is a model's output rather than a bare parameter."""
    return not (isinstance(value, Val) and value.own is not None and not value.taint.tokens)


def is_blank(taint: Taint) -> bool:
    """Whether a tensor holds nothing yet, as one made to be written into."""
    return not (taint.tokens or taint.losses or taint.updates or taint.states)


def make_function(
    m: Machine, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, env: Env, evaluate: Evaluate
) -> Fn:
    """A function value, its defaults evaluated now."""
    made = Fn(node, env, env.file)
    arguments = node.args
    positional = [*arguments.posonlyargs, *arguments.args]
    for parameter, default in zip(positional[::-1], arguments.defaults[::-1], strict=False):
        made.defaults[parameter.arg] = evaluate(m, default, env)
    for parameter, given in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        if given is not None:
            made.defaults[parameter.arg] = evaluate(m, given, env)
    return made


def bind(function: Fn, owner: Value) -> Fn:
    """A method bound to its instance."""
    if function.kind == "static":
        return function
    bound = function.copy()
    bound.self = owner
    return bound


def bind_class(function: Fn, cls: Cls) -> Fn:
    """A method reached through its class: bound for a classmethod, else plain."""
    return bind(function, cls) if function.kind == "class" else function


def call_function(m: Machine, function: Fn, args: list[Value], kwargs: dict[str, Value]) -> Value:
    """Enter a function of the script."""
    if function.kind == "kernel":
        return opaque(m, function, args, kwargs)
    key = id(function.node)
    if m.calling.count(key) >= 2 or len(m.frames) > DEPTH:
        return unknown(*args, *kwargs.values())
    if args and isinstance(function.self, Obj):
        note_training_batch(m, function.self, args)
        return forwards.call(m, function, args, kwargs, lambda: enter(m, function, args, kwargs))
    return enter(m, function, args, kwargs)


def enter(m: Machine, function: Fn, args: list[Value], kwargs: dict[str, Value]) -> Value:
    """Follow the body of a function in a scope of its own."""
    env = Env(function.env, function.file)
    bind_parameters(m, function, env, args, kwargs)
    again = recursion.enter(m, function, env)
    caller_file, caller_line = m.file, m.line
    m.frames.append((m.file, m.line))
    m.names.append(function.name)
    m.calling.append(id(function.node))
    m.file = function.file
    m.reached.add((function.file, function.node.lineno))
    guards = len(m.guards)
    try:
        result = run_body(m, function, env)
    finally:
        del m.guards[guards:]
        m.frames.pop()
        m.names.pop()
        m.calling.pop()
        m.file, m.line = caller_file, caller_line
        if again:
            m.loops.pop()
    return result


def run_body(m: Machine, function: Fn, env: Env) -> Value:
    """Run a function's body; what it returns, or the sequence of what it yields."""
    from harness.witnesses.static.expressions import evaluate

    node = function.node
    if isinstance(node, ast.Lambda):
        return evaluate(m, node.body, env)
    m.returns.append([])
    m.yields.append([])
    try:
        status = statements.run_block(m, node.body, env)
    finally:
        returned = m.returns.pop()
        yielded = m.yields.pop()
    if yielded:
        produced = Seq(None, "generator")
        produced.box.any = m.merge(yielded)
        return produced
    if status & statements.NORMAL and returned:
        returned.append(Val(None))
        return drop_none(m, returned)
    return m.merge(returned)


def drop_none(m: Machine, returned: list[Value]) -> Value:
    """The join of returned values; an implicit None beside real ones is left out."""
    real = [v for v in returned if const(v) is not None]
    return m.merge(real) if real else Val(None)


def bind_parameters(m: Machine, function: Fn, env: Env, args: list[Value], kwargs: dict[str, Value]) -> None:
    """Give every parameter its argument or default."""
    arguments = function.node.args
    positional = [*arguments.posonlyargs, *arguments.args]
    given = [function.self, *args] if function.self is not None else list(args)
    spread = kwargs.get("\0spread")
    rest = kwargs.get("\0rest")
    used: set[str] = set()
    for index, parameter in enumerate(positional):
        name = parameter.arg
        if index < len(given):
            env.vars[name] = given[index]
        elif name in kwargs:
            env.vars[name] = kwargs[name]
            used.add(name)
        elif spread is not None and name not in function.defaults:
            env.vars[name] = spread
        elif rest is not None:
            env.vars[name] = rest
        else:
            env.vars[name] = function.defaults.get(name) or spread or Val()
    for parameter in arguments.kwonlyargs:
        name = parameter.arg
        env.vars[name] = kwargs.get(name) or function.defaults.get(name) or rest or Val()
        used.add(name)
    if arguments.vararg is not None:
        extra = Seq(given[len(positional) :], "tuple")
        if spread is not None:
            extra.box.any = spread
        env.vars[arguments.vararg.arg] = extra
    if arguments.kwarg is not None:
        names = {p.arg for p in positional}
        env.vars[arguments.kwarg.arg] = Map(
            {k: v for k, v in kwargs.items() if k not in used and k not in names and k[0] != "\0"}
        )
    if function.cls is not None and positional and function.self is not None:
        env.vars["\0class"] = function.cls
        env.vars["\0self"] = function.self


def call_object(m: Machine, obj: Obj, args: list[Value], kwargs: dict[str, Value]) -> Value:
    """Call an instance: a module runs forward."""
    if isinstance(obj.cls, Cls):
        for name in ("__call__", "forward"):
            patched = obj.attrs.get(name) if name == "forward" else None
            method = patched if isinstance(patched, Fn) else find_attribute(obj.cls, name)
            if isinstance(method, Fn):
                # A function that was put in the place of forward stands by itself: it is given no `self`.
                function = method if method is patched else bind(method, obj)
                result = call_function(m, function, args, kwargs)
                run_hooks(m, obj, args, result)
                return result
    forward = obj.attrs.get("forward")
    if forward is not None:
        return call(m, forward, args, kwargs)
    result = library.call_library_object(m, obj, args, kwargs)
    run_hooks(m, obj, args, result)
    return result


def note_training_batch(m: Machine, obj: Obj, args: list[Value]) -> None:
    """Note that a whole model is run on tokens of training shards, and whether hooks look on."""
    if obj.parent is None and args and is_module(obj) and taint_of(args[0]).reads("train"):
        m.emit(Note(**m.where(), what=TRAIN_RUN if m.hooks else PLAIN_TRAIN_RUN))


def run_hooks(m: Machine, obj: Obj, args: list[Value], result: Value) -> None:
    """Run forward hooks, once for a call that brings tokens."""
    if not m.hooks or not args:
        return
    hooks, m.hooks = m.hooks, []
    for owner, hook, _ in hooks:
        if owner is None or owner is obj:
            call(m, hook, [obj, Seq([args[0]], "tuple"), result], {})
    m.hooks = hooks


def instantiate(m: Machine, cls: Cls, args: list[Value], kwargs: dict[str, Value]) -> Value:
    """Make an instance of a class of the script."""
    m.reached.add((cls.file, cls.node.lineno))
    names = base_names(cls)
    if any(n.endswith(("Enum", "IntEnum", "StrEnum")) for n in names) and args:
        return args[0]
    obj = m.instance(cls)
    init = find_attribute(cls, "__init__")
    if is_optimizer(obj):
        library.own(m, obj, [*args, *kwargs.values()])
    if isinstance(init, Fn):
        call_function(m, bind(init, obj), args, kwargs)
    elif all_fields(cls):
        fill_fields(m, obj, cls, args, kwargs)
        after = find_attribute(cls, "__post_init__")
        if isinstance(after, Fn):
            call_function(m, bind(after, obj), [], {})
    else:
        for base in cls.bases:
            if isinstance(base, Ext):
                library.initialise(m, obj, base, args, kwargs)
    return obj


def fill_fields(m: Machine, obj: Obj, cls: Cls, args: list[Value], kwargs: dict[str, Value]) -> None:
    """The generated constructor of a dataclass or named tuple."""
    names = all_fields(cls)
    for name, value in zip(names, args, strict=False):
        set_attribute(m, obj, name, value)
    for name in names[len(args) :]:
        default = find_attribute(cls, name)
        if isinstance(default, Obj) and isinstance(default.cls, Ext) and default.cls.tail == "Field":
            factory = default.attrs.get("default_factory")
            default = call(m, factory, [], {}) if factory is not None and name not in kwargs else None
        given = kwargs.get(name) or default or kwargs.get("\0rest") or kwargs.get("\0spread")
        set_attribute(m, obj, name, given if given is not None else Val())


def all_fields(cls: Cls, depth: int = 0) -> list[str]:
    """The fields of a dataclass, those of its bases first."""
    names: list[str] = []
    if depth < 8:
        for base in cls.bases:
            if isinstance(base, Cls):
                names += all_fields(base, depth + 1)
    return [*names, *(f for f in cls.fields if f not in names)]


def set_attribute(m: Machine, owner: Value, name: str, value: Value) -> None:
    """`owner.name = value`."""
    if not m.inside and isinstance(owner, Cls | Obj) and matters(owner, name, value):
        m.version += 1
    if isinstance(owner, Obj):
        if isinstance(value, Obj) and value is not owner and is_module(value) and value.parent is None:
            if is_module(owner) and owner.parent is not value:
                value.parent = owner
        elif isinstance(value, Val) and value.own is None and value.param is not None and is_module(owner):
            value.own = owner
        elif isinstance(value, Seq) and is_module(owner):
            for item in [*(value.box.items or []), value.box.any]:
                if isinstance(item, Obj) and is_module(item) and item.parent is None and item is not owner:
                    item.parent = owner
        owner.attrs[name] = value
    elif isinstance(owner, Cls):
        owner.attrs[name] = value
    elif isinstance(owner, Val) and name == "data":
        from harness.witnesses.static import updates

        updates.in_place(m, owner, taint_of(value), overwrite=True)
    elif isinstance(owner, Val) and name == "grad" and owner.own is not None:
        library.set_gradient(m, owner, value)
    elif isinstance(owner, Alt):
        for option in owner.options:
            set_attribute(m, option, name, value)


def matters(owner: Cls | Obj, name: str, value: Value) -> bool:
    """Whether setting an attribute may change what a model does: a class's or module's, to another constant or to what
    losses chose."""
    if isinstance(owner, Obj) and not is_module(owner):
        return False
    held = owner.attrs.get(name)
    if not (isinstance(held, Val) and isinstance(value, Val)):
        return held is not value
    if sifting.chosen(held.taint) != sifting.chosen(value.taint):
        return True
    if held.const is NO or value.const is NO:
        return held.const is not value.const
    return bool(held.const != value.const)


def known_items(source: Value) -> list[Value] | None:
    """The items of a sequence to be followed one by one; None where there are too many or they are unknown."""
    if isinstance(source, Seq) and source.kind == "range":
        return None
    items = source.box.items if isinstance(source, Seq) and source.box.any is None else None
    if items is not None and isinstance(source, Seq) and len(items) <= UNROLL:
        return [choose(i, source.taint.deps) for i in items]
    if isinstance(source, Obj):
        children = source.attrs.get("\0children")
        if children is not None:
            return known_items(children)
    if isinstance(source, Map) and source.any is None and len(source.items) <= UNROLL:
        return [Val(k) for k in source.items]
    return None


def any_item(m: Machine, source: Value) -> Value:
    """What an item met while iterating may be."""
    if isinstance(source, Map):
        return source.key if source.key is not None else Val(taint=source.taint)
    if isinstance(source, Obj):
        return iterate_object(m, source)
    if isinstance(source, Alt):
        return m.merge([any_item(m, option) for option in source.options])
    if isinstance(source, Seq):
        return choose(elements(source), source.taint.deps)
    if isinstance(source, Val) and source.own is not None:
        return source
    return unknown(source)


def iterate_object(m: Machine, source: Obj) -> Value:
    """Iterate over an instance: a module list, a user's `__iter__`/`__next__`, a data loader."""
    children = source.attrs.get("\0children")
    if children is not None:
        return any_item(m, children)
    if isinstance(source.cls, Cls):
        method = find_attribute(source.cls, "__iter__")
        if isinstance(method, Fn):
            produced = call_function(m, bind(method, source), [], {})
            if produced is not source:
                return any_item(m, produced)
        for name in ("__next__", "__getitem__"):
            method = find_attribute(source.cls, name)
            if isinstance(method, Fn):
                return call_function(m, bind(method, source), [] if name == "__next__" else [Val()], {})
    dataset = source.attrs.get("dataset")
    if dataset is not None:
        return any_item(m, dataset)
    return Val(taint=taint_of(source) | (state_of(source) if is_module(source) else CLEAN))


def gated(merged: Value, test: Value, picked: Taint) -> Value:
    """A value chosen by a condition: plain values came from the condition's losses as well."""
    chosen = taint_of(test)
    answer = frozenset(mark for mark in chosen.marks if mark[0] == "answer") | picked.marks
    if isinstance(merged, Val) and (chosen.losses or chosen.deps or answer):
        extra = Taint(EMPTY, chosen.losses, EMPTY, EMPTY, answer, chosen.deps)
        result = Val(merged.const, merged.taint | extra, text=merged.text)
        result.own, result.low, result.high = merged.own, merged.low, merged.high
        return result
    return merged


__all__ = ["any_item", "bind", "call", "evaluate_call", "gated", "join", "known_items", "set_attribute"]
