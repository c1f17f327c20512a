"""Library methods of values: tensors, strings, lists, dictionaries, files, modules and optimizers."""

from __future__ import annotations

from typing import Any

from harness.witnesses.static import losses, ranking, tables, updates
from harness.witnesses.static.builtin_calls import compared_by
from harness.witnesses.static.machine import Machine, choose, elements, unknown
from harness.witnesses.static.mixing import combine
from harness.witnesses.static.values import (
    CLEAN,
    EMPTY,
    NO,
    Alt,
    Bound,
    Cls,
    Ext,
    Map,
    Obj,
    Seq,
    Taint,
    Val,
    Value,
    const,
    is_module,
    is_optimizer,
    join,
    state_of,
    taint_of,
    text_of,
)

OVERWRITES = frozenset(
    [
        "copy_",
        "zero_",
        "fill_",
        "uniform_",
        "normal_",
        "kaiming_uniform_",
        "xavier_uniform_",
        "trunc_normal_",
        "set_",
        "orthogonal_",
        "zeros_",
        "ones_",
        "constant_",
        "eye_",
        "kaiming_normal_",
        "xavier_normal_",
        "random_",
    ]
)
VIEWS = frozenset(
    [
        "view",
        "reshape",
        "detach",
        "expand",
        "contiguous",
        "unsqueeze",
        "squeeze",
        "flatten",
        "transpose",
        "permute",
        "t",
        "view_as",
        "requires_grad_",
        "data_ptr",
        "narrow",
        "unflatten",
        "expand_as",
        "swapaxes",
        "ravel",
    ]
)
COPIES = frozenset(
    [
        "clone",
        "cpu",
        "cuda",
        "to",
        "float",
        "half",
        "bfloat16",
        "double",
        "long",
        "int",
        "numpy",
        "tolist",
        "astype",
        "copy",
        "type",
        "pin_memory",
        "item",
    ]
)
SHAPES = frozenset(["size", "numel", "dim", "nelement", "stride", "element_size", "__len__", "type"])
TABLE_ADDS = frozenset(
    ["index_add_", "scatter_add_", "index_put_", "scatter_", "index_copy_", "put_", "scatter_reduce_"]
)
STRINGS = frozenset(
    [
        "lower",
        "upper",
        "strip",
        "lstrip",
        "rstrip",
        "replace",
        "removeprefix",
        "removesuffix",
        "format",
        "title",
        "rjust",
        "ljust",
        "zfill",
        "encode",
        "decode",
        "join",
        "capitalize",
    ]
)
HANDLE = "torch.utils.hooks.RemovableHandle"
TESTS = frozenset(
    ["startswith", "endswith", "isdigit", "isalpha", "count", "find", "index", "isidentifier", "isspace"]
)
READERS = frozenset(
    ["read", "read_bytes", "read_text", "readline", "readlines", "get_tensor", "getvalue", "readinto", "recv"]
)
WRITERS = frozenset(["write", "write_bytes", "write_text", "writelines", "dump"])
FETCHES = frozenset(["get", "pop", "popleft", "popitem", "next", "__next__", "get_nowait", "result", "recv"])


def call(m: Machine, value: Value, name: str, args: list[Value], kwargs: dict[str, Value]) -> Value:
    """`value.name(*args)` for a library method."""
    if isinstance(value, Val):
        return call_value(m, value, name, args, kwargs)
    if isinstance(value, Seq):
        return call_sequence(m, value, name, args, kwargs)
    if isinstance(value, Map):
        return call_mapping(m, value, name, args, kwargs)
    if isinstance(value, Obj):
        return call_instance(m, value, name, args, kwargs)
    if isinstance(value, Cls):
        return call_class(m, value, name, args, kwargs)
    if isinstance(value, Bound):
        inner = (
            call(m, value.value, value.name, [], {}) if value.name in ("parameters", "children") else value
        )
        if inner is not value:
            return call(m, inner, name, args, kwargs)
    from harness.witnesses.static import calling

    return calling.opaque(m, value, args, kwargs)


