"""Statements: branches that fold are taken one way, others both ways; loops run once for their first iteration and,
where that can matter, once more for all later ones."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from harness.intake import syntax
from harness.witnesses.static import cursors, losses, operators, sifting
from harness.witnesses.static.events import Branch, Loss, Update
from harness.witnesses.static.machine import Env, Machine, unknown
from harness.witnesses.static.values import (
    CLEAN,
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
    join,
    taint_of,
    truth,
)

NORMAL, BREAK, CONTINUE, RETURN, RAISE = 1, 2, 4, 8, 16
"""Ways a block can end, as bits."""

BENIGN = frozenset(("time", "rank", "device", "random", "system"))
"""Unknowns that do not make a path depend on a choice of the submitter."""


def run_block(m: Machine, body: list[ast.stmt], env: Env) -> int:
    """Run statements in order; the ways the block can end."""
    ends = 0
    for statement in body:
        m.line = statement.lineno
        m.steps += 1
        status = RUN.get(type(statement), skip)(m, statement, env)
        ends |= status & ~NORMAL
        if not status & NORMAL:
            return ends
    return ends | NORMAL


def skip(m: Machine, node: ast.stmt, env: Env) -> int:
    return NORMAL


def expression(m: Machine, node: ast.Expr, env: Env) -> int:
    if isinstance(node.value, ast.Constant):
        return NORMAL
    value = evaluate(m, node.value, env)
    if isinstance(value, Val) and any(mark[0] == "exit" for mark in value.taint.marks):
        return RAISE
    return NORMAL


def assign(m: Machine, node: ast.Assign, env: Env) -> int:
    value = evaluate(m, node.value, env)
    for target in node.targets:
        m.line = node.lineno
        assign_target(m, target, value, env)
    return NORMAL


def annotated(m: Machine, node: ast.AnnAssign, env: Env) -> int:
    if node.value is not None:
        assign_target(m, node.target, evaluate(m, node.value, env), env)
    return NORMAL


def augmented(m: Machine, node: ast.AugAssign, env: Env) -> int:
    """`target op= value`: tensors change in place, so that whoever shares them sees it."""
    from harness.witnesses.static import tables, updates
    from harness.witnesses.static.expressions import apply_binary

    target = node.target
    value = evaluate(m, node.value, env)
    sifting.add(m, value)
    if isinstance(target, ast.Subscript):
        container = evaluate(m, target.value, env)
        index = evaluate(m, target.slice, env)
        if isinstance(container, Val):
            tables.array_write(m, container, index, value)
        else:
            held = apply_binary(m, type(node.op), evaluate(m, target, env), value)
            assign_target(m, target, held, env)
        return NORMAL
    current = evaluate(m, target, env)
    m.line = node.lineno
    if isinstance(current, Val) and current.own is not None:
        updates.in_place(m, current, taint_of(value), overwrite=False)
        return NORMAL
    result = apply_binary(m, type(node.op), current, value)
    if isinstance(result, Val) and m.loops and isinstance(target, ast.Name | ast.Attribute):
        carry(m, target, result, env)
    if isinstance(current, Val) and isinstance(result, Val) and current.const is NO and result.const is NO:
        current.taint, current.low, current.high = result.taint, result.low, result.high
        current.affine = None
        return NORMAL
    if isinstance(current, Seq) and isinstance(result, Seq):
        current.box.items, current.box.any = result.box.items, result.box.any
        current.taint = result.taint
        return NORMAL
    assign_target(m, target, result, env)
    return NORMAL


def carry(m: Machine, target: ast.expr, result: Val, env: Env) -> None:
    """A counter that a loop carries on is chosen by that loop's iteration."""
    before = env.assigned.get(target.id, ()) if isinstance(target, ast.Name) else ()
    inner = [step for step in m.loops if step[0] not in before]
    if inner:
        result.taint = result.taint.with_deps(frozenset(((inner[-1][0], inner[-1][1]),))).latest()
        if m.loops[-1][1] > 0:
            result.const = NO


def branch(m: Machine, node: ast.If, env: Env) -> int:
    test = evaluate(m, node.test, env)
    known = truth(test)
    decide(m, node.lineno, test, known)
    if known is not None:
        status = run_block(m, node.body if known else node.orelse, env)
        if status == RAISE:
            # The claimed run did reach its score, so what folded to an error was not what happened.
            return run_block(m, node.orelse if known else node.body, env)
        note_branch(m, node, test, known)
        return status
    note_both(m, node)
    return both_ways(m, node, test, env)


