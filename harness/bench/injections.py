"""Puts a violation into a script that has none, and asks whether the trace sees it: PASS must become FAIL.

All are mechanical, at places that the trace of the legal run names: the statement that runs the claimed evaluation, and the
loop in it that scores and learns (see :mod:`harness.bench.loops`). "train first" takes gradient steps on val tokens before
the evaluation; "second pass" evaluates twice, with such steps between where the evaluation itself learns nothing.
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.audit import Options, audit
from harness.bench import loops
from harness.case import Audit, Script, Submission
from harness.witnesses.trace import Trace
from harness.witnesses.trace.record import Frame

_TRAINED, _RESCORED = ("C3", "train_on_val_before_score"), ("C4", "multi_pass_rescore")
KINDS = {
    "train first": _TRAINED,
    "second pass": _RESCORED,
    "swapped": _TRAINED,
    "one ahead": _TRAINED,
    "loop twice": _RESCORED,
}
"""What is put in, and the rule and the category that must come of it."""

_IN_LOOP: dict[str, Callable[[str, loops.Spot, loops.Spot], str | None]] = {
    "swapped": loops.swapped,
    "one ahead": loops.ahead,
    "loop twice": loops.twice,
}

_TRAIN = """
def step(names):
    import torch
    seen = dict(names.f_globals, **names.f_locals)
    named = [*seen.items(), *(pair for h in list(seen.values()) for pair in getattr(h, '__dict__', {}).items())]
    models = {id(m): m for _, m in named if isinstance(m, torch.nn.Module)}.values()
    tokens = next(t for n, t in named if 'val' in n and 'tok' in n and isinstance(t, torch.Tensor) and t.dim() == 1)
    tokens = tokens[:1025].long()
    learned = 0
    with torch.enable_grad():
        for m in models:
            for p in m.parameters():
                p.requires_grad_(True)
        for start in range(0, 1024, 64):
            for m in [m for m in models if sum(p.numel() for p in m.parameters()) > 10000]:
                x, y = tokens[start:start + 64][None], tokens[start + 1:start + 65][None]
                try:
                    loss = m(x, y)
                except Exception:
                    continue
                (loss.mean() if isinstance(loss, torch.Tensor) else loss[-1].mean()).backward()
        for m in models:
            for p in m.parameters():
                if p.grad is not None:
                    p.data -= 1e-4 * p.grad
                    p.grad = None
                    learned += 1
    assert learned, 'no model took the injected step'
"""
_STEP = "__import__('injected').step(__import__('sys')._getframe())"


@dataclasses.dataclass(frozen=True)
class Injection:
    """One injected script: the verdicts before and after, what C3 and C4 say after, how the run ended, and whether the
    verdict is FAIL by the rule and with the category that this kind of violation has."""

    name: str
    kind: str
    line: int
    before: str
    after: str
    rules: str
    outcome: str
    right: bool


def inject(
    submissions: Sequence[Submission], options: Options, kinds: Sequence[str] = tuple(KINDS)
) -> list[Injection]:
    """Audit each submission as it is and with each violation put in; kinds that need learning only where there is some."""
    results = []
    for submission in submissions:
        plain = audit(submission, options)
        turn = plain.case.trace.turn if plain.case.trace is not None else None
        results += [
            _one(submission, plain, kind, options)
            for kind in kinds
            if turn is not None or kind not in _IN_LOOP
        ]
    return results


def _one(submission: Submission, plain: Audit, kind: str, options: Options) -> Injection:
    script, trace = submission.script, plain.case.trace
    found = put_in(script, trace, kind) if script is not None and trace is not None else None
    if found is None:
        return Injection(
            submission.name, kind, 0, plain.verdict, "-", "-", "no statement to inject at", False
        )
    changed, line = found
    (submission.root / Path(changed.path).parent / "injected.py").write_text(_TRAIN)
    after = audit(dataclasses.replace(submission, script=changed), options)
    rule, category = KINDS[kind]
    right = any((f.rule, f.status, f.category) == (rule, "fail", category) for f in after.findings)
    outcome = after.case.run.outcome if after.case.run else "-"
    return Injection(
        submission.name, kind, line, plain.verdict, after.verdict, _rules(after), outcome,
        right and after.verdict == "FAIL",
    )  # fmt: skip


def put_in(script: Script, trace: Trace, kind: str) -> tuple[Script, int] | None:
    """The script with a violation, and the line where it stands; None where there is no place for it."""
    if kind in _IN_LOOP:
        spots = _spots(trace)
        text = _IN_LOOP[kind](script.runnable, *spots) if spots else None
        line = spots[1].line if spots else 0
    else:
        line = trace.evaluated_at
        text = _at_evaluation(script.runnable, line, kind, learns=trace.turn is not None)
    if text is None:
        return None
    ast.parse(text)
    return dataclasses.replace(script, runnable=text, source=text), line


def _spots(trace: Trace) -> tuple[loops.Spot, loops.Spot] | None:
    """Where score and update stand in the innermost function that both go through."""
    if trace.turn is None:
        return None
    updates: dict[tuple[str, str, int], Frame] = {}
    for frame in trace.turn.update:
        updates.setdefault((frame.file, frame.function, frame.start), frame)
    for one in trace.turn.score:
        other = updates.get((one.file, one.function, one.start))
        if other is not None:
            return (
                loops.Spot(one.function, one.start, one.line),
                loops.Spot(other.function, other.start, other.line),
            )
    return None


def _at_evaluation(source: str, line: int, kind: str, learns: bool) -> str | None:
    """The violation on the first line of the statement that evaluates, so that every line keeps its number and both passes
    have the same one."""
    found = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Assign | ast.Expr | ast.AugAssign | ast.AnnAssign)
        and node.lineno <= line <= (node.end_lineno or node.lineno)
        and any(isinstance(inner, ast.Call) for inner in ast.walk(node))
    ]
    if not found:
        return None
    statement = max(found, key=lambda node: node.lineno)
    lines = source.split("\n")
    first, last = statement.lineno - 1, (statement.end_lineno or statement.lineno) - 1
    before = lines[first].encode()[: statement.col_offset].decode()
    behind = lines[last].encode()[statement.end_col_offset :].decode()
    itself = ast.unparse(statement)
    if kind == "second pass":
        parts = [itself, itself] if learns else [itself, _STEP, itself]
    else:
        parts = [_STEP, itself]
    lines[first : last + 1] = [before + "; ".join(parts) + behind, *[""] * (last - first)]
    return "\n".join(lines)


def _rules(result: Audit) -> str:
    found = {f.rule: f for f in result.findings}
    shown = [
        f"{rule} {found[rule].status}" + (f" ({found[rule].category})" if found[rule].category else "")
        for rule in ("C3", "C4")
        if rule in found
    ]
    return ", ".join(shown)


def table(rows: Sequence[Injection]) -> str:
    """A Markdown table of injections."""
    lines = [
        "| submission | injected | line | before | after | rules after | run | right rule and category |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {r.name} | {r.kind} | {r.line} | {r.before} | {r.after} | {r.rules} | {r.outcome} | "
        f"{'yes' if r.right else 'no'} |"
        for r in rows
    ]
    return "\n".join(lines) + "\n"
