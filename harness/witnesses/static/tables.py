"""Tables: arrays and dictionaries read or written at keys made of tokens.

An array that val tokens fill is state like any other: writing it is an update, and reading it brings that update into
the score. What is in the key decides whether the table knows the answer.
"""

from __future__ import annotations

from harness.witnesses.static import sifting
from harness.witnesses.static.events import Lookup, Update
from harness.witnesses.static.machine import Machine, choose, unknown
from harness.witnesses.static.values import (
    EMPTY,
    NO,
    Map,
    Obj,
    Seq,
    Taint,
    Val,
    Value,
    const,
    join,
    taint_of,
)

LIKE_PREDICTIONS = ("shape", "prediction")
"""The mark of a blank array that has the shape of what a model said."""


def array_read(m: Machine, value: Value, index: Value) -> Value:
    """`table[key]` where the key is made of tokens."""
    chosen = taint_of(index)
    taint = taint_of(value)
    predicted = taint.losses or (taint.states and taint.tokens and not is_table(taint))
    # An order that a model's output gives (GPTQ sorts columns so) is no answer.
    if predicted and not chosen.states:
        return select_target(m, value, index)
    marks = frozenset[tuple[str, object]]()
    if is_table(taint) and is_key(chosen):
        number = lookup(m, taint, chosen)
        marks = frozenset((("lookup", number),))
    tokens = taint.tokens | chosen.tokens
    return Val(
        taint=Taint(
            tokens,
            taint.losses,
            taint.updates | chosen.updates,
            taint.states,
            (taint.marks | chosen.marks | marks) - table_marks(taint),
            taint.deps | chosen.deps,
        )
    )


def table_marks(taint: Taint) -> frozenset[tuple[str, object]]:
    """The marks that say a value is a table."""
    return frozenset(mark for mark in taint.marks if mark[0] == "table")


def is_table(taint: Taint) -> bool:
    """Whether the value is an array or dictionary that tokens fill."""
    return any(mark[0] == "table" for mark in taint.marks)


def predicted(name: str, result: Value) -> Value:
    """What a model says of the whole alphabet (softmax) is no table, though counts of tokens entered its scores."""
    if name.rpartition(".")[2] not in ("softmax", "log_softmax") or not isinstance(result, Val):
        return result
    taint = result.taint
    if not (taint.states and taint.tokens and is_table(taint)):
        return result
    marks = taint.marks - table_marks(taint)
    return Val(taint=Taint(taint.tokens, taint.losses, taint.updates, taint.states, marks, taint.deps))


def row_read(m: Machine, row: Val, index: Value) -> Value:
    """The entry of tokens in rows that were looked up in a table: `counts[context, token]` asks for two things in turn."""
    chosen = taint_of(index)
    if not is_key(chosen):
        return array_read(m, row, index)
    number = lookup(m, row.taint, chosen)
    return Val(taint=(row.taint | chosen).with_marks(("lookup", number)))


def lookup(m: Machine, table: Taint, key: Taint) -> int:
    """Note a read of a table; its event number."""
    number = next((mark[1] for mark in table.marks if mark[0] == "table"), 0)
    current = any((step[0], step[1]) in key.deps for step in m.loops)
    inner = any(mark[0] == "lookup" for mark in table.marks)
    found = is_table(key)  # a mask that was looked up leaves the key what it is
    return m.emit(
        Lookup(**m.where(), table=number, key=key.tokens, current=current, inner=inner, found=found)
    )


def select_target(m: Machine, value: Value, index: Value) -> Value:
    """`log_probs[arange, targets]`: the probability of the targets is taken, which is a loss."""
    from harness.witnesses.static import losses

    return losses.note(m, "gather", value, index)