def decide(m: Machine, line: int, test: Value, known: bool | None) -> None:
    """Remember the way that settings alone give the conditions of a line in the claimed run; None where they do not."""
    taint, key = taint_of(test), (m.file, line)
    settled = not (taint.tokens or taint.losses or taint.states)
    settled = settled and all(mark[0] in ("env", "argv") for mark in taint.marks)
    way = known if settled else None
    m.decided[key] = way if m.decided.get(key, way) is way else None


def note_both(m: Machine, node: ast.If) -> None:
    """A branch taken both ways is no switch that is off."""
    m.branches[(m.file, node.lineno)] = Branch(m.file, node.lineno, "", True, (), 0, -1)


def note_branch(m: Machine, node: ast.If, test: Value, known: bool) -> None:
    """Remember a condition that folded, for the list of switches found off."""
    key = (m.file, node.lineno)
    dead = node.orelse if known else node.body
    before = m.branches.get(key)
    if before is not None and before.taken != known:
        m.branches[key] = Branch(m.file, node.lineno, "", True, (), 0, -1)
        return
    if before is None and dead and not all(isinstance(s, ast.Raise) for s in dead):
        names = tuple(sorted(str(mark[1]) for mark in taint_of(test).marks if mark[0] == "env"))
        last = dead[-1].end_lineno or dead[-1].lineno
        m.branches[key] = Branch(
            m.file, node.lineno, ast.unparse(node.test)[:120], known, names, dead[0].lineno, last
        )


def depends(test: Value) -> bool:
    """Whether a condition hangs on something outside the script: a file, an argument, a name that is not known."""
    marks = taint_of(test).marks
    return any(mark[0] in ("outside", "unbound", "argv") for mark in marks)


def both_ways(m: Machine, node: ast.If, test: Value, env: Env) -> int:
    """Run both arms of a condition that is not known and join what they leave."""
    number = m.fresh()
    outside = depends(test)
    sifting.ask(m, number, node, test, env)
    picked = CLEAN if tallies(node, env) else compared(m, node.test, test, env)
    before = dict(env.vars)
    m.guards.append((number, True, outside))
    narrow(m, node.test, env, True)
    first = run_block(m, node.body, env)
    m.guards.pop()
    after_first = env.vars
    env.vars = dict(before)
    m.guards.append((number, False, outside))
    narrow(m, node.test, env, False)
    second = run_block(m, node.orelse, env) if node.orelse else NORMAL
    m.guards.pop()
    after_second = env.vars
    if not first & NORMAL:
        env.vars = after_second
        if second & NORMAL:
            m.guards.append((number, False, outside))
    elif not second & NORMAL:
        env.vars = after_first
        m.guards.append((number, True, outside))
    else:
        env.vars = join_scopes(after_first, after_second)
        mark_choices(test, before, env.vars, after_first, after_second)
        sifting.keep(m, number, before, env.vars)
        if picked is not CLEAN:
            mark_picked(picked, before, env.vars)
    return first | second


def tallies(node: ast.If, env: Env) -> bool:
    """Whether both arms only count or print, so that neither value is kept: how often a mixture helped is no choice."""
    return all(counts(part, env) for part in (*node.body, *node.orelse))


def counts(part: ast.stmt, env: Env) -> bool:
    """Whether a statement does nothing but count up something that is no loss, or print."""
    if isinstance(part, ast.AugAssign):
        held = env.vars.get(part.target.id) if isinstance(part.target, ast.Name) else None
        step = part.value.value if isinstance(part.value, ast.Constant) else None
        return isinstance(part.op, ast.Add) and isinstance(step, int) and not (held and taint_of(held).losses)
    if isinstance(part, ast.Expr) and isinstance(part.value, ast.Call):
        return isinstance(part.value.func, ast.Name) and part.value.func.id == "print"
    return isinstance(part, ast.Pass)


def mark_picked(picked: Taint, before: dict[str, Value], joined: dict[str, Value]) -> None:
    """What a comparison of losses assigned is what it kept."""
    for name, value in joined.items():
        if value is not before.get(name) and isinstance(value, Val) and value.taint.losses:
            value.taint = value.taint | picked


