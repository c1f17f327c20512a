"""P2 papers agree: the claimed score is what the logs state, and the README tells of it.

What it does
    Compares submission.json's score with the result lines of the logs: it must be one of them or their mean. Notes where
    the README does not state it. It never fails a submission: papers are put right, runs are not.

Why it breaks the score
    A score that no log states is a claim without evidence.

Example
    submission.json: val_bpb 1.1502; the only log ends with val_bpb:1.1666            # review

Legal alternative
    Bring the log of the run that is claimed, or claim the run that the log shows.

Rulings
    #15: resubmit with the log that proves it. 2026-05-02 #1981: headline rests on a correction that no log shows.
    https://github.com/openai/parameter-golf/pull/1981

Since
    0.1.0
"""

from __future__ import annotations

from harness.case import Case, Finding, Grade, Status
from rules.papers import lines
from rules.registry import rule

_APART = 0.003


@rule("P2", title="Papers agree", categories=("packaging",), needs=("claims",))
def papers_agree(case: Case) -> Finding:
    """Review where a record's logs state a result, but not the claimed one."""
    facts = case.claims
    if facts is None or facts.score is None or not facts.packaging.logs_with_score:
        told = "Not covered: there is no submission.json with a score, or no log with a result to compare it with."
        return Finding("P2", Status.NOT_COVERED, told, grade=Grade.CLAIM)
    silent = "" if facts.readme_states_score is not False else " The README does not state it."
    claimed = f"{facts.score.value:g}"
    if facts.score_stated:
        shown = lines(facts.claimed.score) if facts.claimed else ()
        return Finding(
            "P2",
            Status.PASS,
            f"The logs state the claimed {claimed}.{silent}",
            grade=Grade.CLAIM,
            evidence=shown,
        )
    nearest = facts.claimed
    if nearest is None:
        told = f"No log comes near the claimed {claimed}.{silent}"
    else:
        told = f"No log states the claimed {claimed}; the nearest result is {nearest.bpb:g}.{silent}"
    shown = lines(nearest.score) if nearest else ()
    near = nearest is not None and abs(nearest.bpb - facts.score.value) <= _APART
    if near or case.submission.track == "non_record":
        return Finding("P2", Status.PASS, told, grade=Grade.CLAIM, evidence=shown)
    return Finding("P2", Status.REVIEW, told, "packaging", Grade.CLAIM, shown)