def call_value(m: Machine, value: Val, name: str, args: list[Value], kwargs: dict[str, Value]) -> Value:
    """A method of a tensor, string or file."""
    if isinstance(value.const, str | bytes) or value.text is not None:
        found = call_text(m, value, name, args, kwargs)
        if found is not None:
            return found
    if name == "backward":
        updates.backward(m, taint_of(value))
        return Val(None)
    if value.own is not None and name.startswith("register_") and "hook" in name and args:
        return hook(m, None, args[0])
    if name in SHAPES and name != "type":
        return Val(taint=Taint(deps=value.taint.deps))
    if name in VIEWS:
        return view_of(m, value, args, kwargs, name)
    if name.endswith("_") and not name.startswith("_"):
        return in_place(m, value, name, args, kwargs)
    if name in ("gather", "index_select", "take_along_dim", "take"):
        index = kwargs.get("index") or (args[-1] if args else Val())
        if (
            name == "index_select"
            and not value.taint.tokens
            and const(kwargs.get("dim", args[0] if args else None)) == 0
        ):
            return Val(
                taint=value.taint | taint_of(index)
            )  # the rows of a table of weights, as an embedding gives them
        return gather(m, value, index)
    if name in COPIES:
        return copy(m, value, name)
    if name == "logsumexp":
        from harness.witnesses.static import library

        return library.EXTERNAL["torch.logsumexp"](m, [value], {})
    if name in READERS:
        return read(m, value)
    if name in WRITERS:
        return write(m, value, args)
    if name == "tofile":
        from harness.witnesses.static import streams

        streams.write_array(m, value)
        return Val(None)
    if name == "data_as":
        return value
    if any(mark[0] == "native" for mark in value.taint.marks):
        return call_native(m, value, name, args, kwargs)
    taint = taint_of(value)
    for argument in [*args, *kwargs.values()]:
        taint = combine(m, taint, taint_of(argument), name)
    result = Val(taint=taint, text=value.text)
    if name in FETCHES:
        result.taint = result.taint.with_deps(m.here())
    if name == "apply" and args:
        from harness.witnesses.static import calling

        calling.call(m, args[0], [value], {})
    if name in ("parameters",) or (value.own is not None and name in ("values",)):
        held = Seq(None)
        held.box.any = value
        return held
    if name in ("named_parameters", "items") and value.own is not None:
        held = Seq(None)
        held.box.any = Seq([Val(), value], "tuple")
        return held
    return result


def call_native(m: Machine, value: Val, name: str, args: list[Value], kwargs: dict[str, Value]) -> Value:
    """A function of a library written in C: what it writes into its arguments came from all of them."""
    from harness.witnesses.static import calling

    m.called_natives.add(name)
    result = calling.opaque(m, value, args, kwargs)
    marks = [mark for mark in value.taint.marks if mark[0] == "native"]
    brought = taint_of(unknown(*args, *kwargs.values()))
    for argument in [result, *args, *kwargs.values()]:
        if isinstance(argument, Val) and argument.own is None and argument.const is NO:
            taint = argument.taint | brought if argument.storage else argument.taint
            argument.taint = taint.with_marks(*marks)
    return result


def view_of(m: Machine, value: Val, args: list[Value], kwargs: dict[str, Value], name: str) -> Value:
    """The same storage seen in another shape."""
    if name == "requires_grad_":
        wanted = kwargs.get("requires_grad", args[0] if args else Val(True))
        if value.own is None and const(wanted) is True and not value.taint.tokens:
            value.param = value.param or "leaf"
        return value
    if value.own is not None and name in (
        "detach",
        "view",
        "contiguous",
        "reshape",
        "flatten",
        "t",
        "transpose",
    ):
        return value
    result = Val(taint=taint_of(value))
    result.affine = value.affine
    result.base = value if value.storage else value.base
    return result


def copy(m: Machine, value: Val, name: str) -> Val:
    """A copy: no parameter any more, but what it was made of is known, as of now."""
    result = Val(value.const if name in ("item", "float", "int", "clone", "tolist") else NO, taint_of(value))
    result.affine = value.affine
    result.low, result.high = value.low, value.high
    if value.param is not None and value.own is None and name in ("to", "cuda", "float", "cpu"):
        result.param = value.param
    return result