def mark_choices(
    test: Value, before: dict[str, Value], joined: dict[str, Value], *arms: dict[str, Value]
) -> None:
    """A number that a condition chooses between constants came from the condition."""
    answer = [mark for mark in taint_of(test).marks if mark[0] == "answer"]
    if not answer:
        return
    for name, value in joined.items():
        options = [arm.get(name) for arm in arms]
        if (
            value is not before.get(name)
            and isinstance(value, Val)
            and all(const(o) is not NO for o in options)
        ):
            value.taint = value.taint.with_marks(*answer)


def compared(m: Machine, node: ast.expr, test: Value, env: Env) -> Taint:
    """Note a condition that compares two losses; the mark of what it keeps."""
    if len(taint_of(test).losses) >= 2 and isinstance(node, ast.Compare) and len(node.ops) == 1:
        left = evaluate(m, node.left, env)
        right = evaluate(m, node.comparators[0], env)
        return losses.choose(m, taint_of(left), taint_of(right))
    return CLEAN


def narrow(m: Machine, test: ast.expr, env: Env, holds: bool) -> None:
    """`x is not None` on the arm where it holds: x is one of its other alternatives."""
    if not (isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.left, ast.Name)):
        return
    none = isinstance(test.comparators[0], ast.Constant) and test.comparators[0].value is None
    if not none or not isinstance(test.ops[0], ast.Is | ast.IsNot):
        return
    value = env.vars.get(test.left.id)
    if isinstance(value, Alt):
        wants_none = isinstance(test.ops[0], ast.Is) is holds
        kept = tuple(o for o in value.options if (const(o) is None) is wants_none)
        if kept:
            env.vars[test.left.id] = kept[0] if len(kept) == 1 else Alt(kept)


def join_scopes(a: dict[str, Value], b: dict[str, Value]) -> dict[str, Value]:
    """The variables after two arms."""
    merged = dict(a)
    for name, value in b.items():
        other = merged.get(name)
        if other is None:
            merged[name] = value
        elif other is not value:
            merged[name] = join(other, value)
    return merged


def for_(m: Machine, node: ast.For | ast.AsyncFor, env: Env) -> int:
    source = evaluate(m, node.iter, env)
    items = known_items(source)
    if items is not None and (len(items) <= 3 or holds_objects(items)):
        return unrolled(m, node, items, env)
    if (
        isinstance(source, Seq)
        and source.box.items is not None
        and not source.box.items
        and source.box.any is None
    ):
        return run_block(m, node.orelse, env)
    loop = m.fresh()
    first, rest = iterations(m, source)
    if first is None:
        return run_block(m, node.orelse, env)
    before, held = len(m.events), left_over(m)
    earlier = dict(env.vars)
    clean = without_val(env)
    ends = iteration(m, node, loop, 0, first, env)
    if rest is not None and (needs_second(m, before) or tests_variable(node) or clean & with_val(env)):
        widen(m, earlier, env)
        tables = table_numbers(m, before)
        again = len(m.events)
        ends |= iteration(m, node, loop, 1, rest, env)
        if table_numbers(m, again) - tables or left_over(m) - held:
            # A table came into being only now, or gradients that no step met: one more iteration meets them.
            ends |= iteration(m, node, loop, 2, rest, env)
    elif rest is not None:
        widen(m, earlier, env)
    status = ends & (RETURN | RAISE)
    if node.orelse:
        status |= run_block(m, node.orelse, env)
    if ends & (NORMAL | BREAK | CONTINUE) or isinstance(source, Seq | Val):
        status |= NORMAL
    return status


def holds_objects(items: list[Value]) -> bool:
    """Whether items are objects or functions that are each worth following."""
    return any(not isinstance(item, Val) for item in items)


def unrolled(m: Machine, node: ast.For | ast.AsyncFor, items: list[Value], env: Env) -> int:
    """A loop over a few known items, one after the other."""
    ends = 0
    loop = m.fresh()
    for number, item in enumerate(items):
        status = iteration(m, node, loop, number, item, env)
        ends |= status
        if not status & (NORMAL | CONTINUE):
            break
    status = ends & (RETURN | RAISE)
    if not items or ends & (NORMAL | BREAK | CONTINUE):
        status |= NORMAL
    if node.orelse and not ends & BREAK:
        run_block(m, node.orelse, env)
    return status


