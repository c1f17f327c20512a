"""gptq_calibration_eval_time: training shards are run through the model after the training clock ended without a reserve.

The README gives training 600 s and forbids training data afterwards. A clock that was stopped early, with any reserve,
leaves time for calibration; whether it was enough only the log tells. A setting that is chosen by the loss of training
tokens, with no state made from them, is a question: a merged record did so (#640, one temperature).
"""

from __future__ import annotations

from harness.witnesses.static.events import PLAIN_TRAIN_RUN, TRAIN_RUN, Loss, Note, Update
from harness.witnesses.static.facts import CERTAIN, DEPENDS, Fact
from harness.witnesses.static.view import View

LIMIT_S = 600.0
CHOOSES = (
    "whether a setting that is chosen by the loss of training tokens counts as training: one temperature did not in the "
    "merged record #640"
)


def detect(view: View) -> list[Fact]:
    """At most one fact: the first run of the model on training shards after the training loop."""
    if not view.claimed:
        return []
    steps = [u for u in view.updates.values() if trains(view, u) and u.number < view.claimed[0].number]
    if not steps:
        return []
    last = max(u.number for u in steps)
    loop = {step[0] for u in steps if u.number == last for step in u.loops}
    limit = clock_limit(view, loop)
    for event in view.m.events[last:]:
        if not isinstance(event, Note) or event.what not in (TRAIN_RUN, PLAIN_TRAIN_RUN):
            continue
        if not loop & {step[0] for step in event.loops} and event.number < view.claimed[0].number:
            return [describe(view, event, limit)] if limit is not None and full(limit) else []
    return []


def weighs_losses(view: View, event: Note) -> bool:
    """Whether all that is taken from the run, where no hook looks on, is the loss of the training tokens."""
    if event.what != PLAIN_TRAIN_RUN:
        return False
    loops = {step[0] for step in event.loops}
    return any(
        isinstance(later, Loss)
        and {t.stream for t in later.targets} == {"train"}
        and loops <= {step[0] for step in later.loops}
        for later in view.m.events[event.number + 1 :]
    )


def trains(view: View, update: Update) -> bool:
    """Whether an update is a training step: its losses are of training tokens and were taken in the same loop."""
    around = {step[0] for step in update.loops}
    fresh = any(around & {s[0] for s in view.m.events[n].loops} for n in update.losses)
    return update.kind == "step" and fresh and streams(update) == {"train"}


def full(limit: float) -> bool:
    """Whether a limit is the whole of the training time; a longer one belongs to other hardware or another track."""
    return LIMIT_S <= limit < LIMIT_S + 1


def streams(update: Update) -> set[str]:
    """The streams whose tokens made an update."""
    return {t.stream for t in update.tokens}


def clock_limit(view: View, loop: set[int]) -> float | None:
    """The limit in seconds at which the training loop stops; None where no clock was seen in it."""
    limits = [
        value / 1000 if value > 10_000 else value
        for _, _, _, value, around in view.m.clocks
        if loop & set(around)
    ]
    plausible = [value for value in limits if 60 <= value <= 36_000]
    return min(plausible) if plausible else None


def describe(view: View, event: Note, limit: float) -> Fact:
    """The sentence, and how sure it is."""
    doubt = view.claim.ambiguous[0] if view.claim.ambiguous else None
    if doubt is None and weighs_losses(view, event):
        doubt = CHOOSES
    return Fact(
        "gptq_calibration_eval_time",
        CERTAIN if doubt is None else DEPENDS,
        f"the training clock runs to {limit:g} s, and then the model is run on training shards again "
        f"(line {event.line})",
        tuple(view.lines.calls(event)),
        doubt,
    )
