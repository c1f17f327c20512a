"""P7 gates of the log: the counts that a run logs of its hints show no gate that knows the token to come.

What it does
    Reads the gate counts that n-gram hints of the #1145 lineage log before the score, the last ones of several.
    Gates for tokens within a word, for the first of a word, and for agreement of these experts open by the class of the
    token that is to be predicted; a count above zero says that they were at work. The code decides (C1): a log only tells
    its author's names, so this is a question and never a failure.

Why it breaks the score
    A hint that is boosted only where the token to come is of the right kind tells something of that token.

Example
    ngram_tilt:hints total=47851520 token_gate=628130 within_gate=9866847 word_gate=2891588 agree2plus=303177       # review

Legal alternative
    The token expert alone, whose gate reads the prefix: within_gate=0 word_gate=0 agree2plus=0.

Rulings
    2026-05-02 #2041, #2118: gates depend on the class of the current target, these counts must be zero. #1514: merged with
    the experts within words and at word starts set to zero. #2135, #2140: counts of zero, accepted.
    https://github.com/openai/parameter-golf/pull/2041

Since
    0.1.0
"""

from __future__ import annotations

from harness.case import Case, Finding, Grade, Status
from rules.papers import accepted, lines
from rules.registry import rule


@rule("P7", title="Gates of the log", categories=("target_gating",), needs=("claims",))
def gates_of_the_log(case: Case) -> Finding:
    """Review where a gate that reads the target was open."""
    run = case.claims.claimed if case.claims is not None else None
    if run is None or not run.gates:
        told = "The claimed log counts no gates of n-gram hints."
        return Finding("P7", Status.NOT_APPLICABLE, told, grade=Grade.CLAIM)
    shown = lines(*(count for _, count in run.gates))
    opened = ", ".join(f"{name} {int(count.value):,} times" for name, count in run.gates if count.value > 0)
    if not opened:
        told = "The gates that would read the token to come were never open, by the log."
        return Finding("P7", Status.PASS, told, grade=Grade.CLAIM, evidence=shown)
    told = f"By the log, gates that read the class of the token to come were open: {opened}."
    if accepted(case):
        return Finding("P7", Status.PASS, f"{told} The row was accepted.", grade=Grade.CLAIM, evidence=shown)
    return Finding("P7", Status.REVIEW, told, "target_gating", Grade.CLAIM, shown)
