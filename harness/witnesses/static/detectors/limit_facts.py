"""partial_val: the loop that scores val ends at a number of batches or windows that is written down, or when a clock has
run out, not at the end of val.

The number is resolved where it is a literal or a setting, itself or as what the call gave for a parameter; a number that is
computed (from the length of val) is none.
"""

from __future__ import annotations

import ast
import dataclasses

from harness.intake import syntax
from harness.witnesses.static.events import Loss
from harness.witnesses.static.facts import CERTAIN, DEPENDS, Fact
from harness.witnesses.static.given import given
from harness.witnesses.static.machine import Source
from harness.witnesses.static.neighbours import called, switched_off
from harness.witnesses.static.view import View

UNLIMITED = 1_000_000
"""A number like this is no limit."""

FEW, MANY = 64, 5_000
"""Eight processes with batches of 65,536 tokens are through the whole set in 119 rounds: fewer are a part of it in any
case. After many rounds with the smallest batches in use they are through as well."""

SMALL = 10_000_000
"""The validation set has 40 to 62 million tokens; what covers fewer than these is a part of it."""

Limit = tuple[int, tuple[str, ...]]
"""A number, and the settings that it is."""


@dataclasses.dataclass(frozen=True)
class End:
    """Where a loop ends early: the line, what it says, and the settings behind the number."""

    line: int
    words: str
    names: tuple[str, ...]
    doubt: str | None = None
    clock_s: float | None = None


def detect(view: View) -> list[Fact]:
    """One fact for each loop over val that ends at a known number."""
    facts: dict[tuple[int, int], Fact] = {}
    for loss in view.claimed:
        chosen = {loop for loop, _ in loss.region}
        for step in loss.loops:
            if step[0] in chosen and isinstance(step[2], ast.For | ast.While):
                file = file_of(view, loss, step[3])
                end = (
                    early_end(view, file, step[2])
                    or told_by_call(view, loss, step[3], step[2])
                    or by_clock(view, file, step[2])
                )
                if end is not None and (file, end.line) not in facts:
                    facts[file, end.line] = fact(view, loss, file, end)
    return list(facts.values())


def file_of(view: View, loss: Loss, depth: int) -> int:
    """The file whose code ran at a depth of calls, seen from a loss."""
    return loss.frames[depth][0] if depth < len(loss.frames) else loss.file


def early_end(view: View, file: int, loop: ast.For | ast.While) -> End | None:
    """Where a loop ends before val does; None where nothing says so."""
    source = view.m.sources[file]
    for statement in loop.body:
        if isinstance(statement, ast.If) and isinstance(statement.body[-1], ast.Break):
            limit = limit_of(view, source, loop, statement.test)
            # The first round alone folds `1 > 20`; only a second condition can be a switch that is off.
            off = isinstance(statement.test, ast.BoolOp) and switched_off(
                view.m, file, statement.body[0].lineno
            )
            if limit is not None and not off:
                return rounds(statement.lineno, "ends after", limit)
    if not isinstance(loop, ast.For) or not isinstance(loop.iter, ast.Call):
        return None
    called_with = loop.iter.args
    if called(loop.iter) == "enumerate" and called_with and isinstance(called_with[0], ast.Call):
        return taken(view, source, called_with[0])
    if called(loop.iter) == "range" and isinstance(loop.target, ast.Name) and len(called_with) == 1:
        return windows(view, source, loop, called_with[0])
    return taken(view, source, loop.iter)


def told_by_call(view: View, loss: Loss, depth: int, loop: ast.For | ast.While) -> End | None:
    """An end at a parameter: `if most and n >= most: break`, where the call that led to the loss gave the number."""
    for statement in loop.body:
        if not isinstance(statement, ast.If) or not isinstance(statement.body[-1], ast.Break):
            continue
        tests = statement.test.values if isinstance(statement.test, ast.BoolOp) else [statement.test]
        side = compared(loop, tests[-1])
        if not isinstance(side, ast.Name) or any(not asks_whether(test, side.id) for test in tests[:-1]):
            continue
        held = given(view.m.sources, loss, depth, side.id)
        limit = resolved(view, *held) if held is not None else None
        if limit is not None:
            return rounds(statement.lineno, "ends after", limit)
    return None


