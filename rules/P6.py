"""P6 the README adds up: its means are those of its seeds, and it does not give two numbers for one thing.

What it does
    Reads the tables of the README: a row of means must be the mean of the seeds above it (columns of BPB and
    loss), a headline called the mean must not be the score of one seed, counts
    and percentages must speak of one whole, and a share of tokens over a loss must be the same wherever it is told. Figures
    that are marked as approximate are left alone, and a mean that is off by at most 0.0005 is told only. It never fails a
    submission, and it asks nothing of accepted rows.

Why it breaks the score
    It does not; but a table that does not add up was not made from the logs.

Example
    "4% of tokens (loss > 7.0)" in the summary, | > 7.0 | 1.7M | 2.7% | in the table              # review

Legal alternative
    Make tables from the logs with a script.

Rulings
    #296: 4 % in one place, 2.7 % in another for the same threshold, seen by a reviewer's eye.
    #2009: the headline's "3-seed mean" is the best seed; the table's mean is 0.0007 higher.
    https://github.com/openai/parameter-golf/pull/296

Since
    0.1.0
"""

from __future__ import annotations

from harness.case import Case, Finding, Grade, Status
from rules.papers import accepted
from rules.registry import rule

_SHOWN = 3
_SMALL = 0.0005  # a mean that is off by less is a slip of rounding, or of one digit that decides nothing


@rule("P6", title="README adds up", categories=("packaging",), needs=("claims",))
def readme_adds_up(case: Case) -> Finding:
    """Name what does not add up."""
    facts = case.claims
    if facts is None or not facts.packaging.readme:
        return Finding("P6", Status.NOT_APPLICABLE, "There is no README to read.", grade=Grade.CLAIM)
    if not facts.slips:
        return Finding("P6", Status.PASS, "Nothing in the README contradicts itself.", grade=Grade.CLAIM)
    said = "; ".join(s.said for s in facts.slips[:_SHOWN])
    more = f"; and {len(facts.slips) - _SHOWN} more" if len(facts.slips) > _SHOWN else ""
    told = f"In the README {said}{more}."
    shown = tuple(dict.fromkeys(e for s in facts.slips[:_SHOWN] for e in s.evidence))
    small = all(s.by is not None and s.by <= _SMALL for s in facts.slips)
    if accepted(case) or small:
        return Finding("P6", Status.PASS, told, grade=Grade.CLAIM, evidence=shown)
    return Finding("P6", Status.REVIEW, told, "packaging", Grade.CLAIM, shown)