def in_place(m: Machine, value: Val, name: str, args: list[Value], kwargs: dict[str, Value]) -> Value:
    """A method that changes its tensor."""
    brought = CLEAN
    for argument in [*args, *kwargs.values()]:
        brought = brought | taint_of(argument)
    if name == "requires_grad_":
        return value
    if value.param == "grad":
        return value
    if name in TABLE_ADDS and value.own is None:
        first = name in ("index_put_", "put_")
        index = kwargs.get("index") or (args[0] if first or len(args) < 2 else args[1]) if args else Val()
        tables.array_write(m, value.base or value, index, Val(taint=brought))
        return value
    if value.own is not None:
        updates.in_place(m, value, brought, overwrite=name in OVERWRITES)
        return value
    value.const = NO
    value.low = value.high = None
    if value.base is not None:
        value.base.const = NO
        value.base.taint = combine(m, value.base.taint, brought, name)
    if name in OVERWRITES:
        keep = value.taint if value.param is not None else CLEAN
        value.taint = brought | keep
    else:
        value.taint = combine(m, value.taint, brought, name)
    return value


def gather(m: Machine, value: Value, index: Value) -> Value:
    """`output.gather(-1, targets)`: the probability of targets, or a table lookup."""
    taint = taint_of(value)
    chosen = taint_of(index)
    if chosen.states:
        # What a model's output points to (its neighbours, its likeliest tokens) is no answer.
        return Val(taint=taint | chosen)
    if chosen.tokens and (taint.states or taint.losses):
        return losses.note(m, "gather", value, index)
    if chosen.tokens and isinstance(value, Val):
        return tables.array_read(m, value, index)
    return Val(taint=taint | chosen)


def read(m: Machine, value: Val) -> Val:
    """Read from a file: tokens of its stream, and whatever the script wrote to it before."""
    from harness.witnesses.static import streams

    return streams.read_file(m, value)


def write(m: Machine, value: Val, args: list[Value]) -> Val:
    """Write to a file: what is written can come back through a later read; a log line is a printed line."""
    from harness.witnesses.static import streams

    for argument in args:
        streams.write_file(m, value, argument)
    return Val()


def call_text(m: Machine, value: Val, name: str, args: list[Value], kwargs: dict[str, Value]) -> Value | None:
    """A string method; None where it is none."""
    taint = value.taint
    for argument in [*args, *kwargs.values()]:
        taint = taint | taint_of(argument)
    if name in TESTS and args:
        from harness.witnesses.static import streams

        streams.note_filter(m, value, args[0])
    known = [const(a) for a in args]
    if isinstance(value.const, str | bytes) and name in STRINGS | TESTS | {
        "split",
        "splitlines",
        "partition",
    }:
        if NO not in known and not kwargs and name != "join":
            try:
                result = getattr(value.const, name)(*known)
            except Exception:
                return Val(taint=taint, text=text_of(value))
            if isinstance(result, list | tuple):
                return Seq([Val(r, taint) for r in result], "list", taint)
            return Val(result, taint)
        if name == "join":
            items = (
                [text_of(i) for i in args[0].box.items]
                if args and isinstance(args[0], Seq) and args[0].box.items
                else []
            )
            return Val(
                taint=taint, text=str(value.const).join(items) if isinstance(value.const, str) else None
            )
    if name == "replace" and value.text and len(known) == 2 and all(isinstance(k, str) for k in known):
        return Val(taint=taint, text=value.text.replace(str(known[0]), str(known[1])))
    if name in STRINGS or name in ("resolve", "absolute", "expanduser", "as_posix"):
        return Val(taint=taint, text=text_of(value) + "".join(text_of(a) for a in args))
    if name in ("joinpath", "with_suffix", "with_name"):
        return Val(taint=taint, text="/".join([text_of(value), *(text_of(a) for a in args)]))
    if name in ("glob", "rglob", "iterdir"):
        from harness.witnesses.static import streams

        return streams.listing(m, text_of(value) + "/" + "".join(text_of(a) for a in args), taint)
    if name in ("exists", "is_file", "is_dir"):
        return Val(taint=taint.with_marks(("outside", text_of(value)[-40:])))
    if name == "open":
        return value
    if name in ("split", "splitlines"):
        held = Seq(None, "list", taint)
        held.box.any = Val(taint=taint, text=text_of(value))
        return held
    return None