def iterations(m: Machine, source: Value) -> tuple[Value | None, Value | None]:
    """What the loop variable is in the first iteration, and in all later ones (None: there is no such iteration)."""
    if isinstance(source, Seq) and source.kind == "range":
        return range_parts(source)
    if isinstance(source, Seq) and source.kind == "enumerate" and source.box.any is not None:
        pair = source.box.any
        if isinstance(pair, Seq) and pair.box.items is not None:
            index, item = pair.box.items
            start = Val(const(index))
            later = Val()
            later.low = 1 + (const(index) if isinstance(const(index), int) else 0)
            return (
                Seq([start, item], "tuple", source.taint),
                Seq([later, item], "tuple", source.taint),
            )
    if isinstance(source, Seq) and source.box.items is not None and source.box.any is None:
        rest = list(source.box.items[1:])
        return source.box.items[0], (m.merge(rest[:24]) if rest else None)
    item = any_item(m, source)
    return item, item


def range_parts(source: Seq) -> tuple[Value | None, Value | None]:
    """First and later values of `range(start, stop, step)`."""
    start, stop, step = source.box.items or [Val(), Val(), Val()]
    first = Val(const(start), taint_of(start) | source.taint)
    if isinstance(start, Val):
        first.low, first.high, first.affine = start.low, start.high, start.affine
    later = Val(taint=source.taint)
    a, b, c = const(start), const(stop), const(step)
    if isinstance(a, int) and isinstance(b, int) and isinstance(c, int) and c:
        count = len(range(a, b, c))
        if count == 0:
            return None, None
        if count == 1:
            return first, None
        if count == 2:
            return first, Val(a + c, source.taint)
        last = a + c * (count - 1)
        later.low, later.high = min(a + c, last), max(a + c, last)
        return first, later
    if isinstance(a, int) and isinstance(c, int) and c > 0:
        later.low = a + c
    return first, later


def iteration(m: Machine, node: ast.For | ast.AsyncFor, loop: int, number: int, item: Value, env: Env) -> int:
    """One abstract iteration of a for loop."""
    m.loops.append((loop, number, node, len(m.frames)))
    m.exits.append([])
    guards = len(m.guards)
    cursors.advance(m, node, loop, number, env)
    assign_target(m, node.target, choose(fresh_item(item), frozenset(((loop, number),))), env)
    status = run_block(m, node.body, env)
    rejoin(m, env, status)
    m.loops.pop()
    del m.guards[guards:]
    return status


def fresh_item(item: Value) -> Value:
    """A loop variable of its own, so that symbols differ between iterations."""
    if isinstance(item, Val) and item.const is NO and item.own is None and item.param is None:
        copied = Val(taint=item.taint, text=item.text)
        copied.low, copied.high = item.low, item.high
        return copied
    return item


def table_numbers(m: Machine, before: int) -> set[int]:
    """The tables written since an event."""
    return {n for e in m.events[before:] if isinstance(e, Update) and e.kind == "table" for n in e.owners}


def needs_second(m: Machine, before: int) -> bool:
    """Whether a later iteration could meet what an earlier one did: a table filled, or a score and an update."""
    scored = updated = False
    for event in m.events[before:]:
        if isinstance(event, Update) and event.kind == "table":
            return True
        if isinstance(event, Loss) and event.on_val:
            scored = True
        elif isinstance(event, Update):
            updated = True
        if scored and updated:
            return True
    return False


def with_val(env: Env) -> set[str]:
    """The variables whose value came from val tokens."""
    return {n for n, v in env.vars.items() if isinstance(v, Val) and v.taint.tokens and v.taint.reads("val")}


def without_val(env: Env) -> set[str]:
    """The arrays that val tokens have not reached: what first reaches them in a loop is there in its next iteration."""
    return {
        n for n, v in env.vars.items() if isinstance(v, Val) and v.const is NO and not v.taint.reads("val")
    }


