"""Picks by a loss on val: `sorted(tried)[0]`, `min(tried, key=evaluate)`, `losses.sort()[:k]`, `grid[argmin(losses)]`.

What is kept of several by the loss that it had on val tokens was chosen by them, whether it is a setting, weights or the
number that is printed.
"""

from __future__ import annotations

from harness.witnesses.static import sifting
from harness.witnesses.static.machine import Machine, Sieve
from harness.witnesses.static.sifting import tint
from harness.witnesses.static.values import CLEAN, Alt, Map, Seq, Taint, Value, taint_of

RANKED = "ranked"
"""The mark of a list in the order of losses on val; its number is that of a sieve. What is taken out of it is `chosen`."""


def losses_in(m: Machine, value: Value | None, depth: int = 3) -> frozenset[int]:
    """The losses of val tokens by which a value is ordered: its own, or those of the items of a tuple."""
    if value is None:
        return frozenset()
    taint = taint_of(value)
    counts = taint.reads("val") and len(m.loops) > 1  # token by token: how often a table met something
    found = frozenset[int]() if counts else sifting.of_val(m, taint)
    if isinstance(value, Seq) and depth:
        inside = [*(value.box.items or [])[:8], *([value.box.any] if value.box.any is not None else [])]
        return found.union(*(losses_in(m, item, depth - 1) for item in inside))
    if isinstance(value, Alt) and depth:
        return found.union(*(losses_in(m, option, depth - 1) for option in value.options))
    return found


def marks(m: Machine, losses: frozenset[int], kind: str) -> tuple[tuple[str, object], ...]:
    """The mark of a choice by these losses at the present line; none where there are no losses."""
    if not losses:
        return ()
    number = m.fresh()
    m.sieves[number] = Sieve(m.file, m.line, losses, ranks=True)
    return ((kind, number),)


SHARE = "share"
"""The mark of a part that was cut out of a ranked list."""


def ranked(m: Machine, result: Value, by: Value | None) -> Value:
    """A list that was put in the order of `by`, what its items are compared by."""
    if isinstance(result, Seq):
        result.taint = result.taint.with_marks(*marks(m, losses_in(m, by), RANKED))
    return result


def picked(m: Machine, result: Value, by: Value | None) -> Value:
    """The least or greatest of several, compared by `by`."""
    return tint(result, *marks(m, losses_in(m, by), "chosen"))


def taken(source: Taint, result: Value, kind: str = "chosen") -> Value:
    """An item or a part of a list: chosen where the list is ranked."""
    return tint(result, *((kind, number) for mark, number in source.marks if mark == RANKED))


def indexed(source: Value, result: Value, index: Value | None) -> Value:
    """The entry `source[index]`: chosen where the source is ranked, or where a choice by losses says which entry."""
    held = taint_of(source) if isinstance(source, Seq | Map) else CLEAN
    result = tint(taken(held, result), *sifting.chosen(held))
    return tint(result, *sifting.chosen(taint_of(index))) if index is not None else result


def place(m: Machine, name: str, of: Value, result: Value) -> Value:
    """What a library call (or a method, its value first) gives: `argmin` of losses is the place of one of them."""
    return picked(m, result, of) if name.rpartition(".")[2] in ("argmin", "argmax", "nanargmin") else result
