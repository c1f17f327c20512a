"""Abstract values: what the static witness knows of a variable without running the script.

A value carries a :class:`Taint` (which val tokens, losses, model states and updates it came from, and which loop
iterations chose it) and, where it can be folded, its constant. Tensors are mutable here as they are in torch, so that an
accumulator passed to a helper is seen to change.
"""

from __future__ import annotations

import ast
from typing import Any, NamedTuple

NO = object()
"""Marks a value whose constant is unknown (None is itself a constant)."""

Affine = tuple[int, tuple[tuple[int, int], ...]]
"""Integer offset plus ((symbol, coefficient), ...): where a slice of the val stream begins."""


class Token(NamedTuple):
    """Tokens read from a stream: which one, from which line, and where the slice begins in it (None: unknown).

    `read` tells slices apart; it is -1 where only a comparison with tokens is left, not the tokens themselves.
    """

    stream: str
    file: int
    line: int
    start: Affine | None
    read: int


EMPTY: frozenset[Any] = frozenset()


HEAD = (-1, 0)
"""Among `deps`: an end that is the first element of a list, such as the start of a process's first window."""

SENT = (-3, 0)
"""Among `deps`: what a generator is sent; its caller chose it, round by round."""

PLACE = -2
"""Among `deps`, in the place of a loop: a slice that begins where no loop says, numbered by that place."""

MOST_SLICES = 96
"""Slices of tokens that one value is told to come from; with more of them, where each begins is given up."""


def few(tokens: frozenset[Token]) -> frozenset[Token]:
    """The tokens, without where they begin when they are slices beyond number (a loop that slices slices)."""
    if len(tokens) <= MOST_SLICES:
        return tokens
    return frozenset(Token(t.stream, t.file, 0, None, min(t.read, 0)) for t in tokens)


class Taint:
    """Where a value came from. `deps` holds (loop, iteration) pairs; `losses` and `updates` are event numbers."""

    __slots__ = ("deps", "losses", "marks", "states", "tokens", "updates")

    def __init__(
        self,
        tokens: frozenset[Token] = EMPTY,
        losses: frozenset[int] = EMPTY,
        updates: frozenset[int] = EMPTY,
        states: frozenset[int] = EMPTY,
        marks: frozenset[tuple[str, Any]] = EMPTY,
        deps: frozenset[tuple[int, int]] = EMPTY,
    ) -> None:
        self.tokens = tokens
        self.losses = losses
        self.updates = updates
        self.states = states
        self.marks = marks
        self.deps = deps

    def __or__(self, other: Taint) -> Taint:
        if other is self or other is CLEAN:
            return self
        if self is CLEAN:
            return other
        return Taint(
            few(self.tokens | other.tokens) if other.tokens else self.tokens,
            self.losses | other.losses if other.losses else self.losses,
            self.updates | other.updates if other.updates else self.updates,
            self.states | other.states if other.states else self.states,
            self.marks | other.marks if other.marks else self.marks,
            self.deps | other.deps if other.deps else self.deps,
        )

    def with_deps(self, deps: frozenset[tuple[int, int]]) -> Taint:
        """The same taint, chosen by these loop iterations as well."""
        if deps <= self.deps:
            return self
        return Taint(self.tokens, self.losses, self.updates, self.states, self.marks, self.deps | deps)

    def with_marks(self, *marks: tuple[str, Any]) -> Taint:
        """The same taint with marks added."""
        return Taint(
            self.tokens, self.losses, self.updates, self.states, self.marks | frozenset(marks), self.deps
        )

    def with_tokens(self, tokens: frozenset[Token]) -> Taint:
        """The same taint with other tokens in place of its own."""
        return Taint(tokens, self.losses, self.updates, self.states, self.marks, self.deps)

    def latest(self) -> Taint:
        """The same taint as an index: of several iterations of a loop only the last chose it."""
        if len(self.deps) < 2 or self.tokens:
            return self
        last: dict[int, int] = {}
        for loop, iteration in self.deps:
            last[loop] = max(iteration, last.get(loop, 0))
        if len(last) == len(self.deps):
            return self
        return Taint(self.tokens, self.losses, self.updates, self.states, self.marks, frozenset(last.items()))

    def reads(self, stream: str) -> bool:
        """Whether tokens of that stream are in it."""
        return any(t.stream == stream for t in self.tokens)


CLEAN = Taint()


