"""P5 one configuration: the runs behind a mean differ in their seed and in nothing else.

What it does
    Where the claimed score is the mean of several logs, compares the settings that they print (those that are environment
    variables of the script, numbers and switches alone), each with its last value before the score. It also
    tells where one seed was run twice. It never fails a submission, and it asks nothing of accepted rows.

Why it breaks the score
    The mean of three seeds says how good one configuration is; with a better third run from another it says nothing.

Example
    seed 42: ttt_lr: 0.002, ttt_epochs: 3; seed 7: ttt_lr: 0.004, ttt_epochs: 3              # review

Legal alternative
    Run every seed with the settings that are claimed.

Rulings
    2026-05-02 #2124: not ready as a record, since the third seed came from another configuration.
    Merged all the same: 2026-04-04_SP4096_DepthRecurrence_ParallelResid_MuonEqR, where one of three runs also evaluated
    with test-time training; the claimed line is the one before it.
    https://github.com/openai/parameter-golf/pull/2124

Since
    0.1.0
"""

from __future__ import annotations

from collections import Counter

from harness.case import Case, Finding, Grade, Status
from rules.papers import accepted, non_record
from rules.registry import rule

_SHOWN = 4


@rule("P5", title="One configuration", categories=("significance",), needs=("claims",))
def one_configuration(case: Case) -> Finding:
    """Review where runs of one mean print different settings."""
    runs = case.claims.behind if case.claims is not None else ()
    if case.claims is None or len(runs) < 2:
        told = "The claimed score is not the mean of several logs, so there are no runs to compare."
        return Finding("P5", Status.NOT_APPLICABLE, told, grade=Grade.CLAIM)
    seeds = Counter(r.seed for r in runs if r.seed is not None)
    twice = ", ".join(str(s) for s, n in seeds.items() if n > 1)
    again = f" Seed {twice} was run more than once." if twice else ""
    found = case.claims.differences
    if not found:
        told = f"The logs of the {len(runs)} runs print no setting with different values.{again}"
        return Finding("P5", Status.PASS, told, grade=Grade.CLAIM)
    named = [f"{d.name.upper()} ({', '.join(value for value, _ in d.values)})" for d in found[:_SHOWN]]
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    told = f"The {len(runs)} runs behind the mean differ in {', '.join(named)}{more}.{again}"
    shown = tuple(line for d in found[:_SHOWN] for _, line in d.values)
    if accepted(case) or non_record(case):
        return Finding("P5", Status.PASS, told, grade=Grade.CLAIM, evidence=shown)
    return Finding("P5", Status.REVIEW, told, "significance", Grade.CLAIM, shown)
