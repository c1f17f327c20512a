"""D5 training data stays in training: training shards are read while the training clock runs, and not after.

What it does
    Follows the claimed path and looks for a run of the model on training shards after the training loop (calibration, or
    more training in a loop without a clock), where that loop runs for the whole 600 s, or what the host's policy gives. A
    loop that stops earlier leaves
    time for it, and whether it was enough the log tells (T3). Where an experiment found the score to rest on more than the
    artifact, it exchanges the training shards at the moment when the script reads its artifact back: a score that changes
    with them, twice alike and with balanced books, was made with training data.

Why it breaks the score
    The rules give training 600 s and forbid training data during evaluation. Calibration on training shards after the
    clock is training that nobody timed.

Example
    train(until=600)                       # fails: no time is left
    hessians = collect(model, train_shards)

Legal alternative
    Stop the training loop early enough, or calibrate on text that the model itself generates (#1019).

Rulings
    2026-03-24 #589: called valid, though it replays its last batches after the clock: such training is a question.
    2026-03-22 to 2026-03-24 #576, #606, #615, #626, #656: calibration on training data after 600 s.
    https://github.com/openai/parameter-golf/pull/576

Since
    0.1.0
"""

from __future__ import annotations

from harness.case import Case, Finding, Grade, Status
from harness.witnesses.static import StaticFacts
from rules.code import from_code
from rules.evidence import capped
from rules.registry import rule

KINDS = ("gptq_calibration_eval_time", "train_time")


@rule("D5", title="Training data stays in training", categories=KINDS, needs=("static", "probes"))
def training_data_stays_in_training(case: Case) -> Finding:
    """What an experiment shows, else what the code says; the non-record track has no clock."""
    probe = case.probes.transplant if case.probes else None
    if probe is not None and probe.shards in ("changed", "doubtful"):
        status = Status.FAIL if probe.shards == "changed" else Status.REVIEW
        return capped(case, Finding("D5", status, probe.shards_reason, grade=Grade.COUNTERFACTUAL))
    if case.submission.track == "non_record":
        return Finding("D5", Status.NOT_APPLICABLE, "The non-record track has no time limit.")
    return from_code(case, "D5", KINDS, seen)


def seen(case: Case, facts: StaticFacts) -> Finding:
    """Nothing was found."""
    whole = f"the whole {case.limits.train_seconds:g} s"
    return Finding("D5", Status.PASS, f"No model is run on training shards after a training loop of {whole}.")
