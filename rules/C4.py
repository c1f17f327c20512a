"""C4 single pass: each val token is scored once, and no score is chosen after the fact.

What it does
    Looks for a position whose claimed score is a second look: scored, learned from, and scored again; or scored several
    times with the lowest score kept. Scoring again with the same state (the last stride of a sliding window) is fine.

Why it breaks the score
    A code is written once. Rescoring after learning from the token, or keeping the best of several codes without paying
    for saying which, counts bits that a decoder would need.

Example
    run_ttt(val_tokens)                          # first pass adapts
    print(run_ttt(val_tokens))                   # fails: second pass scores what it was adapted to
    best = torch.minimum(best, nll)              # fails: choosing by the answer

Legal alternative
    Report the first pass. Combine several predictions before the answer is seen (average the distributions), not after.

Rulings
    2026-03-24 #573 #685: lowest score over passes. 2026-03-27 #846 #868 #881 #907: two-pass rescoring.
    2026-03-28 #991: TTT twice, second pass reported.
    https://github.com/openai/parameter-golf/issues/1017

Since
    0.1.0
"""

from __future__ import annotations

from harness.case import Case, Finding, Grade, Status
from rules.C3 import FEWEST
from rules.evidence import capped, frames, from_static
from rules.experiments import tested
from rules.registry import rule


@rule("C4", title="Single pass", categories=("multi_pass_rescore",), needs=("trace", "static", "probes"))
@tested("C4")
def single_pass(case: Case) -> Finding:
    """Trace first: a choice or an update between two scores of a position; static evidence where no run covers it."""
    trace = case.trace
    if trace is None or not trace.covers or trace.coverage is None:
        return from_static(case, "C4", ("multi_pass_rescore",))
    if trace.choice is not None:
        return _fail(
            case,
            f"{trace.choice.positions:,} val positions were scored several times and the lower score was kept "
            f"({trace.choice.by}).",
            frames(case, trace.choice.frames),
        )
    leak = trace.leak
    if leak is not None and leak.rescored and not (leak.loose or leak.suspect) and leak.positions >= FEWEST:
        return _fail(
            case,
            f"{leak.positions:,} val positions were scored, trained on and scored again by the same evaluation; the "
            "later score enters the claimed number.",
            frames(case, leak.score, leak.update),
        )
    again = trace.coverage.repeated_after_update
    if again >= FEWEST:
        return capped(
            case,
            Finding(
                "C4",
                Status.REVIEW,
                f"{again:,} val positions count twice in the claimed number, with an update between the two scores.",
                category="multi_pass_rescore",
                grade=Grade.TRACE,
            ),
        )
    seen = "Every val position counts with one score"
    if trace.coverage.repeated:
        seen = (
            f"{trace.coverage.repeated:,} of {trace.coverage.scored:,} val positions count more than once, always scored "
            "by the same state"
        )
    return capped(
        case,
        Finding("C4", Status.PASS, seen + ", and no score was chosen among several.", grade=Grade.TRACE),
        against=("multi_pass_rescore",),
    )


def _fail(case: Case, summary: str, evidence: tuple) -> Finding:  # type: ignore[type-arg]
    return capped(
        case,
        Finding(
            "C4", Status.FAIL, summary, category="multi_pass_rescore", grade=Grade.TRACE, evidence=evidence
        ),
    )
