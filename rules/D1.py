"""D1 coverage: the claimed number covers the whole validation set, every position once.

What it does
    Compares the positions behind the claimed number with the val stream. The first token of the stream and of a document
    has nothing to be predicted from and may be missing; a tail shorter than one sequence or one batch may be dropped, and
    no more than one sequence elsewhere (some sliding windows leave out the head of the first); the last stride of a sliding
    window may be scored twice by the same state. Anything else that is missing is named. The code is asked as well: for a
    slice of val that ends at a constant, positions drawn at random, a loop that stops after a number of batches, or when a
    clock has run out: the last is a question where the log does not show that the evaluation took less time than that.
    Losses that are added only where a condition on val tokens or on the losses holds, and shares of several processes that
    no reduction brings together, are questions too: a small run in one process may show neither.

Why it breaks the score
    The challenge is scored on the fixed set of the first 50,000 documents. A subset is another test, and a chosen subset
    is an easier one.

Example
    val_tokens = val_tokens[:1_000_000]          # fails where it is reported as the score

Legal alternative
    Score all of it. In the non-record track a disclosed sample is left to the reviewer.

Rulings
    2026-03-19 #50 merged: a dropped last window shorter than the stride was a nit.
    2026-04-28 #1835: 3 million of 40 million tokens scored: doubts. #1106 (non-record) merged with 500 sequences.
    https://github.com/openai/parameter-golf#readme

Since
    0.1.0
"""

from __future__ import annotations

import dataclasses

from harness.case import Case, Finding, Grade, Status
from harness.witnesses.trace import Coverage
from rules.evidence import capped, from_static
from rules.registry import rule
from rules.reruns import remeasured

EARLY = 0.95
"""An evaluation that took this share of a clock, or less, was not ended by it."""


@rule(
    "D1",
    title="Whole validation set",
    categories=("partial_val",),
    needs=("trace", "static", "claims", "rerun"),
)
@remeasured("D1")
def whole_validation_set(case: Case) -> Finding:
    """Count the positions behind the claimed number against the val stream."""
    return _disclosed(case, _judged(_in_time(case)))


def _in_time(case: Case) -> Case:
    """The case without clocks that end the loop, where the log shows that the evaluation was through before."""
    run = case.claims.claimed if case.claims is not None else None
    if case.static is None or run is None or run.eval_ms is None:
        return case
    took_s = run.eval_ms.value / 1000
    facts = tuple(f for f in case.static.facts if f.clock_s is None or took_s > EARLY * f.clock_s)
    return dataclasses.replace(case, static=dataclasses.replace(case.static, facts=facts))


def _judged(case: Case) -> Finding:
    """By the positions of a run, and by the code where that is sure."""
    trace = case.trace
    if trace is None or not trace.covers or trace.coverage is None:
        return from_static(case, "D1", ("partial_val",))
    told = case.static.certain("partial_val") if case.static is not None else ()
    if any(fact.unreached for fact in told):
        # The small validation set of the run ends before the number at which the code stops.
        return from_static(case, "D1", ("partial_val",))
    seen = trace.coverage
    tail_allowed = max(seen.longest_row, seen.largest_batch)
    inside = seen.missing_inside
    if inside <= seen.longest_row and seen.missing_tail <= tail_allowed:
        return capped(
            case, Finding("D1", Status.PASS, _complete(seen), grade=Grade.TRACE), against=("partial_val",)
        )
    missing = inside + max(0, seen.missing_tail)
    share = missing / max(1, seen.expected)
    summary = (
        f"{seen.scored:,} of {seen.expected:,} val positions enter the claimed number; {missing:,} ({share:.1%}) do not, "
        f"the first at {seen.first_missing if inside else seen.expected + 1 - seen.missing_tail:,}."
    )
    if share < 0.01:
        status, summary = Status.PASS, summary + " Less than one per cent: shown, not judged."
    elif told:
        status = Status.FAIL
    else:
        # A scale that was shrunk cannot tell a fixed sample from a chosen one: a person decides.
        status = Status.REVIEW
    return capped(
        case,
        Finding(
            "D1",
            status,
            summary,
            category=None if status is Status.PASS else "partial_val",
            grade=Grade.TRACE,
        ),
    )


def _disclosed(case: Case, finding: Finding) -> Finding:
    """In the non-record track a sample is left to the reviewer (#1106 was merged with 500 sequences)."""
    if finding.status is not Status.FAIL or case.submission.track != "non_record":
        return finding
    summary = f"{finding.summary.rstrip('.')}. In the non-record track that is for a reviewer."
    return dataclasses.replace(finding, status=Status.REVIEW, summary=summary)


def _complete(seen: Coverage) -> str:
    text = (
        f"{seen.scored:,} of {seen.expected:,} val positions after the first token enter the claimed number"
    )
    rest = []
    if seen.missing_bos:
        rest.append(f"{seen.missing_bos:,} document starts are not scored")
    if seen.missing_inside:
        rest.append(
            f"{seen.missing_inside:,} positions from {seen.first_missing:,} on, no more than one sequence, are not scored"
        )
    if seen.missing_tail:
        rest.append(f"a tail of {seen.missing_tail:,} positions, shorter than one batch, is dropped")
    if seen.repeated:
        rest.append(f"{seen.repeated:,} positions at the end of the window count more than once")
    return text + ("; " + "; ".join(rest) if rest else "") + "."
