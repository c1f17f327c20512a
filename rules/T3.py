"""T3 calibration inside the clock: quantization that reads training data does so within the 600 s of training.

What it does
    Finds in the claimed log where calibration data is read (GPTQ Hessians, activation statistics), from what (training
    shards, val tokens, the model's own samples) and whether the training clock had already run out. Where the clock
    had stopped at its limit, with nothing in reserve, and data was read after it, a person looks: a log tells times,
    the code tells which data (D5).

Why it breaks the score
    After the clock only evaluation is left, and evaluation must not read training data. Calibration on it buys a better
    artifact with time that the record does not count.

Example
    stopping_early: wallclock_cap train_time:600057ms
    gptq:calibrating with training data...                                       # read after the clock

Legal alternative
    Reserve the time (GPTQ_RESERVE_SECONDS), calibrate on text that the model generates, or quantize without data.

Rulings
    2026-03-22..24 #529 #576 #593 #606 #615 #626 #639 #656 #706: calibration on training data after 600 s is invalid.
    2026-03-30 #1019: merged; calibrates on its own samples. Late April #1868, #1855: merged; training loop and Hessian
    collection end within a few seconds of 600 s, with a reserve of 0.5 s (#2135: 606.5 s). 2026-04-29 #1934: called invalid
    by another entrant for 602.6 s; 146 heads end past 600 s, ten that were merged or listed among them, so it is told and
    not asked. 2026-03-28 #728: not on unscored val tokens.
    #1120 holds two folders: the one whose log shows 3.4 s of calibration after 600.03 s was never ruled on, the row on the
    leaderboard is the other one, which skips calibration.
    https://github.com/openai/parameter-golf/pull/706

Since
    0.1.0
"""

from __future__ import annotations

from harness.case import Case, Finding, Grade, Status
from harness.witnesses.claims import Calibration, RunFacts
from rules.evidence import capped
from rules.papers import lines, record_run, seconds
from rules.registry import rule

_RESERVED_MS = 250.0  # a clock that stops this much early was stopped to leave a reserve
_OVERRUN_MS = 10_000.0  # merged records ended their calibration up to this much past the limit


@rule(
    "T3",
    title="Calibration inside the clock",
    categories=("gptq_calibration_eval_time", "val_calibration"),
    needs=("claims",),
)
def calibration(case: Case) -> Finding:
    """What was read, and whether the clock had run out."""
    run = record_run(case, "T3")
    if isinstance(run, Finding):
        return run
    seen = run.calibration
    if seen is None or not seen.after_stop:
        return Finding(
            "T3", Status.PASS, "The log shows no calibration on data after training.", grade=Grade.CLAIM
        )
    shown = lines(seen.evidence, run.train_ms)
    if seen.data == "self":
        return Finding(
            "T3", Status.PASS, "Calibration reads the model's own samples.", grade=Grade.CLAIM, evidence=shown
        )
    if seen.data == "val":
        told = "Calibration reads val tokens before they are scored."
        return capped(case, Finding("T3", Status.REVIEW, told, "val_calibration", Grade.CLAIM, shown))
    if run.train_ms is None:
        told = "Not covered: calibration follows training, but the log states no training clock."
        return Finding("T3", Status.NOT_COVERED, told, grade=Grade.CLAIM, evidence=shown)
    return _after_the_clock(case, run, seen, run.train_ms.value)


def _after_the_clock(case: Case, run: RunFacts, seen: Calibration, stopped: float) -> Finding:
    """Training data read after the last step: within the clock, with a reserve, or after it ran out."""
    shown = lines(seen.evidence, run.train_ms)
    end = seen.end_ms if seen.end_ms is not None else stopped + (seen.ms or 0.0)
    limit = case.limits.train_seconds * 1000.0
    told = f"Training stopped at {seconds(stopped)}; calibration followed"
    if end > stopped:
        told += f" until {seconds(end)}"
    if (stopped <= limit - _RESERVED_MS or (seen.reserve_ms or 0.0) > 0.0) and end <= limit + _OVERRUN_MS:
        late = f", {seconds(end - limit)} past the limit (merged #1855: 4.3 s)" if end > limit else ""
        return Finding("T3", Status.PASS, f"{told}{late}.", grade=Grade.CLAIM, evidence=shown)
    # A log that names its data "training data" may still mean the model's own samples; the code decides (D5).
    read = "training data was read" if seen.data == "train" else "data (the log does not say which) was read"
    told += f": {read} after the clock had run out."
    return Finding("T3", Status.REVIEW, told, "gptq_calibration_eval_time", Grade.CLAIM, shown)
