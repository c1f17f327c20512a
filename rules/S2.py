"""S2 score reproduced: a rerun on the official data measures the claimed score, within the spread of its seeds.

What it does
    Compares the claimed score with the one that a rerun measured: by our own sliding windows over the weights decoded from
    the artifact, or, where the evaluation adapts the model, with what the unmodified script printed. The tolerance is where
    one more run is expected to fall (95 %) given the claimed seeds, and never less than what hardware and library versions
    move. Training under the clock gives fewer steps on fewer GPUs: on other hardware than eight H100 only a score that is
    reached, or the score of a given artifact (`--weights`), says something.

Why it breaks the score
    A score that nobody else can measure is no result.

Example
    val_bpb: 1.1194 is claimed, the rerun on 8xH100 measures 1.1301     # a question, never a failure: seeds, versions

Legal alternative
    State the configuration that was run, all of it, with the versions of the packages.

Rulings
    2026-04-28 #1868: merged after a rerun. README of the challenge: a record is verified before it is merged.
    https://github.com/openai/parameter-golf#readme

Since
    0.1.0
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.case import Case, Finding, Grade, Status
from rules.registry import rule

if TYPE_CHECKING:
    from harness.witnesses.rerun.facts import RerunFacts


@rule("S2", title="Score reproduced", needs=("rerun",))
def score_reproduced(case: Case) -> Finding:
    """Within the tolerance, outside it, or nothing that can be compared."""
    found = case.rerun
    if found is None:
        return Finding("S2", Status.NOT_COVERED, "Not covered: there was no rerun (audit --data, or rerun).")
    unfinished = next((s for s in found.steps if not s.done), None)
    if found.claimed.measured is None or unfinished is not None:
        step = f" in the step {unfinished.name}: {unfinished.told}" if unfinished else ""
        reason = step or f": {found.outcome.reason}"
        return _finding(Status.REVIEW, f"The rerun did not come to its end{reason.rstrip('.')}.")
    return _compared(found, found.claimed.measured)


def _compared(found: RerunFacts, measured: float) -> Finding:
    claimed = found.claimed
    told = f"The rerun measured {measured:.6f} BPB ({claimed.source}) on {found.machine.hardware}"
    if found.machine.emulated:
        return _finding(Status.NOT_COVERED, f"Not covered: {told}, at small scale, which is not comparable.")
    if claimed.bpb is None:
        return _finding(Status.NOT_COVERED, f"Not covered: {told}; no score is claimed.")
    difference = measured - claimed.bpb
    told += f", claimed {claimed.bpb:.6f}: {difference:+.6f}"
    spread = f"the tolerance of {claimed.tolerance:.6f} ({claimed.tolerance_from})"
    if abs(difference) <= claimed.tolerance:
        return _finding(Status.PASS, f"{told}, within {spread}.")
    if not claimed.comparable:
        return _finding(
            Status.NOT_COVERED,
            f"Not covered: {told}; training under the clock takes another number of steps on other hardware than 8xH100.",
        )
    return _finding(Status.REVIEW, f"{told}, outside {spread}.")


def _finding(status: Status, summary: str) -> Finding:
    return Finding("S2", status, summary, grade=Grade.TRACE)