class Val:
    """A number, string, tensor or anything unknown. `own` is the object whose parameter this is (or None).

    `low`/`high` bound an integer that is not constant; `text` holds what is known of a string that is not constant;
    `affine` is set for integers and index arrays built from other integers. `storage` marks a tensor made to be written
    into, which keeps its identity; `born` are the loops that ran when it was made; `base` is the storage of which this
    is a view.
    """

    __slots__ = ("affine", "base", "born", "const", "high", "low", "own", "param", "storage", "taint", "text")

    def __init__(self, const: Any = NO, taint: Taint = CLEAN, *, text: str | None = None) -> None:
        self.const = const
        self.taint = taint
        self.text = text
        self.low: float | None = None
        self.high: float | None = None
        self.own: Obj | None = None
        self.param: str | None = None
        self.affine: Affine | None = None
        self.storage = False
        self.base: Val | None = None
        self.born: tuple[int, ...] = ()

    def tinted(self, taint: Taint) -> Val:
        """The same number or parameter with another taint; a storage has to stay itself."""
        other = Val(self.const, taint, text=self.text)
        other.low, other.high, other.own, other.param = self.low, self.high, self.own, self.param
        other.affine = self.affine
        return other


class Seq:
    """A list, tuple, set or iterator: its items where their number is known, else what any item may be."""

    __slots__ = ("box", "kind", "taint")

    def __init__(self, items: list[Value] | None, kind: str = "list", taint: Taint = CLEAN) -> None:
        self.box = Box(items)
        self.kind = kind
        self.taint = taint

    def view(self, deps: frozenset[tuple[int, int]]) -> Seq:
        """The same list seen through an index that those loop iterations chose."""
        other = Seq(None, self.kind, self.taint.with_deps(deps))
        other.box = self.box
        return other


class Box:
    """The shared contents of a sequence: appending through one name is seen through all."""

    __slots__ = ("any", "items")

    def __init__(self, items: list[Value] | None) -> None:
        self.items = items
        self.any: Value | None = None


class Map:
    """A dictionary: entries with constant keys, and what any other entry may be."""

    __slots__ = ("born", "box", "node", "taint")

    def __init__(self, items: dict[Any, Value] | None = None, taint: Taint = CLEAN) -> None:
        self.box = Entries(items if items is not None else {})
        self.taint = taint
        self.node = 0
        self.born: tuple[int, ...] = ()

    def view(self, taint: Taint) -> Map:
        """The same dictionary, known to come from more: writing through either is seen through both."""
        other = Map(None, taint)
        other.box, other.node, other.born = self.box, self.node, self.born
        return other

    @property
    def items(self) -> dict[Any, Value]:
        """The entries with constant keys."""
        return self.box.items

    @property
    def any(self) -> Value | None:
        """What any other entry may be."""
        return self.box.any

    @any.setter
    def any(self, value: Value | None) -> None:
        self.box.any = value

    @property
    def key(self) -> Value | None:
        """What any other key may be."""
        return self.box.key

    @key.setter
    def key(self, value: Value | None) -> None:
        self.box.key = value


class Entries:
    """The shared contents of a dictionary."""

    __slots__ = ("any", "items", "key")

    def __init__(self, items: dict[Any, Value]) -> None:
        self.items = items
        self.any: Value | None = None
        self.key: Value | None = None


class Obj:
    """An instance of a class.

    `updates` are the events that changed its parameters since they were last set; `resets` names the parameters that
    were set anew since the last update ("" stands for all of them). `evaluating` is True from `eval()` to the next
    `train()` of a module. `deps` are the loop iterations that chose this one among others; its attributes are shared with
    the instance of which it is a view.
    """

    __slots__ = (
        "attrs", "cls", "deps", "evaluating", "line", "loops", "number", "owners", "parent", "resets", "updates",
    )  # fmt: skip

    def __init__(self, cls: Cls | Ext, number: int, line: int, loops: tuple[int, ...]) -> None:
        self.cls = cls
        self.attrs: dict[str, Value] = {}
        self.number = number
        self.line = line
        self.loops = loops
        self.parent: Obj | None = None
        self.updates: frozenset[int] = EMPTY
        self.resets: set[str] = set()
        self.owners: dict[int, Obj] = {}
        self.evaluating = False
        self.deps: frozenset[tuple[int, int]] = EMPTY

    def view(self, deps: frozenset[tuple[int, int]]) -> Obj:
        """The same instance, as those loop iterations chose it."""
        other = Obj(self.cls, self.number, self.line, self.loops)
        other.attrs, other.owners, other.deps = self.attrs, self.owners, self.deps | deps
        return other