def trains(view: View, loop: ast.For | ast.While) -> bool:
    """Whether gradients of losses that are not of val change a model in a loop."""
    numbers = {loss.number for loss in view.losses if not loss.on_val}
    return any(
        update.losses & numbers and any(step[2] is loop for step in update.loops)
        for update in view.updates.values()
    )


def by_clock(view: View, file: int, loop: ast.For | ast.While) -> End | None:
    """An end when time is up: on a slower machine, or a larger set, less of val is scored. A loop that trains on other
    tokens has the clock of the training."""
    if trains(view, loop):
        return None
    ends = [s for s in loop.body if isinstance(s, ast.If) and isinstance(s.body[-1], ast.Break | ast.Return)]
    tests = [s.test for s in ends] + ([loop.test] if isinstance(loop, ast.While) else [])
    for test in tests + [raised for asked in tests for raised in raisers(loop, asked)]:
        for _, at, line, seconds, _ in view.m.clocks:
            if at == file and test.lineno <= line <= (test.end_lineno or test.lineno):
                doubt = "whether the claimed run came to the end of val before that"
                return End(test.lineno, f"ends when a clock has passed {seconds:,.10g} s", (), doubt, seconds)
    return None


def raisers(loop: ast.For | ast.While, test: ast.expr) -> list[ast.expr]:
    """The conditions under which a loop raises the flag that a test asks for: `if clock > limit: stop = True`."""
    if not isinstance(test, ast.Name):
        return []
    return [
        node.test
        for node in syntax.nodes(loop)
        if isinstance(node, ast.If)
        for one in node.body
        if isinstance(one, ast.Assign)
        and isinstance(one.value, ast.Constant)
        and one.value.value is True
        and any(isinstance(target, ast.Name) and target.id == test.id for target in one.targets)
    ]


def asks_whether(test: ast.expr, name: str) -> bool:
    """Whether a test only asks if there is a limit: `most`, `most is not None`, `most > 0`."""
    side = test.left if isinstance(test, ast.Compare) else test
    against = test.comparators if isinstance(test, ast.Compare) else []
    nothing = all(isinstance(c, ast.Constant) and c.value in (None, 0) for c in against)
    return isinstance(side, ast.Name) and side.id == name and nothing


def taken(view: View, source: Source, call: ast.Call) -> End | None:
    """`islice(batches, 20)`."""
    if called(call) != "islice" or len(call.args) != 2:
        return None
    limit = resolved(view, source, call.args[1])
    return rounds(call.lineno, "takes", limit) if limit else None


def rounds(line: int, verb: str, limit: Limit) -> End | None:
    """An end after so many rounds, whose batches are of a size that is not known."""
    if limit[0] > MANY:
        return None
    doubt = "how many tokens are scored in a round" if limit[0] > FEW else None
    return End(line, f"{verb} {limit[0]:,} rounds", limit[1], doubt)


def windows(view: View, source: Source, loop: ast.For, stop: ast.expr) -> End | None:
    """`for i in range(20): part = val[i * 1024 : ...]`: all sizes are known, and they do not reach far."""
    count = resolved(view, source, stop)
    for node in syntax.nodes(loop) if count else ():
        if not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult)):
            continue
        sides = [s for s in (node.left, node.right) if not is_name(s, loop.target)]
        size = resolved(view, source, sides[0]) if len(sides) == 1 else None
        if count and size and count[0] * size[0] < SMALL and begins_slice(loop, node):
            words = f"takes {count[0]:,} windows of {size[0]:,}"
            return End(loop.lineno, words, tuple(sorted({*count[1], *size[1]})))
    return None


