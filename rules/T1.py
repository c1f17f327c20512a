"""T1 training time: a record trains for at most 600 s on eight H100, by the clock of its own log.

What it does
    Reads the training clock of the claimed run at its last reading before the score; where the score is a mean, another
    run of it that is far over the limit is a question. One step past the cap is allowed,
    since scripts look at the clock between steps; where the log says that the script's own cap of 600 s stopped it, a step
    that took longer is a question. The clock is the script's own: it leaves out warm-up and compilation,
    as the baseline's does.

Why it breaks the score
    Longer training gives a better model; a record is a record of what ten minutes give.

Example
    stopping_early: wallclock_cap train_time:600038ms step:13780/20000          # fine: one step past
    step:9000/9000 val_loss:1.90 train_time:724310ms                            # fails

Legal alternative
    Stop on the wallclock, as the baseline does, and keep a reserve for what must still read training data.

Rulings
    README of the challenge: training in at most 10 minutes on 8xH100. Merged logs stop at up to 600,137 ms.
    https://github.com/openai/parameter-golf#readme

Since
    0.1.0
"""

from __future__ import annotations

from harness.case import Case, Finding, Grade, Status
from rules.evidence import capped
from rules.papers import hardware, lines, official, other_over, record_run, seconds
from rules.registry import rule
from rules.reruns import clocked

_STEP_MS = 1_000.0  # a step's length where the log does not state it
_SLACK_MS = 5_000.0  # past it, no script was merely late to look at its clock
_LONG_STEP_MS = 60_000.0  # but one whose log says that its own cap stopped it: the step may have compiled


@rule("T1", title="Training time", categories=("train_time",), needs=("claims", "rerun"))
def training_time(case: Case) -> Finding:
    """The log's clock, beside that of a rerun."""
    seconds = case.rerun.outcome.train_s if case.rerun is not None and case.rerun.trained else None
    return clocked(case, _logged(case), seconds, "training", "train_time")


def _logged(case: Case) -> Finding:
    """Pass within one step of the cap, review when a little late, fail beyond."""
    run = record_run(case, "T1")
    if isinstance(run, Finding):
        return run
    if run.train_ms is None:
        return Finding(
            "T1", Status.NOT_COVERED, "Not covered: the log states no training clock.", grade=Grade.CLAIM
        )
    ms, shown = run.train_ms.value, lines(run.train_ms)
    limit = case.limits.train_seconds * 1000.0
    told = f"The training clock of {run.log} stops at {seconds(ms)}"
    if ms <= limit + max(run.step_ms or 0.0, _STEP_MS):
        other = other_over(case, limit + _SLACK_MS, lambda r: r.train_ms)
        if other:
            return Finding("T1", Status.REVIEW, f"{told}.{other}", "train_time", Grade.CLAIM, shown)
        return Finding("T1", Status.PASS, f"{told}.", grade=Grade.CLAIM, evidence=shown)
    if not official(case, run):
        told += f" {hardware(case, run)}"
    cap = run.own_cap_ms
    stopped = cap is not None and cap <= limit
    if cap is not None and stopped:
        told += f", where the script's own cap of {cap / 1000:g} s stopped it after a step"
    late = ms <= limit + (_LONG_STEP_MS if stopped else _SLACK_MS)
    status = Status.REVIEW if late or not official(case, run) else Status.FAIL
    return capped(
        case,
        Finding(
            "T1",
            status,
            f"{told}: more than {limit / 1000:g} s and a step.",
            "train_time",
            Grade.CLAIM,
            shown,
        ),
    )
