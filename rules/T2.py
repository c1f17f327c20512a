"""T2 evaluation time: the evaluation that states a record's score takes at most 600 s, by its own log.

What it does
    Reads the duration that the log gives for the claimed line's evaluation. Diagnostics (the score before quantization,
    a plain pass before the sliding window) are not counted: nobody needs them for the score. Where the score is a mean,
    another run of it that takes longer is a question.

Why it breaks the score
    Adaptation at test time buys score with time; the limit is what makes two submissions comparable.

Example
    final_slot_exact val_bpb:1.0861 eval_time:825000ms                          # fails

Legal alternative
    Fewer adaptation steps, a longer stride, larger chunks; batch documents of like length.

Rulings
    README of the challenge: evaluation has ten minutes of its own. #1319: withdrawn by its author at 825 s.
    https://github.com/openai/parameter-golf#readme

Since
    0.1.0
"""

from __future__ import annotations

from harness.case import Case, Finding, Grade, Status
from rules.evidence import capped
from rules.papers import hardware, lines, official, other_over, record_run, seconds
from rules.registry import rule
from rules.reruns import clocked, evaluation_seconds


@rule("T2", title="Evaluation time", categories=("eval_time",), needs=("claims", "rerun"))
def evaluation_time(case: Case) -> Finding:
    """The log's clock, beside that of a rerun."""
    seconds = evaluation_seconds(case.rerun) if case.rerun is not None else None
    return clocked(case, _logged(case), seconds, "the evaluation", "eval_time")


def _logged(case: Case) -> Finding:
    """Fail where the claimed evaluation alone takes more than 600 s on eight GPUs."""
    run = record_run(case, "T2")
    if isinstance(run, Finding):
        return run
    if run.eval_ms is None:
        told = "Not covered: the log states no duration for the claimed evaluation."
        return Finding("T2", Status.NOT_COVERED, told, grade=Grade.CLAIM)
    ms, shown = run.eval_ms.value, lines(run.eval_ms)
    limit = case.limits.eval_seconds * 1000.0
    told = f"The evaluation behind the claimed score took {seconds(ms)}"
    if ms <= limit:
        other = other_over(case, limit, lambda r: r.eval_ms)
        if other:
            return Finding("T2", Status.REVIEW, f"{told}.{other}", "eval_time", Grade.CLAIM, shown)
        return Finding("T2", Status.PASS, f"{told}.", grade=Grade.CLAIM, evidence=shown)
    status = Status.FAIL if official(case, run) else Status.REVIEW
    if not official(case, run):
        told += f" {hardware(case, run)}"
    return capped(
        case, Finding("T2", status, f"{told}: more than {limit / 1000:g} s.", "eval_time", Grade.CLAIM, shown)
    )