def tests_variable(node: ast.For | ast.AsyncFor) -> bool:
    """Whether the body compares the loop's variable or a count of its own, so that later iterations go other ways."""
    cached = getattr(node, "_tests", None)
    if cached is None:
        names = {n.id for n in syntax.nodes(node.target) if isinstance(n, ast.Name)}
        names |= {
            n.target.id
            for n in node.body
            if isinstance(n, ast.AugAssign)
            and isinstance(n.target, ast.Name)
            and isinstance(n.value, ast.Constant)
        }
        cached = any(
            isinstance(part, ast.Compare | ast.If | ast.IfExp)
            and any(
                isinstance(n, ast.Name) and n.id in names
                for n in syntax.nodes(part if isinstance(part, ast.Compare) else part.test)
            )
            for statement in node.body
            for part in syntax.nodes(statement)
        )
        node._tests = cached  # type: ignore[union-attr]
    return bool(cached)


def widen(m: Machine, earlier: dict[str, Value], env: Env) -> None:
    """Numbers that an iteration changed are not constant for the next."""
    for name, value in list(env.vars.items()):
        old = earlier.get(name)
        if old is None or old is value or not isinstance(value, Val) or value.const is NO:
            continue
        if isinstance(value.const, int | float) and not (isinstance(old, Val) and old.const == value.const):
            widened = Val(taint=value.taint)
            if isinstance(old, Val) and isinstance(old.const, int | float) and value.const > old.const:
                widened.low = old.const
            env.vars[name] = widened


def while_(m: Machine, node: ast.While, env: Env) -> int:
    loop = m.fresh()
    earlier = dict(env.vars)
    forever = False
    ends = 0
    number, rounds, held = 0, 2, left_over(m)
    while number < rounds:
        m.loops.append((loop, number, node, len(m.frames)))
        m.exits.append([])
        guards = len(m.guards)
        if number == 1:
            widen(m, earlier, env)
        cursors.advance(m, node, loop, number, env)
        test = evaluate(m, node.test, env)  # what it fetches, this round has chosen
        if number == 0 and truth(test) is False:
            m.exits.pop()
            m.loops.pop()
            note_while(m, node, test)
            return run_block(m, node.orelse, env)
        forever = truth(test) is True and isinstance(node.test, ast.Constant)
        status = run_block(m, node.body, env)
        rejoin(m, env, status)
        m.loops.pop()
        del m.guards[guards:]
        ends |= status
        if not status & (NORMAL | CONTINUE):
            break
        number += 1
        if number == 2 and left_over(m) - held:
            rounds = 3  # gradients that came last wait for the step of another round
    result = ends & (RETURN | RAISE)
    if ends & BREAK or not forever or not result:
        result |= NORMAL
    return result


def left_over(m: Machine) -> frozenset[int]:
    """The losses of val whose gradients no optimizer has stepped with yet."""
    return frozenset(
        n
        for losses_ in m.pending.values()
        for n in losses_
        if isinstance(e := m.events[n], Loss) and e.on_val
    )


def note_while(m: Machine, node: ast.While, test: Value) -> None:
    """A loop whose condition is false from the start is a switch that is off."""
    names = tuple(sorted(str(mark[1]) for mark in taint_of(test).marks if mark[0] == "env"))
    last = node.body[-1].end_lineno or node.body[-1].lineno
    m.branches[(m.file, node.lineno)] = Branch(
        m.file, node.lineno, ast.unparse(node.test)[:120], False, names, node.body[0].lineno, last
    )


def return_(m: Machine, node: ast.Return, env: Env) -> int:
    value = evaluate(m, node.value, env) if node.value is not None else Val(None)
    if m.returns:
        m.returns[-1].append(value)
    return RETURN


def with_(m: Machine, node: ast.With | ast.AsyncWith, env: Env) -> int:
    managers: list[Value] = []
    for item in node.items:
        value = evaluate(m, item.context_expr, env)
        managers.append(value)
        entered = enter(m, value)
        if item.optional_vars is not None:
            assign_target(m, item.optional_vars, entered, env)
    status = run_block(m, node.body, env)
    for value in reversed(managers):
        special(m, value, "__exit__", [Val(None), Val(None), Val(None)])
    return status


def special(m: Machine, value: Value, name: str, args: list[Value]) -> Value | None:
    """What a special method of a class of the script gives; None where the value has none."""
    if isinstance(value, Obj) and isinstance(value.cls, Cls):
        method = find_attribute(value.cls, name)
        if isinstance(method, Fn):
            return call(m, bind(method, value), args, {})
    return None