def begins_slice(loop: ast.For, product: ast.BinOp) -> bool:
    """Whether a product is where a slice in the loop begins, itself or by a name."""
    names = {
        target.id
        for node in syntax.nodes(loop)
        if isinstance(node, ast.Assign) and node.value is product
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    lowers = [node.lower for node in syntax.nodes(loop) if isinstance(node, ast.Slice)]
    return any(low is product or (isinstance(low, ast.Name) and low.id in names) for low in lowers)


def is_name(node: ast.expr, target: ast.expr) -> bool:
    """Whether an expression is the loop's variable."""
    return isinstance(node, ast.Name) and isinstance(target, ast.Name) and node.id == target.id


def limit_of(view: View, source: Source, loop: ast.For | ast.While, test: ast.expr) -> Limit | None:
    """The number in `i >= 20` where i counts the rounds of a loop."""
    number = compared(loop, test)
    return resolved(view, source, number) if number is not None else None


def compared(loop: ast.For | ast.While, test: ast.expr) -> ast.expr | None:
    """What the rounds of a loop are compared with in `i >= 20`."""
    counters = counted(loop)
    for node in syntax.nodes(test):
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.GtE | ast.Gt | ast.Eq):
            side = node.left
            while isinstance(side, ast.BinOp):
                side = side.left
            if isinstance(side, ast.Name) and side.id in counters:
                return node.comparators[0]
    return None


def counted(loop: ast.For | ast.While) -> set[str]:
    """The names that count the rounds of a loop."""
    found = {
        node.target.id
        for node in loop.body
        if isinstance(node, ast.AugAssign)
        and isinstance(node.target, ast.Name)
        and isinstance(node.value, ast.Constant)
        and node.value.value == 1
    }
    if not isinstance(loop, ast.For) or not isinstance(loop.iter, ast.Call):
        return found
    numbered = called(loop.iter) == "enumerate" and isinstance(loop.target, ast.Tuple)
    first = loop.target.elts[0] if numbered and isinstance(loop.target, ast.Tuple) else None
    return found | {first.id} if isinstance(first, ast.Name) else found


def resolved(view: View, source: Source, node: ast.expr) -> Limit | None:
    """The number that an expression is, and its settings: a literal, or a name that is set once, to such a number; of
    `min(500, len(windows))` the most that it can be."""
    if isinstance(node, ast.Call) and called(node) == "min":
        return min(filter(None, (resolved(view, source, a) for a in node.args)), default=None)
    if isinstance(node, ast.Constant):
        known = node.value
        if isinstance(known, int) and not isinstance(known, bool) and 0 < known < UNLIMITED:
            return known, ()
        return None
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    values = [v for held in view.m.sources for v in held.assigned.get(name, ())] if name else []
    if len(values) != 1 or any(a.arg == name for f in source.functions for a in f.args.args):
        return None
    if isinstance(values[0], ast.Name | ast.Attribute):
        return None
    return resolved(view, source, values[0]) or setting(view, values[0])


def setting(view: View, value: ast.expr) -> Limit | None:
    """`int(os.environ.get("NAME", 20))`, with the value that the followed path gave it."""
    for node in syntax.nodes(value):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in view.m.settings:
            said = view.m.settings[node.value].strip()
            if said.isdecimal() and 0 < int(said) < UNLIMITED:
                return int(said), (node.value,)
    return None


def fact(view: View, loss: Loss, file: int, end: End) -> Fact:
    """The sentence; in doubt where the number is the default of a setting that the claim does not mention."""
    unsaid = [name for name in end.names if name not in view.claim.environment()]
    doubt = view.claim.ambiguous[0] if view.claim.ambiguous else end.doubt
    if unsaid and not view.claim.ambiguous:
        doubt = f"whether the claimed run left {' and '.join(unsaid)} at its default"
    return Fact(
        "partial_val",
        CERTAIN if doubt is None else DEPENDS,
        f"the loop that makes the claimed score {end.words} (line {end.line}), however long the validation set is",
        (view.lines.at(file, end.line), view.lines.of(loss)),
        doubt,
        unreached=True,
        clock_s=end.clock_s,
    )