class Fn:
    """A function, method or lambda with the scope it closes over and, for a method, its first argument.

    `kind` is "plain", "property", "static", "class" or "kernel" (compiled for a GPU, not followed).
    """

    __slots__ = ("cls", "defaults", "env", "file", "kind", "name", "node", "self")

    def __init__(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, env: Any, file: int
    ) -> None:
        self.node = node
        self.env = env
        self.file = file
        self.name = getattr(node, "name", "<lambda>")
        self.defaults: dict[str, Value] = {}
        self.self: Value | None = None
        self.cls: Cls | None = None
        self.kind = "plain"

    def copy(self) -> Fn:
        """The same function, to be bound or given other defaults."""
        other = Fn(self.node, self.env, self.file)
        other.defaults, other.self, other.cls, other.kind = self.defaults, self.self, self.cls, self.kind
        return other


class Cls:
    """A class of the script: its attributes and its bases."""

    __slots__ = ("attrs", "bases", "dataclass", "fields", "file", "name", "node")

    def __init__(self, node: ast.ClassDef, bases: list[Value], attrs: dict[str, Value], file: int) -> None:
        self.node = node
        self.name = node.name
        self.bases = bases
        self.attrs = attrs
        self.file = file
        self.dataclass = False
        self.fields: list[str] = []


class Ext:
    """Something of a library, by its dotted path, e.g. "torch.nn.functional.cross_entropy"."""

    __slots__ = ("path", "tail")

    def __init__(self, path: str) -> None:
        self.path = path
        self.tail = path.rpartition(".")[2]


class Bound:
    """A library method of a value: `x.view`, `optimizer.step`."""

    __slots__ = ("name", "value")

    def __init__(self, value: Value, name: str) -> None:
        self.value = value
        self.name = name


class Part:
    """functools.partial: a function with arguments already given."""

    __slots__ = ("args", "function", "kwargs")

    def __init__(self, function: Value, args: list[Value], kwargs: dict[str, Value]) -> None:
        self.function = function
        self.args = args
        self.kwargs = kwargs


class Alt:
    """One of several objects or functions: the script chooses between them at run time."""

    __slots__ = ("options",)

    def __init__(self, options: tuple[Value, ...]) -> None:
        self.options = options


Value = Val | Seq | Map | Obj | Fn | Cls | Ext | Bound | Part | Alt

NONE_OPTIONS = 6
"""More alternatives than this are merged into an unknown value."""


def taint_of(value: Value | None, depth: int = 0) -> Taint:
    """Everything a value came from, through lists and dictionaries."""
    if value is None or depth > 6:
        return CLEAN
    if isinstance(value, Val):
        return value.taint if value.own is None else value.taint | state_of(value.own)
    if isinstance(value, Seq):
        taint = value.taint
        if value.box.items is not None:
            for item in value.box.items[:64]:
                taint = taint | taint_of(item, depth + 1)
        return taint | taint_of(value.box.any, depth + 1)
    if isinstance(value, Map):
        taint = value.taint
        for item in list(value.items.values())[:64]:
            taint = taint | taint_of(item, depth + 1)
        return taint | taint_of(value.any, depth + 1) | taint_of(value.key, depth + 1)
    if isinstance(value, Alt):
        taint = CLEAN
        for item in value.options:
            taint = taint | taint_of(item, depth + 1)
        return taint
    if isinstance(value, Bound):
        return taint_of(value.value, depth + 1)
    if isinstance(value, Obj) and depth < 3 and not is_module(value):
        taint = CLEAN.with_deps(value.deps)
        for item in list(value.attrs.values())[:64]:
            if not isinstance(item, Obj):
                taint = taint | taint_of(item, depth + 2)
        return taint
    return CLEAN


def state_of(owner: Obj) -> Taint:
    """The state of a module: that it is used, and which updates made it."""
    updates = owner.updates
    parent = owner.parent
    steps = 0
    while parent is not None and steps < 12:
        if parent.updates:
            updates = updates | parent.updates
        parent = parent.parent
        steps += 1
    return Taint(updates=updates, states=frozenset((owner.number,)))


def base_names(cls: Cls | Ext, depth: int = 0) -> list[str]:
    """The dotted names of the library classes that a class descends from."""
    if isinstance(cls, Ext):
        return [cls.path]
    names: list[str] = []
    if depth < 8:
        for base in cls.bases:
            if isinstance(base, Cls | Ext):
                names += base_names(base, depth + 1)
    return names


def is_module(obj: Obj) -> bool:
    """Whether it is a torch module (has parameters)."""
    return any(n.endswith("Module") or ".nn." in n for n in base_names(obj.cls))


