"""Operators that a script registers with torch under a name of its own, and calls by that name.

`@torch.library.custom_op("place::name")` makes a function of the script callable as `torch.ops.place.name(...)`: what is
called there is the function, not a library.
"""

from __future__ import annotations

from harness.witnesses.static.machine import Machine
from harness.witnesses.static.values import Fn, Value, const

CALLED = "torch.ops."
REGISTERED = ("library.custom_op", "library.triton_op")
OVERLOAD = ".default"


def registers(path: str) -> bool:
    """Whether a decorator, by its path, registers an operator."""
    return path.endswith(REGISTERED)


def register(m: Machine, name: Value, function: Fn) -> None:
    """Keep a function under the name that it is registered by; a name that is not known is not kept."""
    text = const(name)
    if isinstance(text, str):
        m.operators[text.replace("::", ".")] = function


def find(m: Machine, path: str) -> Fn | None:
    """The function of the script that a path under `torch.ops` calls."""
    if not path.startswith(CALLED):
        return None
    return m.operators.get(path.removeprefix(CALLED).removesuffix(OVERLOAD))