def array_write(m: Machine, container: Val, index: Value, value: Value, *, overwrite: bool = False) -> None:
    """`array[index] = value` or `+=`: with tokens in the index, an update of a table."""
    chosen = taint_of(index)
    brought = taint_of(value)
    if container.own is not None:
        from harness.witnesses.static import updates

        updates.in_place(m, container, brought | chosen, overwrite=overwrite)
        return
    container.taint = sifting.written(m, container.taint)
    masked = not brought.tokens and is_row(container)
    passing = beside_scores(container) or copies_entry(container, chosen, brought)
    if is_key(chosen) and not masked and lasting(m, container.born) and not passing:
        write_table(m, container, chosen, brought)
        return
    container.const = NO
    if not (is_flag(container) and is_flag(value)):
        container.low = container.high = None
    kept = settled(m, brought).with_deps(chosen.deps)
    known = [mark for mark in chosen.marks if mark[0] == "known"]
    if known and container.taint.losses:
        kept = kept.with_marks(*known)
    container.taint = kept if overwrite else container.taint | kept


def is_flag(value: Value) -> bool:
    """Whether a value is True or False, or an array of such."""
    known = isinstance(value, Val) and isinstance(value.const, bool)
    return known or (isinstance(value, Val) and value.const is NO and (value.low, value.high) == (0, 1))


def settled(m: Machine, taint: Taint) -> Taint:
    """The taint of one entry among many that a loop fills: updates from earlier iterations concern other tokens.

    Kept together, entries of all iterations would seem to know the updates of all iterations.
    """
    if not taint.updates or not m.loops:
        return taint
    now = {step[0]: step[1] for step in m.loops}
    kept = frozenset(n for n in taint.updates if not is_past(m, n, now))
    if len(kept) == len(taint.updates):
        return taint
    return Taint(taint.tokens, taint.losses, kept, taint.states, taint.marks, taint.deps)


def is_past(m: Machine, number: int, now: dict[int, int]) -> bool:
    """Whether an update used tokens of an earlier iteration of a running loop only."""
    update = m.events[number]
    if not isinstance(update, Update):
        return False
    used: dict[int, set[int]] = {}
    for loop, iteration in update.region:
        if loop in now:
            used.setdefault(loop, set()).add(iteration)
    return any(now[loop] not in iterations for loop, iterations in used.items())


def is_key(taint: Taint) -> bool:
    """Whether an index is made of val token ids (not of comparisons with them, and of no model output)."""
    if taint.losses or taint.states:
        return False
    return any(t.stream == "val" and t.read >= 0 for t in taint.tokens)


def is_row(value: Val) -> bool:
    """Whether an array was computed from val tokens, one number for each, as their bytes are; a table begins empty. What is
    set to a constant in it (`size[edge] = 0`) is chosen by a mask."""
    taint = value.taint
    return is_key(taint) and not value.storage and not is_table(taint)


def lasting(m: Machine, born: tuple[int, ...]) -> bool:
    """Whether a container outlives the iteration that fills it: else it is a temporary, not a table."""
    return not born or born != m.loop_numbers()


def beside_scores(container: Val) -> bool:
    """Whether an array shaped like a model's output was made in a round of a loop: it adds to the scores of the round's own
    rows (`bias = zeros_like(logits)`), whatever inner loops fill it."""
    return bool(container.born) and LIKE_PREDICTIONS in container.taint.marks


def copies_entry(container: Val, key: Taint, brought: Taint) -> bool:
    """Whether an array made in a round of a loop is filled from a table that was looked up: the row of a context, laid out
    over the alphabet. What is in it, the table had."""
    looked_up = any(mark[0] == "lookup" for mark in key.marks | brought.marks)
    return bool(container.born) and container.storage and looked_up


