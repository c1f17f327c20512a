"""Updates: every way a state changes: optimizer steps, in-place writes to parameters, loading a state, EMA."""

from __future__ import annotations

from harness.witnesses.static import parts, sifting
from harness.witnesses.static.events import Loss, Update
from harness.witnesses.static.machine import Machine
from harness.witnesses.static.mixing import roots
from harness.witnesses.static.values import CLEAN, EMPTY, NO, Obj, Taint, Val


def backward(m: Machine, taint: Taint) -> None:
    """`loss.backward()`: gradients wait in every object the loss went through, and in tensors that stand alone."""
    m.reached_leaves = taint.losses
    for number in closure(m, taint.losses):
        event = m.events[number]
        if isinstance(event, Loss):
            for state in event.states:
                m.pending[state] = m.pending.get(state, EMPTY) | frozenset((number,))
            taken = parts.heads(taint.marks | event.marks)
            m.heads[number] = m.heads.get(number, EMPTY) | taken
            if not taken:
                m.whole.add(number)


def gradient(m: Machine, losses: frozenset[int]) -> frozenset[int]:
    """`torch.autograd.grad` of val losses: whatever is made from it knows their tokens, new tensors too. The updates."""
    events = [e for n in closure(m, losses) if isinstance(e := m.events[n], Loss) and e.on_val]
    if not events:
        return EMPTY
    number = m.emit(
        Update(
            **m.where(),
            kind="in_place",
            losses=losses,
            tokens=frozenset(t for e in events for t in e.targets),
            region=frozenset[tuple[int, int]]().union(*(e.region for e in events)),
        )
    )
    return frozenset((number,)).union(*(e.updates for e in events))


def closure(m: Machine, numbers: frozenset[int]) -> frozenset[int]:
    """The losses and those they were made from."""
    return frozenset(roots(m, numbers))


def family(m: Machine, owner: Obj) -> set[int]:
    """An object, the modules inside it and those around it, by number."""
    numbers: set[int] = set()
    todo: list[Obj] = [owner]
    while todo and len(numbers) < 400:
        obj = todo.pop()
        if obj.number in numbers:
            continue
        numbers.add(obj.number)
        for value in obj.attrs.values():
            todo.extend(inner_objects(value))
    parent = owner.parent
    while parent is not None and parent.number not in numbers:
        numbers.add(parent.number)
        parent = parent.parent
    return numbers


def inner_objects(value: object, depth: int = 0) -> list[Obj]:
    """The objects held in an attribute, through lists and dictionaries."""
    from harness.witnesses.static.values import Alt, Map, Seq

    if isinstance(value, Obj):
        return [value]
    if depth > 3:
        return []
    items: list[object] = []
    if isinstance(value, Seq):
        items = [*(value.box.items or []), value.box.any]
    elif isinstance(value, Map):
        items = [*value.items.values(), value.any]
    elif isinstance(value, Alt):
        items = [*value.options]
    return [obj for item in items for obj in inner_objects(item, depth + 1)]


def step(m: Machine, owners: list[Obj]) -> None:
    """`optimizer.step()`: the owners' parameters change as their waiting gradients say."""
    for owner in owners:
        numbers = family(m, owner)
        losses = frozenset[int]().union(*(m.pending.get(n, EMPTY) for n in numbers))
        if losses:
            change(m, owner, "step", losses, Taint(losses=losses))


def zero_grad(m: Machine, owners: list[Obj]) -> None:
    """`zero_grad()`: waiting gradients are dropped."""
    for owner in owners:
        for number in family(m, owner):
            m.pending.pop(number, None)


def change(m: Machine, owner: Obj, kind: str, losses: frozenset[int], brought: Taint) -> None:
    """Note an update of an object, when val tokens take part in it."""
    owner.updates = owner.updates | gained(m, owner, kind, losses, brought)


