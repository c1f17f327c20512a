"""A2 score comes from the artifact: what is scored is what was written, read back, and counted.

What it does
    Looks at the experiment that puts the artifact of another run, on other training data, in the place of the script's own
    at the moment when the script reads it back. The score must then be that of the other run, to the last digit. Where it
    is not, the artifact is not all that the score rests on, and a reviewer is asked.

Why it breaks the score
    The challenge counts the bytes of the artifact. Weights, tables or constants that stay in memory between training and
    evaluation are not counted.

Example
    torch.save(model.state_dict(), "final.pt")
    torch.load("final.pt")                                     # a question: read, and not used
    evaluate(model, val)                                       # the weights in memory score

    model.load_state_dict(torch.load("final.pt"))
    temperature = fit(model, train_tokens)                     # a question: made after the artifact, from training data

Legal alternative
    Build the model anew, load everything that it needs from the artifact, and score.

Rulings
    README of the challenge: the artifact is code bytes plus compressed model bytes; no training data at evaluation.
    https://github.com/openai/parameter-golf

Since
    0.1.0
"""

from __future__ import annotations

from harness.case import Case, Finding, Grade, Status
from harness.witnesses.probes.facts import CLEAR, DOUBTFUL
from rules.registry import rule


@rule("A2", title="Score comes from the artifact", needs=("probes",))
def score_comes_from_the_artifact(case: Case) -> Finding:
    """The experiment's word: never more than a question."""
    found = case.probes.transplant if case.probes else None
    if found is None:
        return Finding(
            "A2", Status.NOT_COVERED, "Not covered: no artifact was exchanged (--probes all does)."
        )
    status = {CLEAR: Status.PASS, DOUBTFUL: Status.REVIEW}.get(found.status, Status.NOT_COVERED)
    reason = found.reason if status is not Status.NOT_COVERED else f"Not covered: {found.reason}"
    if status is Status.REVIEW and found.shards_reason:
        reason = f"{reason} {found.shards_reason}"
    return Finding("A2", status, reason, grade=Grade.COUNTERFACTUAL)