def write_table(m: Machine, container: Val, key: Taint, brought: Taint) -> None:
    """Note that val tokens went into a table."""
    container.const = NO
    taint = container.taint
    number = next((mark[1] for mark in taint.marks if mark[0] == "table"), None)
    if number is None:
        number = m.fresh()
    update = m.emit(
        Update(
            **m.where(),
            kind="table",
            owners=frozenset((number,)),
            tokens=key.tokens | brought.tokens,
            region=key.deps | brought.deps,
        )
    )
    container.taint = Taint(
        taint.tokens,
        taint.losses,
        taint.updates | brought.updates | frozenset((update,)),
        taint.states | brought.states,
        taint.marks | frozenset((("table", number),)),
        taint.deps,
    )


def dictionary_read(m: Machine, value: Map, index: Value) -> Value:
    """`dict[key]`."""
    known = const(index)
    chosen = taint_of(index)
    if known is not NO and not chosen.tokens:
        try:
            if known in value.items:
                return choose(value.items[known], value.taint.deps)
        except TypeError:
            pass
    if known is NO:
        unify(value)
    held = value.any if value.any is not None else made_in_a_loop(value)
    for item in list(value.items.values())[:24] if known is NO else ():
        held = item if held is None else join(held, item)
    if held is None:
        held = Val(taint=value.taint)
    held = choose(held, chosen.deps | value.taint.deps)
    if is_table(value.taint) or chosen.tokens:
        return mark_lookup(m, value, held, chosen)
    return held


def made_in_a_loop(value: Map) -> Value | None:
    """The array that a loop over keys left in a dictionary: its first iteration stands for all."""
    last = next(reversed(value.items.values()), None)
    return last if isinstance(last, Val) and last.storage else None


def unify(value: Map) -> None:
    """Arrays in a dictionary seen through an unknown key are one array: what is written to any is read from all."""
    entries = [*value.items.values(), *([value.any] if value.any is not None else [])]
    if len(entries) < 2 or not all(isinstance(e, Val) and e.storage for e in entries):
        return
    first = entries[0]
    assert isinstance(first, Val)
    for entry in entries[1:]:
        if entry is not first:
            first.taint = first.taint | taint_of(entry)
    first.const = NO
    for key in value.items:
        value.items[key] = first
    if value.any is not None:
        value.any = first


def mark_lookup(m: Machine, table: Map, held: Value, key: Taint) -> Value:
    """An entry of a dictionary that tokens index."""
    taint = table.taint
    if not is_table(taint):
        return held
    number = lookup(m, taint, key)
    extra = Taint(key.tokens, EMPTY, taint.updates, EMPTY, frozenset((("lookup", number),)), key.deps)
    if isinstance(held, Val):
        result = Val(held.const, held.taint | extra)
        result.low, result.high = held.low, held.high
        return result
    if isinstance(held, Map):
        return held.view(held.taint | taint_with_table(extra, taint))
    if isinstance(held, Seq):
        view = held.view(EMPTY)
        view.taint = held.taint | taint_with_table(extra, taint)
        return view
    return held


def taint_with_table(extra: Taint, table: Taint) -> Taint:
    """The taint of a row of a table: still a table."""
    return Taint(extra.tokens, EMPTY, extra.updates, EMPTY, extra.marks | table_marks(table), extra.deps)


def dictionary_write(m: Machine, container: Map, key: Value, value: Value) -> None:
    """`dict[key] = value`."""
    from harness.witnesses.static import indexing

    chosen = taint_of(key)
    indexing.put_item(m, container, key, value)
    container.taint = sifting.written(m, container.taint)
    if is_key(chosen) and lasting(m, container.born):
        number = next((mark[1] for mark in container.taint.marks if mark[0] == "table"), None) or m.fresh()
        update = m.emit(
            Update(
                **m.where(),
                kind="table",
                owners=frozenset((number,)),
                tokens=chosen.tokens | taint_of(value).tokens,
                region=chosen.deps | taint_of(value).deps,
            )
        )
        container.taint = container.taint | Taint(
            updates=frozenset((update,)), marks=frozenset((("table", number),))
        )


def table_object(obj: Obj) -> Value:
    """What is known of an object used as a table."""
    return unknown(obj)