def gained(m: Machine, owner: Obj, kind: str, losses: frozenset[int], brought: Taint) -> frozenset[int]:
    """The updates that what is changed has from now on; notes a new one when tokens take part in it."""
    events = [e for n in losses if isinstance(e := m.events[n], Loss)]
    tokens = frozenset(t for e in events for t in e.targets) | brought.tokens
    streams = {t.stream for t in tokens}
    inherited = brought.updates.union(*(e.updates for e in events)) if kind != "step" else EMPTY
    if not streams:
        return inherited
    region = frozenset[tuple[int, int]]().union(
        *(e.region for e in events if e.on_val or "val" not in streams)
    )
    if brought.tokens:
        region = region | brought.deps
    number = m.emit(
        Update(
            **m.where(),
            kind=kind,
            owners=frozenset((owner.number,)),
            losses=losses,
            tokens=tokens,
            region=region,
        )
    )
    for name in family(m, owner):
        m.objects[name].resets.clear()
    return inherited | frozenset((number,)) if "val" in streams or "?" in streams else inherited


def in_place(m: Machine, value: Val, brought: Taint, *, overwrite: bool) -> None:
    """A parameter or a buffer is written in place: a reset where nothing of val comes in, else an update.

    What is in a buffer reaches those who read the buffer; what is in a parameter is taken for the state of its module.
    """
    owner = value.own
    if owner is None:
        value.const = NO
        value.low = value.high = None
        value.taint = brought if overwrite else value.taint | brought
        return
    sifting.set_state(m, brought)
    from_val = frozenset(n for n in brought.losses if isinstance(e := m.events[n], Loss) and e.targets)
    reads = frozenset(t for t in brought.tokens if t.stream in ("val", "train"))
    came = Taint(reads, from_val, brought.updates, EMPTY, EMPTY, brought.deps)
    if value.param == "buffer":
        now = Taint(updates=gained(m, owner, "in_place", from_val, came))
        value.taint = now if overwrite else value.taint | now
        return
    if overwrite:
        reset(owner, value)
    if from_val or reads:
        change(m, owner, "in_place", from_val, came)
    elif brought.updates:
        owner.updates = owner.updates | brought.updates


def buffers(obj: Obj) -> list[Val]:
    """The buffers of a module itself."""
    return [v for v in obj.attrs.values() if isinstance(v, Val) and v.param == "buffer"]


def reset(owner: Obj, value: Val) -> None:
    """A parameter is set anew: once all of an object are, its earlier updates are gone."""
    owner.resets.add(next((name for name, held in owner.attrs.items() if held is value), ""))
    obj: Obj | None = owner
    while obj is not None and complete(obj):
        obj.updates = EMPTY
        obj = obj.parent


def complete(obj: Obj, depth: int = 0) -> bool:
    """Whether every parameter of an object and of the modules in it was set anew."""
    if "" in obj.resets:
        return True
    if depth > 6:
        return False
    anything = False
    for name, held in obj.attrs.items():
        if isinstance(held, Val) and held.own is obj and held.param == "parameter":
            anything = True
            if name not in obj.resets:
                return False
        for inner in inner_objects(held):
            if inner.parent is obj:
                anything = True
                if not complete(inner, depth + 1):
                    return False
    return anything


def load_state(m: Machine, owner: Obj, brought: Taint) -> None:
    """`load_state_dict`: the state is what the given one is."""
    sifting.set_state(m, brought)
    forget_inside(owner)
    owner.updates = brought.updates
    tokens = frozenset(t for t in brought.tokens if t.stream in ("val", "?"))
    losses = frozenset(n for n in brought.losses if isinstance(e := m.events[n], Loss) and e.on_val)
    if tokens or losses:
        change(m, owner, "load", losses, Taint(tokens, losses, brought.updates, EMPTY, EMPTY, brought.deps))


def forget_inside(owner: Obj) -> None:
    """Drop the updates of an object and of the modules in it."""
    seen: set[int] = set()
    todo = [owner]
    while todo and len(seen) < 400:
        obj = todo.pop()
        if obj.number in seen:
            continue
        seen.add(obj.number)
        obj.updates = EMPTY
        for held in buffers(obj):
            held.taint = CLEAN
        for value in obj.attrs.values():
            todo.extend(inner_objects(value))
