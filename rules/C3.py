"""C3 score before update: no val position may be scored by a model state that an earlier update made from it.

What it does
    Looks at every score that enters the claimed number and asks whether the state that made it (weights, buffers,
    adapters, optimized offsets) had been updated from that very position before. Only the pass behind the claimed number
    counts; state that was thrown away or restored before that pass does not.

Why it breaks the score
    BPB is a code length: a decoder must be able to follow. Weights that were trained on a token before it is scored
    already hold the answer, and no decoder has them.

Example
    for epoch in range(3):                  # fails: all of val is trained on, then scored
        for x, y in batches(val_tokens):
            model(x, y).backward(); optimizer.step()
    print(evaluate(model, val_tokens))

Legal alternative
    Score a chunk first, then train on it as often as you like, then go on to the next chunk:
    for chunk in chunks(val_tokens):
        total += score(model, chunk)        # under torch.no_grad()
        train(model, chunk)

Rulings
    2026-03-20 #152: "You can't train on the validation tokens before you evaluate on those same tokens".
    2026-03-24 #549 merged: chunk scored first, then three epochs on it.
    2026-03-24 #568 #573 #596 #605 #614: last or lowest epoch reported.
    2026-05-02 #1972: pre-quantization TTT violates score-first.
    https://github.com/openai/parameter-golf/issues/402 https://github.com/openai/parameter-golf/issues/1017

Since
    0.1.0
"""

from __future__ import annotations

from harness.case import Case, Finding, Grade, Status
from harness.witnesses.trace import Leak
from rules.evidence import at, capped, frames, from_static
from rules.experiments import tested
from rules.registry import rule
from rules.reruns import remeasured

FEWEST = 16
"""Fewer leaked positions than this are shown, not judged: a token run may coincide by accident."""


@rule(
    "C3",
    title="Score before update",
    categories=("train_on_val_before_score", "multi_pass_rescore", "slot"),
    needs=("trace", "static", "probes", "rerun"),
)
@tested("C3")
@remeasured("C3")
def score_before_update(case: Case) -> Finding:
    """Trace first: what was seen happening; static evidence where no run covers the claimed number."""
    trace = case.trace
    if trace is None or not trace.covers or trace.coverage is None:
        return from_static(case, "C3", ("train_on_val_before_score", "multi_pass_rescore"))
    if trace.leak is not None:
        return _leaked(case, trace.leak)
    seen = f"{trace.coverage.scored:,} val positions were scored"
    if trace.trained_positions:
        seen += f", {trace.trained_positions:,} were trained on, and none of them before its score"
    else:
        seen += " and no model state was updated from any of them"
    return capped(
        case,
        Finding("C3", Status.PASS, seen + ".", grade=Grade.TRACE, evidence=at(case, [trace.events])),
        against=("train_on_val_before_score",),
    )


def _leaked(case: Case, leak: Leak) -> Finding:
    summary = _story(leak)
    status = Status.FAIL
    if leak.positions < FEWEST:
        # As many may coincide by accident with training text that a script has cut up and joined anew.
        status, summary = Status.PASS, f"{summary} Fewer than {FEWEST} positions are shown, not judged."
    elif leak.suspect:
        told = case.static.certain("train_on_val_before_score") if case.static is not None else ()
        status = Status.FAIL if told else Status.REVIEW
        summary += f" The code shows it: {told[0].summary}" if told else ""
    category = (
        "slot" if leak.loose else "multi_pass_rescore" if leak.rescored else "train_on_val_before_score"
    )
    return capped(
        case,
        Finding(
            "C3",
            status,
            summary,
            category=None if status is Status.PASS else category,
            grade=Grade.TRACE,
            evidence=frames(case, leak.update, leak.backward, leak.score),
        ),
        against=("train_on_val_before_score",),
    )


def _story(leak: Leak) -> str:
    update = leak.update[0] if leak.update else None
    where = f"{update.function}() line {update.line}" if update else "an update that could not be placed"
    how = "scored, trained on and scored again" if leak.rescored else "trained on before they were scored"
    story = (
        f"{leak.positions:,} val positions were {how}: {where} updated the model from position {leak.first:,}, and only "
        f"then was that position scored for the claimed number (loss {leak.loss:.4f} nats)."
    )
    if leak.through_artifact and not leak.rescored:
        story += " The trained state was saved into the artifact."
    if leak.suspect:
        story += " The weights that scored were loaded from a value whose origin the run does not show."
    if leak.loose:
        story += (
            " What was trained is a tensor beside the model, optimized on the tokens it then scores (SLOT)."
        )
    return story