def is_optimizer(obj: Obj) -> bool:
    """Whether it is an optimizer: of a library, or a class derived from one."""
    return any(".optim" in n or n.endswith("Optimizer") for n in base_names(obj.cls))


def find_attribute(cls: Cls, name: str, depth: int = 0) -> Value | None:
    """An attribute of a class or of the classes it descends from."""
    found = cls.attrs.get(name)
    if found is not None or depth > 8:
        return found
    for base in cls.bases:
        if isinstance(base, Cls):
            found = find_attribute(base, name, depth + 1)
            if found is not None:
                return found
    return None


def const(value: Value | None) -> Any:
    """The constant of a value, or NO."""
    return value.const if isinstance(value, Val) else NO


def text_of(value: Value | None) -> str:
    """What is known of a string (also of the strings in a list of paths)."""
    if isinstance(value, Val):
        if isinstance(value.const, str):
            return value.const
        return value.text or ""
    if isinstance(value, Seq):
        items = value.box.items or []
        return text_of(items[0] if items else value.box.any)
    return ""


def truth(value: Value) -> bool | None:
    """Whether a condition holds; None when that is not known."""
    if isinstance(value, Val):
        if value.const is not NO:
            try:
                return bool(value.const)
            except Exception:
                return None
        if value.low is not None and value.low > 0:
            return True
        if value.high is not None and value.high < 0:
            return True
        return None
    if isinstance(value, Seq):
        return bool(value.box.items) if value.box.items is not None and value.box.any is None else None
    if isinstance(value, Map):
        return True if value.items and value.any is None else None
    if isinstance(value, Alt):
        answers = {truth(option) for option in value.options}
        return answers.pop() if len(answers) == 1 else None
    return True


def join(a: Value, b: Value, depth: int = 0) -> Value:
    """What a variable may hold where two paths meet."""
    if a is b:
        return a
    if isinstance(a, Val) and isinstance(b, Val):
        return join_scalars(a, b)
    if isinstance(a, Seq) and isinstance(b, Seq) and depth < 4:
        return join_sequences(a, b, depth)
    if isinstance(a, Obj) and isinstance(b, Obj) and a.attrs is b.attrs:
        return a if b.deps <= a.deps else a.view(b.deps)
    options: list[Value] = []
    for value in (a, b):
        for option in value.options if isinstance(value, Alt) else (value,):
            if option not in options:
                options.append(option)
    if len(options) > NONE_OPTIONS:
        return Val(taint=taint_of(a) | taint_of(b))
    return Alt(tuple(options))


def same_constant(a: Any, b: Any) -> bool:
    """Equality of folded constants that tells True from 1 and never raises."""
    return type(a) is type(b) and bool(a == b)


def join_scalars(a: Val, b: Val) -> Val:
    """The join of two plain values."""
    if a.const is not NO and b.const is not NO and same_constant(a.const, b.const):
        if b.taint is a.taint:
            return a
        merged = Val(a.const, a.taint | b.taint)
        merged.affine = a.affine
        return merged
    merged = Val(taint=taint_of(a) | taint_of(b), text=text_of(a) or text_of(b) or None)
    lows = [low_of(a), low_of(b)]
    highs = [high_of(a), high_of(b)]
    if None not in lows:
        merged.low = min(x for x in lows if x is not None)
    if None not in highs:
        merged.high = max(x for x in highs if x is not None)
    if a.own is not None and a.own is b.own:
        merged.own = a.own
    return merged


def low_of(value: Val) -> float | None:
    """The least a number can be, where known."""
    if isinstance(value.const, int | float) and not isinstance(value.const, bool):
        return value.const
    return value.low


def high_of(value: Val) -> float | None:
    """The most a number can be, where known."""
    if isinstance(value.const, int | float) and not isinstance(value.const, bool):
        return value.const
    return value.high


def join_sequences(a: Seq, b: Seq, depth: int) -> Seq:
    """The join of two sequences, item by item where both have as many."""
    if a.box is b.box:
        return a.view(b.taint.deps)
    x, y = a.box.items, b.box.items
    if x is not None and y is not None and len(x) == len(y) and a.box.any is None and b.box.any is None:
        return Seq([join(p, q, depth + 1) for p, q in zip(x, y, strict=True)], a.kind, a.taint | b.taint)
    merged = Seq(None, a.kind, a.taint | b.taint)
    for item in [*(x or []), *(y or []), a.box.any, b.box.any]:
        if item is not None:
            merged.box.any = item if merged.box.any is None else join(merged.box.any, item, depth + 1)
    return merged