def enter(m: Machine, value: Value) -> Value:
    """What `with value as x` binds."""
    entered = special(m, value, "__enter__", [])
    if entered is not None:
        return entered
    if isinstance(value, Seq) and value.kind == "generator":
        return value.box.any if value.box.any is not None else Val()
    return value


def try_(m: Machine, node: ast.Try, env: Env) -> int:
    if imports_only(node.body):
        status = run_block(m, node.body, env)
    else:
        status = run_block(m, node.body, env)
    if not status & (NORMAL | RETURN | BREAK | CONTINUE):
        status = 0
        for handler in node.handlers:
            status |= run_block(m, handler.body, env)
        if not node.handlers:
            status = RAISE
    elif node.orelse and status & NORMAL:
        status = (status & ~NORMAL) | run_block(m, node.orelse, env)
    final = run_block(m, node.finalbody, env)
    return (
        (status & ~RAISE) if final & NORMAL and status & ~RAISE else (final if not final & NORMAL else status)
    )


def imports_only(body: list[ast.stmt]) -> bool:
    """Whether a try block only imports."""
    return all(isinstance(s, ast.Import | ast.ImportFrom) for s in body)


def raise_(m: Machine, node: ast.Raise, env: Env) -> int:
    return RAISE


def define(m: Machine, node: ast.FunctionDef | ast.AsyncFunctionDef, env: Env) -> int:
    made = make_function(m, node, env, evaluate)
    env.assign(node.name, decorated(m, node, made, env))
    return NORMAL


def decorated(m: Machine, node: ast.FunctionDef | ast.AsyncFunctionDef, made: Fn, env: Env) -> Value:
    """Apply decorators: those of the script are called, those of libraries leave the function as it is."""
    result: Value = made
    for decorator in reversed(node.decorator_list):
        value = evaluate(m, decorator.func if isinstance(decorator, ast.Call) else decorator, env)
        path = value.path if isinstance(value, Ext) else ""
        if path in ("builtins.property", "functools.cached_property"):
            made.kind = "property"
        elif path in ("builtins.staticmethod", "builtins.classmethod"):
            made.kind = path[9:].removesuffix("method")
        elif path.startswith("triton") and path.rsplit(".", 1)[-1] in ("jit", "autotune", "heuristics"):
            made.kind = "kernel"
        elif operators.registers(path) and isinstance(decorator, ast.Call) and decorator.args:
            operators.register(m, evaluate(m, decorator.args[0], env), made)
        elif isinstance(value, Fn):
            if isinstance(decorator, ast.Call):
                value = evaluate(m, decorator, env)
            wrapped = call(m, value, [result], {})
            result = wrapped if isinstance(wrapped, Fn) else result
    return result


def define_class(m: Machine, node: ast.ClassDef, env: Env) -> int:
    bases = [evaluate(m, b, env) for b in node.bases]
    scope = Env(env, env.file)
    cls = Cls(node, bases, scope.vars, env.file)
    env.assign(node.name, cls)
    run_block(m, node.body, scope)
    for value in scope.vars.values():
        if isinstance(value, Fn):
            value.cls = cls
    cls.fields = [
        s.target.id for s in node.body if isinstance(s, ast.AnnAssign) and isinstance(s.target, ast.Name)
    ]
    names = [ast.unparse(d) for d in node.decorator_list]
    cls.dataclass = any("dataclass" in n for n in names) or any("NamedTuple" in n for n in base_names(cls))
    if not cls.dataclass:
        cls.fields = []
    for value in scope.vars.values():
        if isinstance(value, Fn):
            value.env = env
    return NORMAL


def import_(m: Machine, node: ast.Import, env: Env) -> int:
    for alias in node.names:
        local = local_module(m, alias.name)
        if local is not None:
            env.assign(alias.asname or alias.name.split(".")[0], local)
        elif alias.asname:
            env.assign(alias.asname, Ext(alias.name))
        else:
            env.assign(alias.name.split(".")[0], Ext(alias.name.split(".")[0]))
    return NORMAL