def call_sequence(m: Machine, value: Seq, name: str, args: list[Value], kwargs: dict[str, Value]) -> Value:
    """A method of a list, tuple or set."""
    box = value.box
    if name in ("append", "add", "appendleft", "insert", "put", "put_nowait"):
        item = args[-1] if args else Val()
        if isinstance(item, Val) and item.taint.updates and item.own is None:
            item = Val(item.const, tables.settled(m, item.taint), text=item.text)
        if m.loops or box.items is None or len(box.items) >= 256:
            box.any = item if box.any is None else join(box.any, item)
            if not m.loops and box.items is None:
                return Val(None)
        else:
            box.items.append(item)
        return Val(None)
    if name in ("extend", "update"):
        for argument in args:
            inner = argument.box.items if isinstance(argument, Seq) else None
            whole = isinstance(argument, Seq) and argument.box.any is None and not m.loops
            if whole and inner is not None and box.items is not None and len(inner) + len(box.items) < 256:
                box.items.extend(inner)
                continue
            added = elements(argument)
            box.any = added if box.any is None else join(box.any, added)
        return Val(None)
    if name in ("pop", "popleft", "get", "get_nowait"):
        return ranking.taken(value.taint, choose(elements(value), value.taint.deps | m.here()))
    if name == "clear":
        box.items, box.any = [], None
        return Val(None)
    if name in ("copy", "tolist"):
        copied = Seq(list(box.items) if box.items is not None else None, value.kind, value.taint)
        copied.box.any = box.any
        return copied
    if name in ("sort", "reverse"):
        if box.items is not None and len(box.items) > 1 and box.any is None:
            box.any, box.items = m.merge(box.items), None
        if name == "sort":
            ranking.ranked(m, value, compared_by(m, value, kwargs.get("key")))
        return Val(None)
    if name in ("index", "count"):
        return ranking.indexed(value, Val(taint=Taint(deps=taint_of(value).deps)), args[0] if args else None)
    if name == "write_text":
        return Val()
    return unknown(value, *args)


def call_mapping(m: Machine, value: Map, name: str, args: list[Value], kwargs: dict[str, Value]) -> Value:
    """A method of a dictionary."""
    if name in ("get", "pop", "setdefault"):
        key = args[0] if args else Val()
        found = tables.dictionary_read(m, value, key)
        default = args[1] if len(args) > 1 else Val(None)
        known = const(key)
        if name == "setdefault":
            if known is NO or known not in value.items:
                tables.dictionary_write(m, value, key, default)
                return tables.dictionary_read(m, value, key)
            return found
        if known is not NO and value.any is None and isinstance(known, str | int):
            return found if known in value.items else default
        return join(found, default)
    if name == "items":
        pairs: list[Value] = [Seq([Val(k), v], "tuple") for k, v in value.items.items()]
        result = Seq(pairs, "list", value.taint)
        if value.any is not None:
            result.box.any = Seq([value.key or Val(taint=value.taint), value.any], "tuple")
        return result
    if name == "values":
        result = Seq(list(value.items.values()), "list", value.taint)
        result.box.any = value.any
        return result
    if name == "keys":
        result = Seq([Val(k) for k in value.items], "list", value.taint)
        if value.any is not None:
            result.box.any = value.key or Val(taint=value.taint)
        return result
    if name == "update":
        for argument in args:
            if isinstance(argument, Map):
                value.items.update(argument.items)
                if argument.any is not None:
                    value.any = argument.any if value.any is None else join(value.any, argument.any)
                value.taint = value.taint | argument.taint
            else:
                tables.dictionary_write(m, value, elements(argument), elements(argument))
        value.items.update(kwargs)
        return Val(None)
    if name == "copy":
        copied = Map(dict(value.items), value.taint)
        copied.any, copied.key, copied.node = value.any, value.key, value.node
        return copied
    if name == "clear":
        value.items.clear()
        value.any, value.key, value.taint = None, None, CLEAN
        return Val(None)
    return unknown(value, *args)


