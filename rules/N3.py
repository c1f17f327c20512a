"""N3 conditions met: what the claimed score was taken under, a small run meets too.

What it does
    Notes which way every condition of the script (not of its modules) goes while the claimed score is taken at small scale,
    and tells those that compare with a number of their own, ask the clock, the machine or its files, went one way only, and
    would do more than print or raise on the other. Where the claimed settings alone decide a condition and the run went
    their way, it is not told.

Why it breaks the score
    It breaks no score. What the run and the experiments show, they show of the code that ran. Behind
    `if val.numel() > 10_000_000:` or `if length >= 1024:` may stand what the official run alone meets.

Example
    if inputs.size(1) >= 1024:                   # never in a small run
        x[:, :-1] += x[:, 1:]

Legal alternative
    Take the condition out, or let a setting decide it, which the claimed configuration tells.

Rulings
    None.

Since
    0.1.0
"""

from __future__ import annotations

from harness.case import Case, Evidence, Finding, Grade, Status
from harness.witnesses.gates import Gate
from rules.registry import rule


@rule("N3", title="Conditions met", needs=("trace",))
def conditions_met(case: Case) -> Finding:
    """A person reads what a condition on size, time or machine kept out of the run."""
    if case.gates is None:
        return Finding("N3", Status.NOT_COVERED, "Not covered: no run showed which way the conditions go.")
    if not case.gates:
        return Finding(
            "N3",
            Status.PASS,
            "No condition on a size, the time or the machine kept code out of the run that takes the claimed score.",
            grade=Grade.TRACE,
        )
    first, more = case.gates[0], len(case.gates) - 1
    return Finding(
        "N3",
        Status.REVIEW,
        f"The condition of line {first.line} ({first.test}) always went one way at small scale, so that the run tells "
        f"nothing of what line {first.other} does to the claimed score"
        + (f"; {more} more condition{'s' if more > 1 else ''} likewise." if more else "."),
        grade=Grade.TRACE,
        evidence=tuple(e for gate in case.gates[:4] for e in _shown(case, gate)),
    )


def _shown(case: Case, gate: Gate) -> tuple[Evidence, ...]:
    """The line of a condition and that of what was not run."""
    script = case.submission.script
    return () if script is None else tuple(map(script.evidence, dict.fromkeys((gate.line, gate.other))))
