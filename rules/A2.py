"""A2 score comes from the artifact: what is scored is what was written, read back, and counted.

What it does
    Looks at the experiment that puts the artifact of another run, on other training data, in the place of the script's own
    at the moment when the script reads it back. The score must then be that of the other run, to the last digit. Where it
    is not, the artifact is not all that the score rests on, and a reviewer is asked.
    A rerun loads the artifact in a fresh process that has trained one step: the weights must be those that scored, to the
    bit. Where the evaluation adapts nothing and our own windows over them give its loss, nothing else can have scored.
    Without either, a claimed line whose words say that its weights were not quantized yet is a question.

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

import dataclasses
import re
from typing import TYPE_CHECKING

from harness.case import Case, Finding, Grade, Status
from harness.witnesses.probes.facts import CLEAR, DOUBTFUL
from rules.registry import rule

if TYPE_CHECKING:
    from harness.witnesses.rerun.facts import RerunFacts

_BEFORE = re.compile(r"(?i)pre[-_ ]?quant|unquantized|before[-_ ]quant|post[-_ ]?ema")
_AFTER = re.compile(r"(?i)\bu?int\d|_int\d|zlib|zstd|brotli|lzma|roundtrip|sliding|ttt")
"""Words of a claimed line that say which weights it scores."""

AGREE = 2e-3
"""Nats: a script's own windows may end otherwise than ours, which shows in the small world."""


@rule("A2", title="Score comes from the artifact", needs=("probes", "rerun"))
def score_comes_from_the_artifact(case: Case) -> Finding:
    """The experiments' word, and that of the claimed line itself: never more than a question."""
    finding = _loaded(case, _exchanged(case))
    label, line = case.claim.label or "", case.claim.label_evidence
    if finding.status is Status.REVIEW or not _BEFORE.search(label) or _AFTER.search(label):
        return finding
    told = f"The claimed score is that of the line '{label}': by its words its weights were not quantized yet, so that no "
    told += "artifact made it."
    return Finding("A2", Status.REVIEW, told, grade=Grade.CLAIM, evidence=(line,) if line is not None else ())


def _exchanged(case: Case) -> Finding:
    """What another run's artifact in the place of the script's own did to the score."""
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


def _loaded(case: Case, finding: Finding) -> Finding:
    """The finding beside the weights that a fresh process of a rerun loaded from the artifact."""
    artifact = case.rerun.artifact if case.rerun is not None else None
    if case.rerun is None or artifact is None or artifact.loaded is None:
        return finding
    told = f"A fresh process that loads the artifact of the rerun has {artifact.loaded_told}."
    if not artifact.loaded:
        if finding.status is Status.PASS:
            return dataclasses.replace(finding, summary=f"{finding.summary} {told}")
        reason = told if finding.status is Status.NOT_COVERED else f"{finding.summary} {told}"
        return Finding("A2", Status.REVIEW, reason, grade=Grade.COUNTERFACTUAL)
    same = _nothing_else(case.rerun)
    if finding.status is Status.NOT_COVERED and same is not None:
        return Finding("A2", Status.PASS, f"{told} {same}", grade=Grade.COUNTERFACTUAL)
    return dataclasses.replace(finding, summary=f"{finding.summary} {told}")


def _nothing_else(rerun: RerunFacts) -> str | None:
    """A sentence where our own score of the decoded weights is the one that the script printed; None where it is not."""
    ours = next((m.loss for m in rerun.measured if m.weights == "decoded" and m.loss is not None), None)
    own = next((p for p in rerun.passes if p.claimed and not p.train_calls), None)
    if ours is None or own is None or own.printed_loss is None or abs(ours - own.printed_loss) > AGREE:
        return None
    return f"Our own windows over them give {ours:.6f} nats, the script printed {own.printed_loss:.6f}."