def call_instance(m: Machine, obj: Obj, name: str, args: list[Value], kwargs: dict[str, Value]) -> Value:
    """A library method of an instance: optimizer, module, or anything else."""
    if is_optimizer(obj):
        return call_optimizer(m, obj, name, args, kwargs)
    if is_module(obj):
        return call_module(m, obj, name, args, kwargs)
    if name == "remove" and isinstance(obj.cls, Ext) and obj.cls.path == HANDLE:
        return unhook(m, obj)
    if name in ("submit", "map", "apply_async", "starmap") and args:
        from harness.witnesses.static import calling

        rest = args[1:] if name == "submit" else [elements(a) for a in args[1:]]
        return calling.call(m, args[0], rest, kwargs)
    if name == "add_argument" or name == "parse_args":
        from harness.witnesses.static import arguments

        return arguments.call(m, obj, name, args, kwargs)
    if name in ("scale", "unscale_") and args:
        return args[0]
    if name == "step" and args and isinstance(args[0], Obj):
        return call_instance(m, args[0], "step", [], {})
    taint = taint_of(obj)
    for argument in [*args, *kwargs.values()]:
        taint = taint | taint_of(argument)
    if name in ("put", "append", "add", "update", "send", "insert", "write", "__setitem__"):
        held = obj.attrs.get("\0held")
        obj.attrs["\0held"] = join(held, Val(taint=taint)) if held is not None else Val(taint=taint)
        return Val(None)
    result = Val(taint=taint)
    if name in FETCHES:
        result.taint = result.taint.with_deps(m.here())
    if not result.taint.tokens and isinstance(obj.cls, Ext):
        from harness.witnesses.static.library import origin

        result.taint = result.taint.with_marks((origin(obj.cls.path), obj.cls.path))
    return result


def hook(m: Machine, owner: Obj | None, function: Value) -> Obj:
    """`module.register_forward_hook(function)`; the owner is None for a module met while walking over all of them."""
    handle = m.instance(Ext(HANDLE))
    m.hooks.append((owner, function, handle.number))
    return handle


def unhook(m: Machine, handle: Obj) -> Val:
    """`handle.remove()`."""
    m.hooks = [hook for hook in m.hooks if hook[2] != handle.number]
    return Val(None)


def call_optimizer(m: Machine, obj: Obj, name: str, args: list[Value], kwargs: dict[str, Value]) -> Value:
    """A method of an optimizer."""
    if name == "step":
        return step_with(m, obj, args[0] if args else kwargs.get("closure"))
    if name == "zero_grad":
        updates.zero_grad(m, list(obj.owners.values()) or waiting(m))
    elif name == "add_param_group":
        from harness.witnesses.static import library

        library.own(m, obj, args)
    elif name == "state_dict":
        return Val()
    return Val()


def step_with(m: Machine, optimizer: Obj, closure: Value | None) -> Value:
    """`optimizer.step(closure)`: what is given computes the loss and its gradients, and the step follows; its loss."""
    from harness.witnesses.static import calling

    loss: Value = Val()
    if closure is not None and const(closure) is not None:
        loss = calling.call(m, closure, [], {})
    updates.step(m, list(optimizer.owners.values()) or waiting(m))
    return loss


def waiting(m: Machine) -> list[Obj]:
    """The objects in which gradients wait, for an optimizer whose parameters could not be told."""
    roots: dict[int, Obj] = {}
    for number in m.pending:
        obj = m.objects.get(number)
        while obj is not None and obj.parent is not None:
            obj = obj.parent
        if obj is not None:
            roots[obj.number] = obj
    return list(roots.values())


