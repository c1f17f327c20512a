"""What library names mean: attributes of libraries and values, and where each library call is modelled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.witnesses.static import ahead, bending, losses, operators, ranking, tables, updates
from harness.witnesses.static.events import Note, Update
from harness.witnesses.static.machine import Machine, elements, unknown
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
    Seq,
    Taint,
    Val,
    Value,
    base_names,
    const,
    find_attribute,
    is_module,
    is_optimizer,
    state_of,
    taint_of,
)

Call = Callable[[Machine, list[Value], dict[str, Value]], Value]

EXTERNAL: dict[str, Call] = {}
"""Models of library calls, by dotted path or, where the path varies, by its last name with a leading dot."""

SHAPE = frozenset(
    [
        "shape",
        "size",
        "numel",
        "ndim",
        "dim",
        "nelement",
        "dtype",
        "device",
        "itemsize",
        "nbytes",
        "element_size",
        "is_cuda",
        "requires_grad",
        "stride",
        "type",
        "is_contiguous",
        "is_floating_point",
        "nse",
    ]
)
"""Attributes and methods that tell how a tensor looks, not what is in it."""

ALIAS = frozenset(["data", "T", "mT", "H", "real"])

NETWORK = frozenset(
    [
        "requests",
        "huggingface_hub",
        "httpx",
        "aiohttp",
        "socket",
        "ftplib",
        "gdown",
        "wget",
        "boto3",
        "datasets",
        "urllib3",
        "paramiko",
        "pycurl",
        "smart_open",
        "gcsfs",
        "s3fs",
    ]
)
"""Libraries that reach out of the machine."""

FETCHERS = (
    "urllib.request.",
    "http.client.",
    "xmlrpc.client.",
    "torch.hub.",
    "nltk.download",
    "tiktoken.get_encoding",
    "tiktoken.encoding_for_model",
)
"""Parts of libraries that do."""

HERE = frozenset(("gethostname", "getfqdn", "inet_aton", "setdefaulttimeout", "set_dir", "get_dir"))
"""Calls of such libraries that stay on the machine."""


def models(*paths: str) -> Callable[[Call], Call]:
    """Enter a function as the model of these library calls."""

    def enter(function: Call) -> Call:
        for path in paths:
            EXTERNAL[path] = function
        return function

    return enter


def external_attribute(m: Machine, value: Ext, attr: str) -> Value:
    """`library.attr`."""
    if value.path == "os" and attr == "environ":
        return Ext("os.environ")
    if value.path == "sys" and attr == "argv":
        return Seq([Val("train_gpt.py"), *(Val(a) for a in m.argv)])
    if value.path in ("math",) and attr in ("pi", "e", "inf"):
        import math

        return Val(getattr(math, attr))
    return Ext(f"{value.path}.{attr}")


def value_attribute(m: Machine, value: Val, attr: str) -> Value:
    """`value.attr` of a tensor, string, file or anything unknown."""
    if attr in ("data", "ctypes"):
        return value
    if attr == "grad":
        if value.own is not None:
            waiting = m.pending.get(value.own.number, EMPTY)
            for number in updates.family(m, value.own) if not waiting else ():
                waiting = waiting | m.pending.get(number, EMPTY)
            gradient = Val(taint=Taint(losses=waiting))
            gradient.param = "grad"
            return gradient
        # Of a tensor that stands alone nobody noted which losses it took part in: those of the last backward pass.
        alone = value.param in ("leaf", "parameter")
        known = updates.gradient(m, m.reached_leaves) if alone else EMPTY
        return Val(taint=Taint(updates=known) if known else value.taint)
    if attr in SHAPE and not isinstance(value.const, str):
        shaped = Val(taint=Taint(deps=value.taint.deps, marks=keep_marks(value.taint)))
        return (
            Bound(shaped, attr) if attr in ("size", "numel", "dim", "type", "nelement", "stride") else shaped
        )
    if attr in ("parent", "name", "stem", "suffix", "parents", "path") and (
        value.text or isinstance(value.const, str)
    ):
        return Val(taint=value.taint, text=str(value.const if value.const is not NO else value.text))
    if attr in ("T", "mT", "H", "real"):
        return Val(taint=taint_of(value))
    return Bound(value, attr)


def keep_marks(taint: Taint) -> frozenset[tuple[str, Any]]:
    """Marks that survive taking a shape: what is unknown outside the script stays so."""
    return frozenset(mark for mark in taint.marks if mark[0] in ("outside", "env", "argv"))


def each_in_place(m: Machine, name: str, args: list[Value], kwargs: dict[str, Value]) -> Value:
    """`torch._foreach_add_(tensors, others)`: each tensor is written with one of the others; which, is not told apart."""
    from harness.witnesses.static import calling

    others = [elements(a) if isinstance(a, Seq) else a for a in args[1:]]
    for item in calling.known_items(args[0]) or [calling.any_item(m, args[0])]:
        if isinstance(item, Val):
            methods.call(m, item, name, others, kwargs)
    return Val(None)


def library_attribute(m: Machine, obj: Obj, attr: str) -> Value:
    """An attribute that a library class gives its instances."""
    if is_optimizer(obj):
        if attr == "param_groups":
            group = Map()
            held = Seq(None)
            held.box.any = m.merge([owned(o) for o in obj.owners.values()]) if obj.owners else Val()
            group.items["params"] = held
            group.any = Val()
            return Seq([group])
        if attr == "state":
            return Map()
        return Bound(obj, attr)
    if is_module(obj):
        if attr in ("weight", "bias") or attr.startswith(("weight_", "bias_")):
            return owned(obj)
        if attr == "training" and evaluating(obj):
            return Val(const=False)
        if attr in ("training", "in_features", "out_features", "num_embeddings", "embedding_dim"):
            return Val()
    return Bound(obj, attr)


def evaluating(obj: Obj) -> bool:
    """Whether the whole model that a module belongs to was last told to evaluate. That it trains is never taken for
    certain: only what stands under `if self.training` in a pass that scores is left out."""
    while obj.parent is not None:
        obj = obj.parent
    return obj.evaluating


def owned(obj: Obj) -> Val:
    """A parameter of an object."""
    value = Val()
    value.own = obj
    return value


def own(m: Machine, optimizer: Obj, given: list[Value], depth: int = 0) -> None:
    """Remember whose parameters an optimizer was given."""
    for value in given:
        if isinstance(value, Val) and value.own is not None:
            optimizer.owners[value.own.number] = value.own
        elif isinstance(value, Val) and value.param is not None:
            leaf = leaf_of(m, value)
            optimizer.owners[leaf.number] = leaf
        elif depth < 6:
            if isinstance(value, Seq):
                own(
                    m,
                    optimizer,
                    [*(value.box.items or []), *([value.box.any] if value.box.any else [])],
                    depth + 1,
                )
            elif isinstance(value, Map):
                own(m, optimizer, [*value.items.values(), *([value.any] if value.any else [])], depth + 1)
            elif isinstance(value, Alt):
                own(m, optimizer, list(value.options), depth + 1)
            elif isinstance(value, Obj) and is_optimizer(value):
                optimizer.owners.update(value.owners)


def leaf_of(m: Machine, value: Val) -> Obj:
    """The object that stands for a tensor which is optimized by itself, outside any module."""
    if value.own is None:
        leaf = m.instance(Ext("torch.nn.LeafModule"))
        value.own = leaf
    return value.own


def set_gradient(m: Machine, value: Val, gradient: Value) -> None:
    """`p.grad = g`: the gradient waits in the owner of p."""
    owner = value.own
    if owner is None:
        return
    taint = taint_of(gradient)
    losses = taint.losses.union(*(e.losses for n in taint.updates if isinstance(e := m.events[n], Update)))
    if losses:
        m.pending[owner.number] = m.pending.get(owner.number, EMPTY) | losses
    elif const(gradient) is None:
        updates.zero_grad(m, [owner])


def call_external(m: Machine, callee: Ext, args: list[Value], kwargs: dict[str, Value]) -> Value:
    """Call a library function by its model, else take the result as made of the arguments."""
    ahead.note(m, callee.path, args, kwargs)
    if reaches_out(callee, args):
        m.emit(Note(**m.where(), what="network"))
    own = operators.find(m, callee.path)
    if own is not None:
        from harness.witnesses.static import calling

        return calling.call(m, own, args, kwargs)
    model = EXTERNAL.get(callee.path) or EXTERNAL.get("." + callee.tail)
    if model is not None:
        return bending.after(m, callee.path, args, kwargs, model(m, args, kwargs))
    if callee.tail[:1].isupper() and callee.path.split(".")[0] not in ("builtins", "pathlib", "np", "numpy"):
        return construct(m, callee, args, kwargs)
    result = tables.predicted(callee.path, plain_call(m, callee, args, kwargs))
    result = ranking.place(m, callee.path, args[0], result) if args else result
    return bending.after(m, callee.path, args, kwargs, result)


def reaches_out(callee: Ext, args: list[Value]) -> bool:
    """Whether a library call fetches something from another machine."""
    if callee.tail in HERE:
        return False
    if callee.tail == "from_pretrained":
        name = const(args[0]) if args else NO
        return isinstance(name, str) and not name.startswith((".", "/", "~"))
    return callee.path.startswith(FETCHERS) or callee.path.split(".")[0] in NETWORK


def plain_call(m: Machine, callee: Ext, args: list[Value], kwargs: dict[str, Value]) -> Value:
    """A library function without a model of its own."""
    from harness.witnesses.static import calling

    if callee.tail.startswith("_foreach_") and callee.tail.endswith("_") and args:
        return each_in_place(m, callee.tail.removeprefix("_foreach_"), args, kwargs)
    if callee.tail.endswith("_") and args and isinstance(args[0], Val):
        return methods.call(m, args[0], callee.tail, args[1:], kwargs)
    for value in [*args, *kwargs.values()]:
        if isinstance(value, Fn) and callee.path.split(".")[0] not in (
            "torch",
            "numpy",
            "builtins",
            "functools",
        ):
            calling.call(m, value, [], {})
    result = calling.opaque(m, callee, args, kwargs)
    if isinstance(result, Val) and not taint_of(result).tokens and not result.taint.marks:
        result.taint = result.taint.with_marks((origin(callee.path), callee.path))
    return result


def origin(path: str) -> str:
    """What an unknown library result hangs on."""
    head = path.split(".")[0]
    if head == "time" or path.endswith(("perf_counter", "elapsed_time", "monotonic")):
        return "time"
    if head in ("torch", "numpy", "np", "math", "random", "builtins", "collections", "itertools"):
        return "device"
    if head in ("os", "pathlib", "shutil", "subprocess", "sys", "argparse", "json", "yaml", "importlib"):
        return "outside"
    return "library"


def construct(m: Machine, callee: Ext, args: list[Value], kwargs: dict[str, Value]) -> Value:
    """An instance of a library class."""
    obj = m.instance(callee)
    if is_optimizer(obj):
        own(m, obj, [*args, *kwargs.values()])
    initialise(m, obj, callee, args, kwargs)
    return obj


def initialise(m: Machine, obj: Obj, base: Ext, args: list[Value], kwargs: dict[str, Value]) -> None:
    """What the constructor of a library class does with its arguments."""
    from harness.witnesses.static import calling

    if base.tail in ("ModuleList", "Sequential", "ParameterList", "ModuleDict", "ParameterDict"):
        children: Value = args[0] if args else Seq([])
        if base.tail == "Sequential" and not (len(args) == 1 and isinstance(args[0], Seq)):
            children = Seq(list(args))
        if isinstance(children, Map):
            children = Seq([*children.items.values(), *([children.any] if children.any is not None else [])])
        calling.set_attribute(m, obj, "\0children", children)
    elif is_optimizer(obj):
        own(m, obj, [*args, *kwargs.values()])
    elif not is_module(obj):
        for index, value in enumerate(args):
            obj.attrs[f"\0{index}"] = value
        for name, value in kwargs.items():
            if name[0] != "\0":
                obj.attrs[name] = value
        if base.tail in ("DataLoader",) and args:
            obj.attrs["dataset"] = args[0]
        if base.tail in ("Thread", "Process"):
            target = kwargs.get("target")
            given = kwargs.get("args")
            if target is not None:
                inner = given.box.items if isinstance(given, Seq) else []
                calling.call(m, target, list(inner or []), {})


def call_library_object(m: Machine, obj: Obj, args: list[Value], kwargs: dict[str, Value]) -> Value:
    """Call an instance of a library class: a layer, a container of layers, a loss."""
    from harness.witnesses.static import calling

    tail = obj.cls.tail if isinstance(obj.cls, Ext) else ""
    children = obj.attrs.get("\0children")
    if children is not None and isinstance(children, Seq) and args:
        value = args[0]
        for child in [*(children.box.items or []), *([children.box.any] if children.box.any else [])]:
            value = calling.call(m, child, [value], {})
        return value
    if "Loss" in tail and len(args) >= 2:
        return losses.note(m, tail, args[0], args[1])
    result = unknown(*args, *kwargs.values())
    if is_module(obj):
        note_hashed_inputs(m, args)
        result.taint = result.taint | state_of(obj)
    return result


def note_hashed_inputs(m: Machine, args: list[Value]) -> None:
    """Note an embedding that is looked up by several input tokens at once, with the line that puts them together."""
    taint = taint_of(args[0]) if args else CLEAN
    starts = {t.start for t in taint.tokens if t.start is not None}
    shifted = any(a[1] == b[1] and a[0] != b[0] for a in starts for b in starts)
    if shifted and not taint.states and not taint.losses:
        line = max(t.read // 64 for t in taint.tokens)
        if line > 0:
            where = {**m.where(), "line": line}
            m.emit(Note(**where, what="embedding of hashed input tokens"))


def call_method(m: Machine, callee: Bound, args: list[Value], kwargs: dict[str, Value]) -> Value:
    """Call a library method of a value."""
    value = callee.value
    if callee.name == "\0super":
        return Val()
    if isinstance(value, Bound) and value.name == "\0super":
        return call_super(m, value, callee.name, args, kwargs)
    ahead.note(m, callee.name, [value, *args], kwargs)
    result = tables.predicted(callee.name, methods.call(m, value, callee.name, args, kwargs))
    result = ranking.place(m, callee.name, value, result)
    return bending.after(m, callee.name, [value, *args], kwargs, result)


def call_super(m: Machine, parent: Bound, name: str, args: list[Value], kwargs: dict[str, Value]) -> Value:
    """`super().name(...)`."""
    from harness.witnesses.static import calling

    pair = parent.value
    items = pair.box.items if isinstance(pair, Seq) else None
    if items is None:
        return Val()
    obj, cls = items
    if not isinstance(cls, Cls):
        return Val()
    for base in cls.bases:
        if isinstance(base, Cls):
            found = find_attribute(base, name)
            if isinstance(found, Fn):
                return calling.call(m, calling.bind(found, obj), args, kwargs)
        elif isinstance(base, Ext) and isinstance(obj, Obj):
            if name == "__init__":
                initialise(m, obj, base, args, kwargs)
                return Val(None)
            if name == "forward":
                return call_library_object(m, obj, args, kwargs)
            return methods.call(m, obj, name, args, kwargs)
    return Val()


def names_of(obj: Obj) -> list[str]:
    """The library classes an object descends from."""
    return base_names(obj.cls)


from harness.witnesses.static import (  # noqa: E402,F401
    builtin_calls,
    methods,
    torch_calls,
)

__all__ = ["CLEAN", "EXTERNAL", "call_external", "call_method", "models", "own", "owned"]
