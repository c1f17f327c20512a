"""Puts a violation into a script that has none, and asks whether the trace sees it: PASS must become FAIL.

Two mechanical injections, both at the statement that runs the claimed evaluation, found from the trace itself:
"second pass" runs that statement twice; "train first" takes one gradient step on val tokens just before it.
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Sequence
from pathlib import Path

from harness.audit import Options, audit
from harness.case import Audit, Script, Submission
from harness.witnesses.trace import Trace

KINDS = ("second pass", "train first")

_TRAIN = """
def step(names):
    import torch
    seen = dict(names.f_globals, **names.f_locals)
    holders = list(seen.values()) + [v for h in list(seen.values()) for v in getattr(h, '__dict__', {}).values()]
    models = [m for m in holders if isinstance(m, torch.nn.Module)]
    model = max(models, key=lambda m: (m is seen.get('eval_model'), sum(p.numel() for p in m.parameters())))
    flat = [t for t in holders if isinstance(t, torch.Tensor) and t.dim() == 1]
    streams = [t for t in flat if not t.is_floating_point() and t.numel() > 2000]
    tokens = max(streams, key=lambda t: t.numel())[:1025].long()
    with torch.enable_grad():
        for m in models:
            for p in m.parameters():
                p.requires_grad_(True)
        for start in range(0, 1024, 64):
            for m in {id(m): m for m in models if sum(p.numel() for p in m.parameters()) > 10000}.values():
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
"""


@dataclasses.dataclass(frozen=True)
class Injection:
    """One injected script: the verdicts and the statuses of C3 and C4 before and after."""

    name: str
    kind: str
    line: int
    before: str
    after: str
    rules_before: str
    rules_after: str
    outcome: str


def inject(submissions: Sequence[Submission], options: Options) -> list[Injection]:
    """Audit each submission as it is and with each violation put in."""
    results = []
    for submission in submissions:
        plain = audit(submission, options)
        for kind in KINDS:
            results.append(_one(submission, plain, kind, options))
    return results


def _one(submission: Submission, plain: Audit, kind: str, options: Options) -> Injection:
    script, trace = submission.script, plain.case.trace
    line = evaluation_line(trace) if trace is not None else 0
    changed = put_in(script, line, kind) if script is not None and line else None
    if changed is None:
        return Injection(
            submission.name, kind, line, plain.verdict, "-", _rules(plain), "-", "no statement to inject at"
        )
    if kind == "train first":
        (submission.root / Path(changed.path).parent / "injected.py").write_text(_TRAIN)
    after = audit(dataclasses.replace(submission, script=changed), options)
    outcome = after.case.run.outcome if after.case.run else "-"
    return Injection(
        submission.name, kind, line, plain.verdict, after.verdict, _rules(plain), _rules(after), outcome
    )


def evaluation_line(trace: Trace) -> int:
    """The line, outermost but for the start of the program, from which the claimed scores were made."""
    return trace.evaluated_at


def put_in(script: Script, line: int, kind: str) -> Script | None:
    """The script with a violation at the statement of `line`, on the same line; None where there is no such statement."""
    tree = ast.parse(script.runnable)
    found = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign | ast.Expr | ast.AugAssign | ast.AnnAssign)
        and node.lineno <= line <= (node.end_lineno or node.lineno)
    ]
    if not found:
        return None
    statement = max(found, key=lambda node: node.lineno)
    lines = script.runnable.split("\n")
    first, last = statement.lineno - 1, (statement.end_lineno or statement.lineno) - 1
    if kind == "second pass":
        lines[last] = lines[last] + "; " + ast.unparse(statement)
    else:
        indent = len(lines[first]) - len(lines[first].lstrip())
        call = "__import__('injected').step(__import__('sys')._getframe()); "
        lines[first] = lines[first][:indent] + call + lines[first][indent:]
    text = "\n".join(lines)
    try:
        ast.parse(text)
    except SyntaxError:
        return None
    return dataclasses.replace(script, runnable=text, source=text)


def _rules(result: Audit) -> str:
    status = {f.rule: f.status.value for f in result.findings}
    return f"C3 {status.get('C3', '-')}, C4 {status.get('C4', '-')}"


def table(rows: Sequence[Injection]) -> str:
    """A Markdown table of injections."""
    lines = [
        "| submission | injected | line | before | after | rules before | rules after | run |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {r.name} | {r.kind} | {r.line} | {r.before} | {r.after} | {r.rules_before} | {r.rules_after} | {r.outcome} |"
        for r in rows
    ]
    return "\n".join(lines) + "\n"