def import_from(m: Machine, node: ast.ImportFrom, env: Env) -> int:
    module = node.module or ""
    local = local_module(m, module)
    if local is None and not module:
        for alias in node.names:
            inner = local_module(m, alias.name)
            env.assign(alias.asname or alias.name, inner if inner is not None else Ext(alias.name))
        return NORMAL
    for alias in node.names:
        if local is not None and isinstance(local, Obj):
            if alias.name == "*":
                for name, value in local.attrs.items():
                    env.assign(name, value)
                continue
            env.assign(alias.asname or alias.name, local.attrs.get(alias.name, Val()))
        elif alias.name != "*":
            env.assign(alias.asname or alias.name, Ext(f"{module}.{alias.name}"))
    return NORMAL


def local_module(m: Machine, name: str) -> Obj | None:
    """A module that the submission brings with it, run as it is imported."""
    from harness.witnesses.static.program import load_file

    return load_file(m, name)


def global_(m: Machine, node: ast.Global, env: Env) -> int:
    for name in node.names:
        env.outer[name] = env.root
        if name not in env.root.vars:
            env.root.vars[name] = Val(taint=CLEAN)
    return NORMAL


def nonlocal_(m: Machine, node: ast.Nonlocal, env: Env) -> int:
    for name in node.names:
        scope = env.parent
        while scope is not None and name not in scope.vars:
            scope = scope.parent
        if scope is not None:
            env.outer[name] = scope
    return NORMAL


def break_(m: Machine, node: ast.Break, env: Env) -> int:
    leave(m, env)
    return BREAK


def continue_(m: Machine, node: ast.Continue, env: Env) -> int:
    leave(m, env)
    return CONTINUE


def leave(m: Machine, env: Env) -> None:
    """Remember the variables where an iteration is left early: they hold after it as well."""
    if m.exits:
        m.exits[-1].append(dict(env.vars))


def rejoin(m: Machine, env: Env, status: int) -> None:
    """Join the variables of early exits with those at the end of the iteration."""
    exits = m.exits.pop()
    if exits and not status & NORMAL:
        env.vars = exits.pop()
    for variables in exits:
        env.vars = join_scopes(env.vars, variables)


def delete(m: Machine, node: ast.Delete, env: Env) -> int:
    """`del name` of the only name that an object has runs its `__del__`."""
    for target in node.targets:
        if isinstance(target, ast.Name):
            held = env.lookup(target.id)
            if held is not None:
                special(m, held, "__del__", [])
    return NORMAL


def assert_(m: Machine, node: ast.Assert, env: Env) -> int:
    evaluate(m, node.test, env)
    return NORMAL


def match(m: Machine, node: ast.Match, env: Env) -> int:
    """A match statement: the case that a value is known to fit, else all that it may fit."""
    subject = evaluate(m, node.subject, env)
    ends = 0
    for case in node.cases:
        fitting = patterns.fits(m, case.pattern, subject, env)
        if fitting and case.guard is not None:
            fitting = truth(evaluate(m, case.guard, env))
        if fitting is False:
            continue
        status = run_block(m, case.body, env)
        if fitting:
            return status if not ends else ends | status
        ends |= status
    return ends | NORMAL


from harness.witnesses.static import patterns  # noqa: E402
from harness.witnesses.static.calling import (  # noqa: E402
    any_item,
    bind,
    call,
    known_items,
    make_function,
)
from harness.witnesses.static.expressions import assign_target, evaluate  # noqa: E402
from harness.witnesses.static.machine import choose  # noqa: E402

RUN: dict[type[ast.stmt], Callable[[Machine, Any, Env], int]] = {
    ast.Expr: expression,
    ast.Assign: assign,
    ast.AnnAssign: annotated,
    ast.AugAssign: augmented,
    ast.If: branch,
    ast.For: for_,
    ast.AsyncFor: for_,
    ast.While: while_,
    ast.Return: return_,
    ast.With: with_,
    ast.AsyncWith: with_,
    ast.Try: try_,
    ast.Raise: raise_,
    ast.FunctionDef: define,
    ast.AsyncFunctionDef: define,
    ast.ClassDef: define_class,
    ast.Import: import_,
    ast.ImportFrom: import_from,
    ast.Global: global_,
    ast.Nonlocal: nonlocal_,
    ast.Break: break_,
    ast.Continue: continue_,
    ast.Delete: delete,
    ast.Assert: assert_,
    ast.Match: match,
}

__all__ = ["Bound", "Map", "run_block", "unknown"]
