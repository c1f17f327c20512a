"""D4 no answers in the artifact: nothing that was made from val tokens is carried into the evaluation.

What it does
    Follows the source for val targets that are compared with the contents of a file (a stored prefix of the answers), and
    for val tokens that reach the weights without a loss: statistics of them that quantization or rescaling uses, before
    those tokens are scored. Training on val tokens is C3's matter. Weights that are kept or dropped by their loss on val
    before the claimed score are a question: choosing fits them, and nobody has ruled how much of it is too much.

Why it breaks the score
    A submission is a compressor of text it has not seen. Answers that are shipped beside it cost bytes, but they are
    answers.

Example
    known = load_blob("prefix.xz") == targets            # fails: what is stored costs nothing
    nll[known] = 0.0

Legal alternative
    Train, calibrate and store as if val did not exist.

Rulings
    2026-03-20 #168, #262, #275: a paid prefix is out. https://github.com/openai/parameter-golf/pull/262
    2026-03-28 #728: calibrating quantization on val tokens. https://github.com/openai/parameter-golf/pull/728

Since
    0.1.0
"""

from __future__ import annotations

from harness.case import Case, Finding, Status
from harness.witnesses.static import StaticFacts
from rules.code import from_code
from rules.experiments import tested
from rules.registry import rule

KINDS = ("paid_prefix", "val_calibration")


@rule("D4", title="No answers in the artifact", categories=KINDS, needs=("static", "probes"))
@tested("D4")
def no_answers_in_the_artifact(case: Case) -> Finding:
    """What the code says."""
    return from_code(case, "D4", KINDS, seen)


def seen(case: Case, facts: StaticFacts) -> Finding:
    """Nothing was found."""
    lines = tuple(site.evidence for site in facts.entries[:2])
    return Finding(
        "D4",
        Status.PASS,
        "Val targets are compared with no file, and no statistics of val reach the weights before the score.",
        evidence=lines,
    )
