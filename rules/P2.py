"""P2 papers agree: the claimed score is what the logs state, and the README tells of it.

What it does
    Compares submission.json's score with the result lines of the logs: it must be one of them or their mean. Notes where
    the README does not state it, and where the tables of seeds in README or submission.json hold a score, an artifact's
    bytes, steps or a time that the log of that seed contradicts. Such a number is a question where submission.json states
    another score (by 0.001 BPB), or an artifact within the cap where the log's is over it; so is a title (the name in
    submission.json, the README's first heading) whose score is another than the claimed one by more than 0.003 BPB,
    and so are other GPUs in the log where submission.json names H100. It never fails a submission: papers are put right,
    runs are not.

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
from harness.witnesses.claims import ClaimFacts, Disagreement
from rules.papers import accepted, lines, non_record, seconds
from rules.registry import rule

_APART = 0.003
_ANOTHER = 0.001
_CAP = 16_000_000
_SHOWN = 3


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
        return _tables(case, facts, f"The logs state the claimed {claimed}.{silent}")
    if facts.score_elsewhere:
        told = f"The logs state the claimed {claimed}, in lines that are not the ones this script prints.{silent}"
        return _tables(case, facts, told)
    nearest = facts.claimed
    if nearest is None:
        told = f"No log comes near the claimed {claimed}.{silent}"
    else:
        told = f"No log states the claimed {claimed}; the nearest result is {nearest.bpb:g}.{silent}"
    shown = lines(nearest.score) if nearest else ()
    near = nearest is not None and abs(nearest.bpb - facts.score.value) <= _APART
    if near or non_record(case):
        return Finding("P2", Status.PASS, told, grade=Grade.CLAIM, evidence=shown)
    return Finding("P2", Status.REVIEW, told, "packaging", Grade.CLAIM, shown)


def _tables(case: Case, facts: ClaimFacts, told: str) -> Finding:
    """The claimed score is stated; the title, or what tables say of a seed, may still be another."""
    shown = lines(facts.claimed.score) if facts.claimed else ()
    asked = any(_asked(d) for d in facts.disagreements)
    if facts.title is not None and facts.score is not None:
        told += f" But the title says {facts.title.value:g}."
        shown = lines(facts.title, *shown)
        asked = asked or abs(facts.title.value - facts.score.value) > _APART
    if facts.hardware is not None:
        told += " But submission.json names H100, and the log other GPUs."
        shown = (*facts.hardware, *shown)
        asked = True
    if facts.disagreements:
        named = "; ".join(_named(d) for d in facts.disagreements[:_SHOWN])
        more = len(facts.disagreements) - _SHOWN
        told += (
            f" But the papers' tables and the logs differ: {named}{f'; and {more} more' if more > 0 else ''}."
        )
        shown = (*shown, *(e for d in facts.disagreements[:_SHOWN] for e in d.evidence))
    shown = tuple(dict.fromkeys(shown))
    if not asked or accepted(case) or non_record(case):
        return Finding("P2", Status.PASS, told, grade=Grade.CLAIM, evidence=shown)
    return Finding("P2", Status.REVIEW, told, "packaging", Grade.CLAIM, shown)


def _asked(found: Disagreement) -> bool:
    """Whether a difference bears on the claim: another score in submission.json, or the cap between the two sizes."""
    if found.kind == "bytes":
        return found.stated <= _CAP < found.nearest
    by_json = found.kind == "score" and found.evidence[0].file.endswith(".json")
    return by_json and abs(found.stated - found.nearest) > _ANOTHER


def _named(found: Disagreement) -> str:
    """One difference in words."""
    stated, nearest = (_number(found.kind, value) for value in (found.stated, found.nearest))
    return f"seed {found.seed}, {found.evidence[0].file} {stated}, {found.evidence[1].file} {nearest}"


def _number(kind: str, value: float) -> str:
    """A value with what it is."""
    if kind in ("bytes", "steps"):
        return f"{value:,.0f} {kind}"
    return f"{value:.5f} BPB" if kind == "score" else f"{kind} {seconds(value)}"
