"""Builtins and the standard library: what their calls give."""

from __future__ import annotations

import math
import re
from typing import Any

from harness.witnesses.static import losses, ranking
from harness.witnesses.static.events import Note
from harness.witnesses.static.library import models
from harness.witnesses.static.machine import Machine, choose, elements, unknown
from harness.witnesses.static.mixing import combine
from harness.witnesses.static.values import (
    CLEAN,
    HEAD,
    NO,
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
    high_of,
    is_module,
    low_of,
    taint_of,
    text_of,
    truth,
)

Args = list[Value]
Kwargs = dict[str, Value]


@models("os.environ.get", "os.getenv", "os.environ.pop", "os.environ.setdefault")
def getenv(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    name = const(args[0]) if args else NO
    default = args[1] if len(args) > 1 else kwargs.get("default", Val(None))
    if not isinstance(name, str):
        return Val(taint=CLEAN.with_marks(("outside", "environment")))
    mark = CLEAN.with_marks(("env", name))
    m.settings[name] = str(m.environment.get(name, const(default) if const(default) is not NO else ""))
    if name in m.environment:
        return Val(m.environment[name], mark)
    if isinstance(default, Val):
        return Val(default.const, default.taint | mark, text=default.text)
    return default


def converter(kind: type) -> Any:
    """The model of `int(x)`, `float(x)`, `str(x)`, `bool(x)`."""

    def convert(m: Machine, args: Args, kwargs: Kwargs) -> Value:
        if not args:
            return Val(kind())
        value = args[0]
        known = truth(value) if kind is bool else const(value)
        if (known is not NO and known is not None) or (kind is not bool and known is None and kind is str):
            try:
                rest = [const(a) for a in args[1:]]
                return Val(kind(known, *rest), taint_of(value))
            except Exception:
                return unknown(value)
        result = unknown(value)
        if isinstance(value, Val) and kind in (int, float):
            result.low, result.high, result.affine = value.low, value.high, value.affine
        if kind is str:
            result.text = text_of(value)
        return result

    return convert


for _kind in (int, float, str, bool):
    models(f"builtins.{_kind.__name__}")(converter(_kind))


@models("builtins.len")
def length(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    value = args[0] if args else Val()
    if (
        isinstance(value, Seq)
        and value.box.items is not None
        and value.box.any is None
        and value.kind != "range"
    ):
        return Val(len(value.box.items), Taint(deps=value.taint.deps))
    if isinstance(value, Val) and isinstance(value.const, str | bytes):
        return Val(len(value.const), value.taint)
    if isinstance(value, Map) and value.any is None and value.key is None:
        return Val(len(value.items))
    result = Val(taint=Taint(deps=taint_of(value).deps, marks=frozenset((("length", m.line),))))
    result.low = 0
    return result


@models("builtins.range")
def range_(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    start: Value = args[0] if len(args) > 1 else Val(0)
    stop: Value = args[1] if len(args) > 1 else (args[0] if args else Val())
    step: Value = args[2] if len(args) > 2 else Val(1)
    taint = Taint(deps=taint_of(start).deps - {HEAD} | taint_of(stop).deps)
    return Seq([start, stop, step], "range", taint)


@models("builtins.enumerate")
def enumerate_(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    from harness.witnesses.static.calling import any_item, known_items

    start = args[1] if len(args) > 1 else kwargs.get("start", Val(0))
    first = const(start) if isinstance(const(start), int) else 0
    items = known_items(args[0])
    if items is not None:
        return Seq([Seq([Val(first + i), v], "tuple") for i, v in enumerate(items)], "list")
    result = Seq(None, "enumerate", Taint(deps=taint_of(args[0]).deps))
    result.box.any = Seq([Val(first), any_item(m, args[0])], "tuple")
    return result


def column(cell: Value) -> Seq:
    """Any number of values like this one."""
    found = Seq(None, "tuple")
    found.box.any = cell
    return found


@models("builtins.zip")
def zip_(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    from harness.witnesses.static.calling import any_item, known_items

    spread = kwargs.get("\0spread")
    if spread is not None and not args:
        # `zip(*rows)`: each cell of a row, taken from all rows.
        cells = known_items(spread)
        if cells is not None:
            return Seq([column(cell) for cell in cells], "list")
        turned = Seq(None, "list")
        turned.box.any = column(any_item(m, spread))
        return turned
    known = [known_items(a) for a in args]
    if known and all(k is not None for k in known):
        rows = [k for k in known if k is not None]
        return Seq([Seq(list(row), "tuple") for row in zip(*rows, strict=False)], "list")
    result = Seq(None)
    result.box.any = Seq([any_item(m, a) for a in args], "tuple")
    return result


@models(
    "builtins.list",
    "builtins.tuple",
    "builtins.set",
    "builtins.frozenset",
    "builtins.reversed",
    "collections.deque",
    "builtins.iter",
    "itertools.chain",
    "itertools.cycle",
    "itertools.islice",
)
def listed(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    from harness.witnesses.static.calling import any_item, known_items

    if not args:
        return Seq([])
    items = known_items(args[0])
    if items is not None:
        return Seq(items, "list", args[0].taint if isinstance(args[0], Seq) else CLEAN)
    result = Seq(None, "list", args[0].taint if isinstance(args[0], Seq) else CLEAN)
    result.box.any = any_item(m, args[0]) if not is_range(args[0]) else range_item(args[0])
    return result


def is_range(value: Value) -> bool:
    """Whether it is a range object."""
    return isinstance(value, Seq) and value.kind == "range"


def range_item(value: Value) -> Val:
    """Any number of a range."""
    items = value.box.items if isinstance(value, Seq) else None
    item = Val(taint=taint_of(value))
    start = items[0] if items else None
    if isinstance(start, Val):
        item.low = low_of(start)
    return item


@models(
    "builtins.sorted",
    "builtins.filter",
    "random.sample",
    "random.choices",
    "itertools.product",
    "itertools.combinations",
    "heapq.nlargest",
    "heapq.nsmallest",
)
def sorted_(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    from harness.witnesses.static.calling import any_item, call

    if not args:
        return Seq([])
    source = args[-1] if isinstance(args[0], Fn) and len(args) > 1 else args[0]
    if source is not args[0] and isinstance(args[0], Fn):
        call(m, args[0], [any_item(m, source)], {})
    by = compared_by(m, source, kwargs.get("key"))
    if (
        isinstance(source, Seq)
        and source.box.items is not None
        and len(source.box.items) <= 1
        and not is_range(source)
    ):
        return ranking.ranked(m, source.view(frozenset()), by)
    result = Seq(None, "list", source.taint if isinstance(source, Seq) else CLEAN)
    result.box.any = any_item(m, source) if not is_range(source) else range_item(source)
    return ranking.ranked(m, result, by)


def compared_by(m: Machine, source: Value, key: Value | None) -> Value | None:
    """What the items of an iterable are compared by: what `key` gives for one, else an item."""
    from harness.witnesses.static.calling import any_item, call

    if key is None or const(key) is None:
        return None if is_range(source) else any_item(m, source)
    return call(m, key, [any_item(m, source)], {})


@models("builtins.map")
def map_(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    from harness.witnesses.static.calling import any_item, call, known_items

    if len(args) < 2:
        return Seq([])
    items = known_items(args[1])
    if items is not None and len(args) == 2:
        return Seq([call(m, args[0], [item], {}) for item in items])
    result = Seq(None)
    result.box.any = call(m, args[0], [any_item(m, a) for a in args[1:]], {})
    return result


@models(
    "builtins.min",
    "builtins.max",
    "torch.minimum",
    "torch.maximum",
    "numpy.minimum",
    "numpy.maximum",
    "torch.min",
    "torch.max",
    "numpy.min",
    "numpy.max",
    "torch.fmin",
    "builtins.pow",
    "torch.amin",
    "torch.amax",
)
def extreme(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    values = list(args)
    if len(args) == 1 and isinstance(args[0], Seq) and args[0].box.items is not None:
        values = list(args[0].box.items)
    taint = CLEAN
    for value in values:
        taint = combine(m, taint, taint_of(value), "extreme")
    result = bounded(values, taint | losses.choose(m, *(taint_of(v) for v in values)))
    return holds_bytes(result, values)


def holds_bytes(result: Val, values: list[Value]) -> Val:
    """The greater of what val tokens give and a count times a constant, marked as bytes that a constant holds up."""
    from harness.witnesses.static.expressions import BYTES, SCALED

    plain = [t for t in map(taint_of, values) if not (t.losses or t.states)]
    if (
        len(plain) == len(values) > 1
        and any(BYTES in t.marks for t in plain)
        and any(t.reads("val") for t in plain)
    ):
        result.taint = result.taint.with_marks(SCALED)
    return result


def bounded(values: list[Value], taint: Taint) -> Val:
    """Bounds of a minimum or maximum: those that all its arguments share."""
    result = Val(taint=taint)
    numbers = [v for v in values if isinstance(v, Val)]
    if len(numbers) == len(values):
        lows, highs = [low_of(v) for v in numbers], [high_of(v) for v in numbers]
        if numbers and None not in lows:
            result.low = min(x for x in lows if x is not None)
        if numbers and None not in highs:
            result.high = max(x for x in highs if x is not None)
    return result


def folded_extreme(choose_: Any) -> Any:
    """`min`/`max` of Python numbers."""

    def model(m: Machine, args: Args, kwargs: Kwargs) -> Value:
        from harness.witnesses.static.calling import any_item

        known = [const(a) for a in args]
        if len(args) == 1 and isinstance(args[0], Seq | Map) and not is_range(args[0]):
            by = compared_by(m, args[0], kwargs.get("key"))
            item = any_item(m, args[0])
            least = item if "key" in kwargs or isinstance(item, Seq) else extreme(m, args, {})
            return ranking.picked(m, least, by)
        if len(args) > 1 and all(isinstance(k, int | float) for k in known):
            taint = CLEAN
            for a in args:
                taint = taint | taint_of(a)
            return Val(choose_(known), taint)
        result = extreme(m, args, kwargs)
        if isinstance(result, Val) and len(args) > 1:
            numbers = [a for a in args if isinstance(a, Val)]
            lows = [x for x in map(low_of, numbers) if x is not None]
            highs = [x for x in map(high_of, numbers) if x is not None]
            if choose_ is max and lows:
                result.low = max(lows)
            if choose_ is min and highs:
                result.high = min(highs)
        return result

    return model


models("builtins.min")(folded_extreme(min))
models("builtins.max")(folded_extreme(max))


@models("builtins.sum", "math.fsum")
def sum_(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    return unknown(*args)


@models(
    "builtins.abs",
    "builtins.round",
    "math.floor",
    "math.ceil",
    "math.sqrt",
    "math.log",
    "math.log2",
    "math.exp",
    "math.cos",
    "builtins.divmod",
)
def rounded(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    return unknown(*args)


@models("math.ceil")
def ceil(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    known = const(args[0]) if args else NO
    return Val(math.ceil(known), taint_of(args[0])) if isinstance(known, int | float) else unknown(*args)


def quantifier(stop: bool) -> Any:
    """The model of `any` (stops at True) and `all` (stops at False)."""

    def model(m: Machine, args: Args, kwargs: Kwargs) -> Value:
        value = args[0] if args else Val()
        if isinstance(value, Seq) and value.box.items is not None and value.box.any is None:
            answers = [truth(item) for item in value.box.items]
            if stop in answers:
                return Val(stop, taint_of(value))
            if None not in answers:
                return Val(not stop, taint_of(value))
        return unknown(value)

    return model


models("builtins.any")(quantifier(True))
models("builtins.all")(quantifier(False))


@models("builtins.print", ".log", "logging.info", "sys.stdout.write", ".info", "tqdm.tqdm.write", ".warning")
def print_(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    if len(args) == 1 and isinstance(args[0], Val) and not text_of(args[0]) and not args[0].taint.losses:
        return Val(taint=taint_of(args[0]))
    text = " ".join(text_of(a) for a in args)
    m.printed(unknown(*args), text, numbers=any(const(a) is NO for a in args))
    return Val(None, CLEAN)


@models("math.log", "torch.log", "numpy.log", "torch.special.log", "numpy.log2", "torch.log2", "math.log2")
def logarithm(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    known = const(args[0]) if args else NO
    if isinstance(known, int | float) and known > 0:
        return Val(math.log(known), taint_of(args[0]))
    return Val(taint=taint_of(args[0]) if args else CLEAN)


@models("builtins.open", "io.open", "gzip.open", "lzma.open", "bz2.open")
def open_(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    path = args[0] if args else Val()
    return Val(taint=taint_of(path), text=text_of(path))


@models(
    "pathlib.Path",
    "pathlib.PurePath",
    "pathlib.PosixPath",
    "os.fspath",
    "os.path.join",
    "os.path.abspath",
    "os.path.expanduser",
    "os.path.realpath",
    "os.path.dirname",
    "os.path.basename",
    "os.path.normpath",
)
def path_(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    taint = CLEAN
    for value in args:
        taint = taint | taint_of(value)
    return Val(taint=taint, text="/".join(text_of(a) for a in args if text_of(a)))


@models("glob.glob", "glob.iglob", "os.listdir", "os.scandir", ".iglob")
def glob_(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    from harness.witnesses.static import streams

    taint = CLEAN
    for value in args:
        taint = taint | taint_of(value)
    return streams.listing(m, text_of(args[0]) if args else "", taint)


@models("os.walk")
def walk(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    """Folders, each with its path, its folders and its files."""
    files = glob_(m, args, kwargs)
    step = Seq([Val(taint=taint_of(files), text=text_of(args[0]) if args else ""), Seq(None, "list"), files])
    steps = Seq(None, "list", taint_of(files))
    steps.box.any = step
    return steps


@models(
    "os.path.exists",
    "os.path.isfile",
    "os.path.isdir",
    "os.access",
    "shutil.which",
    "os.path.getsize",
    "importlib.util.find_spec",
)
def exists(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    return Val(taint=CLEAN.with_marks(("outside", text_of(args[0])[-40:] if args else "")))


@models("builtins.isinstance", "builtins.issubclass")
def isinstance_(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    if len(args) < 2:
        return Val()
    value, kind = args[0], args[1]
    kinds = kind.box.items or [] if isinstance(kind, Seq) else [kind]
    answers = [is_instance(value, k) for k in kinds]
    if True in answers:
        return Val(True)
    return (
        Val(False)
        if answers and all(a is False for a in answers)
        else Val(taint=CLEAN.with_marks(("device", "type")))
    )


def is_instance(value: Value, kind: Value) -> bool | None:
    """Whether a value is of a class; None where that is not known."""
    name = kind.path if isinstance(kind, Ext) else ""
    if isinstance(value, Obj):
        if isinstance(kind, Cls):
            return descends(value.cls, kind)
        if isinstance(value.cls, Cls) or is_module(value):
            if name.endswith(("Tensor", "builtins.dict", "builtins.list", "builtins.tuple", "builtins.str")):
                return False
            return (
                True
                if any(n.rpartition(".")[2] == name.rpartition(".")[2] for n in base_names(value.cls))
                else None
            )
        return None
    if isinstance(value, Seq) and name in (
        "builtins.list",
        "builtins.tuple",
        "builtins.dict",
        "builtins.str",
    ):
        if name == "builtins.dict" or name == "builtins.str":
            return False
        return (value.kind == "tuple") == (name == "builtins.tuple")
    if isinstance(value, Map):
        return name == "builtins.dict" if name.startswith("builtins.") else None
    if isinstance(value, Val) and value.const is not NO and name.startswith("builtins."):
        return type(value.const).__name__ == name[9:] or (
            name == "builtins.int" and isinstance(value.const, bool)
        )
    if (
        isinstance(value, Val)
        and (value.taint.tokens or value.taint.losses)
        and name in ("builtins.tuple", "builtins.list")
    ):
        return False
    return None


def descends(cls: Cls | Ext, kind: Cls, depth: int = 0) -> bool:
    """Whether a class is another or descends from it."""
    if cls is kind:
        return True
    if isinstance(cls, Ext) or depth > 8:
        return False
    return any(descends(b, kind, depth + 1) for b in cls.bases if isinstance(b, Cls | Ext))


@models("builtins.getattr")
def getattr_(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    from harness.witnesses.static.expressions import get_attribute

    name = const(args[1]) if len(args) > 1 else NO
    if not isinstance(name, str):
        return unknown(args[0]) if not isinstance(args[0], Obj) else Val()
    if len(args) > 2 and isinstance(args[0], Obj) and has(args[0], name) is False:
        return args[2]
    return get_attribute(m, args[0], name)


def has(obj: Obj, name: str) -> bool | None:
    """Whether an instance has an attribute."""
    from harness.witnesses.static.values import find_attribute

    if name in obj.attrs or (isinstance(obj.cls, Cls) and find_attribute(obj.cls, name) is not None):
        return True
    return False if isinstance(obj.cls, Cls) and not is_module_name(name) else None


def is_module_name(name: str) -> bool:
    """Whether torch gives every module such an attribute."""
    return name in (
        "weight",
        "bias",
        "training",
        "parameters",
        "state_dict",
        "module",
        "_orig_mod",
        "forward",
    )


@models("builtins.hasattr")
def hasattr_(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    name = const(args[1]) if len(args) > 1 else NO
    if isinstance(args[0], Obj) and isinstance(name, str):
        known = has(args[0], name)
        if name in ("module", "_orig_mod"):
            return Val(False)
        if known is not None:
            return Val(known)
    return Val(taint=CLEAN.with_marks(("device", "hasattr")))


@models("builtins.setattr")
def setattr_(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    from harness.witnesses.static.calling import set_attribute

    if len(args) >= 3:
        name = const(args[1])
        set_attribute(m, args[0], name if isinstance(name, str) else f"\0{m.fresh()}", args[2])
    return Val(None)


@models("builtins.next")
def next_(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    from harness.witnesses.static.calling import any_item

    return choose(any_item(m, args[0]), m.here()) if args else Val()


@models("builtins.dict", "collections.OrderedDict")
def dict_(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    if args and isinstance(args[0], Map):
        copied = Map({**args[0].items, **kwargs}, args[0].taint)
        copied.any, copied.key = args[0].any, args[0].key
        return copied
    result = Map({k: v for k, v in kwargs.items() if k[0] != "\0"})
    result.born = m.loop_numbers()
    if args:
        pair = elements(args[0])
        if isinstance(pair, Seq) and pair.box.items is not None and len(pair.box.items) == 2:
            result.key, result.any = pair.box.items
        else:
            result.any = unknown(args[0])
    return result


@models("collections.defaultdict", "collections.Counter")
def defaultdict(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    from harness.witnesses.static.calling import call

    result = Map()
    result.node, result.born = m.line, m.loop_numbers()
    if args and not isinstance(args[0], Val | Seq):
        result.any = call(m, args[0], [], {})
    else:
        result.any = Val(taint=taint_of(args[0]) if args else CLEAN)
    result.key = Val()
    return result


@models("copy.deepcopy", "copy.copy")
def deepcopy(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    value = args[0] if args else Val()
    return copied(m, value, {}) if isinstance(value, Obj | Map | Seq) else unknown(value)


def copied(m: Machine, value: Value, seen: dict[int, Obj]) -> Value:
    """A deep copy: new objects in the same state."""
    if isinstance(value, Obj):
        if value.number in seen:
            return seen[value.number]
        made = m.instance(value.cls)
        seen[value.number] = made
        made.updates = value.updates
        parent = value.parent
        while parent is not None and value.number == next(iter(seen)):
            made.updates = made.updates | parent.updates
            parent = parent.parent
        made.owners = dict(value.owners)
        for name, held in value.attrs.items():
            inner = copied(m, held, seen)
            made.attrs[name] = inner
            if isinstance(inner, Obj) and is_module(inner):
                inner.parent = made
        return made
    if isinstance(value, Seq) and len(seen) < 400:
        result = Seq(
            [copied(m, i, seen) for i in value.box.items] if value.box.items is not None else None,
            value.kind,
            value.taint,
        )
        result.box.any = copied(m, value.box.any, seen) if value.box.any is not None else None
        return result
    if isinstance(value, Map):
        made_map = Map({k: copied(m, v, seen) for k, v in value.items.items()}, value.taint)
        made_map.any = copied(m, value.any, seen) if value.any is not None else None
        made_map.key = value.key
        return made_map
    if isinstance(value, Val):
        result_value = Val(value.const, taint_of(value), text=value.text)
        if value.own is not None and value.own.number in seen:
            result_value.own = seen[value.own.number]
        return result_value
    return value


@models("functools.partial")
def partial(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    return Part(args[0], args[1:], kwargs) if args else Val()


@models(
    "functools.wraps",
    "functools.lru_cache",
    "functools.cache",
    "contextlib.contextmanager",
    "atexit.register",
)
def identity_decorator(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    return args[0] if args and isinstance(args[0], Fn) else Ext("identity")


@models("identity")
def identity(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    return args[0] if args else Val()


@models("sys.exit", "builtins.exit", "builtins.quit")
def exit_(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    return Val(taint=CLEAN.with_marks(("exit", "")))


@models("builtins.vars")
def vars_(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    if args and isinstance(args[0], Obj):
        return Map(dict(args[0].attrs))
    if args and isinstance(args[0], Cls):
        return Map(dict(args[0].attrs))
    return Map()


@models("dataclasses.field", "pydantic.Field")
def field(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    if "default" in kwargs:
        return kwargs["default"]
    made = m.instance(Ext("dataclasses.Field"))
    made.attrs.update(kwargs)
    return made


@models("builtins.type")
def type_(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    value = args[0] if args else Val()
    if isinstance(value, Obj):
        return value.cls
    if const(value) is not NO and const(value) is not None:
        return Ext(f"builtins.{type(const(value)).__name__}")
    return Val()


@models("builtins.callable")
def callable_(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    return Val(True) if args and isinstance(args[0], Fn | Cls | Part | Bound | Ext) else Val()


@models("types.SimpleNamespace", "argparse.Namespace")
def namespace(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    made = m.instance(Ext("argparse.Namespace"))
    made.attrs.update({k: v for k, v in kwargs.items() if k[0] != "\0"})
    return made


@models(
    "subprocess.run",
    "subprocess.check_output",
    "subprocess.Popen",
    "subprocess.check_call",
    "os.system",
    "subprocess.call",
)
def subprocess_(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    words = text_of(args[0]) if args else ""
    if args and isinstance(args[0], Seq) and args[0].box.items:
        words = " ".join(text_of(i) for i in args[0].box.items)
    m.natives.append((words, m.file, m.line))
    if re.search(
        r"\b(wget|curl|aria2c|git clone|git pull|huggingface-cli|hf download|rsync|scp|gsutil|aws s3)\b",
        words,
    ):
        m.emit(Note(**m.where(), what="network"))
    return Val(taint=CLEAN.with_marks(("system", words[:40])))


@models(
    "ctypes.CDLL",
    "ctypes.cdll.LoadLibrary",
    "torch.utils.cpp_extension.load",
    "torch.utils.cpp_extension.load_inline",
    "cffi.FFI",
    "numba.njit",
    "ctypes.PyDLL",
)
def native(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    name = text_of(args[0] if args else kwargs.get("name"))
    m.natives.append((name or "library", m.file, m.line))
    return Val(taint=CLEAN.with_marks(("native", m.line)))


@models("importlib.import_module", "builtins.__import__")
def import_module(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    from harness.witnesses.static.program import load_file

    name = const(args[0]) if args else NO
    if isinstance(name, str):
        local = load_file(m, name)
        return local if local is not None else Ext(name)
    return Val()


@models("importlib.util.spec_from_file_location")
def spec_from_file(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    made = m.instance(Ext("importlib.machinery.ModuleSpec"))
    made.attrs["\0path"] = args[1] if len(args) > 1 else kwargs.get("location", Val())
    return made


@models("importlib.util.module_from_spec")
def module_from_spec(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    from harness.witnesses.static.program import load_path

    spec = args[0] if args else Val()
    path = text_of(spec.attrs.get("\0path")).rpartition("/")[2] if isinstance(spec, Obj) else ""
    found = load_path(m, path, path) if path else None
    if found is not None or not path:
        return found if found is not None else Val()
    m.notes.append(f"{path} is not among the files; train_gpt.py beside the script was taken for it")
    beside = load_path(m, "train_gpt.py", "train_gpt")
    return beside if beside is not None else Val()


@models("runpy.run_path", "builtins.exec", "builtins.eval")
def execute(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    m.notes.append(f"line {m.line}: code that is built at run time was not followed")
    return Val()


@models("json.dumps", "json.dump", "pprint.pformat")
def dumps(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    result = unknown(*args[:1])
    if args and isinstance(args[0], Map):
        result.text = " ".join(str(k) for k in args[0].items)
    if len(args) > 1:
        m.printed(result, result.text or "")
    return result
