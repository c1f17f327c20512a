"""argparse: the defaults and the claimed command line, as attributes of the parsed arguments."""

from __future__ import annotations

from typing import Any

from harness.witnesses.static.machine import Machine
from harness.witnesses.static.values import CLEAN, NO, Ext, Obj, Val, Value, const


def call(m: Machine, parser: Obj, name: str, args: list[Value], kwargs: dict[str, Value]) -> Value:
    """`parser.add_argument(...)` and `parser.parse_args()`."""
    if name == "parse_args":
        return parsed(m, parser)
    flags = [const(a) for a in args if isinstance(const(a), str)]
    if flags:
        target = (
            const(kwargs.get("dest"))
            if "dest" in kwargs
            else max(flags, key=len).lstrip("-").replace("-", "_")
        )
        parser.attrs[f"\0arg:{target}"] = argument(m, flags, kwargs)
    return Val()


def argument(m: Machine, flags: list[str], kwargs: dict[str, Value]) -> Value:
    """The value of one argument: from the claimed command line, else its default."""
    action = const(kwargs.get("action"))
    mark = CLEAN.with_marks(("env", flags[-1]))
    given = next((i for i, word in enumerate(m.argv) if word.split("=")[0] in flags), None)
    if action in ("store_true", "store_false"):
        return Val((given is not None) is (action == "store_true"), mark)
    default = kwargs.get("default")
    if given is not None:
        word = m.argv[given]
        text = (
            word.split("=", 1)[1] if "=" in word else (m.argv[given + 1] if given + 1 < len(m.argv) else "")
        )
        return Val(typed(text, kwargs.get("type")), mark)
    if default is None:
        return Val(None, mark)
    known = const(default)
    if isinstance(known, str) and "type" in kwargs:
        known = typed(known, kwargs["type"])
    return Val(known, mark) if known is not NO else default


def typed(text: str, kind: Value | None) -> Any:
    """The text of an argument as its type reads it."""
    name = kind.tail if isinstance(kind, Ext) else "str"
    try:
        return {"int": int, "float": float}.get(name, str)(text)
    except ValueError:
        return NO


def parsed(m: Machine, parser: Obj) -> Obj:
    """The namespace that parse_args gives."""
    made = m.instance(Ext("argparse.Namespace"))
    for name, value in parser.attrs.items():
        if name.startswith("\0arg:"):
            made.attrs[name[5:]] = value
    return made