def call_module(m: Machine, obj: Obj, name: str, args: list[Value], kwargs: dict[str, Value]) -> Value:
    """A method that torch gives every module."""
    from harness.witnesses.static import calling, library

    if name in ("parameters", "buffers"):
        return sequence_of(library.owned(obj))
    if name in ("named_parameters", "named_buffers"):
        return sequence_of(Seq([Val(), library.owned(obj)], "tuple"))
    if name in ("modules", "children"):
        return sequence_of(submodules(m, obj))
    if name in ("named_modules", "named_children"):
        return sequence_of(Seq([Val(), submodules(m, obj)], "tuple"))
    if name == "state_dict":
        return state_dict(obj)
    if name == "load_state_dict":
        updates.load_state(m, obj, taint_of(args[0]) if args else CLEAN)
        return Val()
    if name == "zero_grad":
        updates.zero_grad(m, [obj])
        return Val(None)
    if name in ("register_buffer", "register_parameter") and len(args) >= 2:
        if isinstance(const(args[0]), str):
            held = args[1]
            if isinstance(held, Val) and held.const is not None and held.own is None:
                parameter = held.param if name == "register_parameter" else None
                held = Val(taint=held.taint)
                held.param = parameter or "buffer"
            calling.set_attribute(m, obj, const(args[0]), held)
        return Val(None)
    if name in ("register_module", "add_module") and len(args) >= 2:
        key = const(args[0])
        calling.set_attribute(m, obj, key if isinstance(key, str) else f"\0{m.fresh()}", args[1])
        return Val(None)
    if name.startswith("register_") and "hook" in name and args:
        return hook(m, obj, args[0])
    if name == "apply" and args:
        calling.call(m, args[0], [obj], {})
        return obj
    if name in ("append", "insert", "extend") and args:
        children = obj.attrs.get("\0children")
        if isinstance(children, Seq):
            call_sequence(m, children, name, args, kwargs)
            calling.set_attribute(m, obj, "\0children", children)
        return Val(None)
    if name in ("named_steps",):
        return Val()
    if name == "get_submodule" or name == "get_parameter":
        return submodules(m, obj) if name == "get_submodule" else library.owned(obj)
    if name in ("items", "values", "keys"):
        children = obj.attrs.get("\0children")
        if isinstance(children, Seq):
            each = elements(children)
            return sequence_of(Seq([Val(), each], "tuple") if name == "items" else each)
    if name in ("forward", "__call__"):
        return library.call_library_object(m, obj, args, kwargs)
    if name in ("eval", "train"):
        mode = const(args[0]) if args else True
        obj.evaluating = name == "eval" or mode is False
        return obj
    if name in (
        "to",
        "cuda",
        "cpu",
        "half",
        "bfloat16",
        "float",
        "double",
        "requires_grad_",
        "compile",
    ):
        return obj
    result = unknown(*args, *kwargs.values())
    result.taint = result.taint | state_of(obj)
    return result


def submodules(m: Machine, obj: Obj) -> Value:
    """Any module inside a module, or itself."""
    from harness.witnesses.static.library import owned

    return owned(obj)


def sequence_of(item: Value) -> Seq:
    """A sequence of unknown length of such items."""
    result = Seq(None)
    result.box.any = item
    return result


def state_dict(obj: Obj) -> Map:
    """`state_dict()`: tensors made by the updates so far."""
    from harness.witnesses.static.library import owned

    taint = Taint(updates=all_updates(obj), states=frozenset((obj.number,)))
    result = Map()
    alias = owned(obj)
    alias.taint = taint
    result.any = alias
    result.key = Val()
    result.taint = Taint(updates=taint.updates)
    return result


def all_updates(obj: Obj) -> frozenset[int]:
    """The updates of an object, of what is inside it and around it."""
    found = set(obj.updates) | set(state_of(obj).updates)
    seen: set[int] = set()
    todo = [obj]
    while todo and len(seen) < 400:
        inner = todo.pop()
        if inner.number in seen:
            continue
        seen.add(inner.number)
        found |= inner.updates.union(*(held.taint.updates for held in updates.buffers(inner)))
        for value in inner.attrs.values():
            todo.extend(updates.inner_objects(value))
    return frozenset(found)


def call_class(m: Machine, cls: Cls, name: str, args: list[Value], kwargs: dict[str, Value]) -> Value:
    """A library method of a class of the script: `Function.apply`, `Model.__new__`, `Tuple._make`."""
    from harness.witnesses.static import calling
    from harness.witnesses.static.values import Fn, find_attribute

    if name == "apply":
        forward = find_attribute(cls, "forward")
        if isinstance(forward, Fn):
            return calling.call(m, calling.bind(plain(forward), m.instance(cls)), args, kwargs)
    if name in ("__new__", "_make", "from_dict"):
        return m.instance(cls)
    return unknown(*args, *kwargs.values())


def plain(function: Any) -> Any:
    """A static method seen as a plain function, to be bound to a context."""
    from harness.witnesses.static.values import Fn

    made = Fn(function.node, function.env, function.file)
    made.defaults = function.defaults
    return made


__all__ = ["EMPTY", "Alt", "call"]
