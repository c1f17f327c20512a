"""gptq_calibration_eval_time, train_time: training shards meet the model after the training clock ended without a reserve.

The README gives training 600 s (a host's policy may give another time) and forbids training data afterwards. A clock that
was stopped early, with any reserve, leaves time for calibration; whether it was enough only the log tells. A setting that
is chosen by the loss of training tokens, with no state made from them, is a question: a merged record did so (#640, one
temperature). A phase of training that has no clock of its own, behind a loop whose clock runs for the whole time, is
training that nobody timed: a question too, as an organizer called a script valid that replays its last batches so (#589).
"""

from __future__ import annotations

from harness.witnesses.static.events import PLAIN_TRAIN_RUN, TRAIN_RUN, Event, Loss, Note, Update
from harness.witnesses.static.facts import CERTAIN, DEPENDS, Fact
from harness.witnesses.static.view import View

CHOOSES = (
    "whether a setting that is chosen by the loss of training tokens counts as training: one temperature did not in the "
    "merged record #640"
)

UNTIMED = (
    "how long it trains and whether that counts: an organizer called #589 valid, which replays its last batches so for "
    "seconds"
)


def detect(view: View) -> list[Fact]:
    """At most two facts: the first training step after the clock, and the first other run on training shards."""
    if not view.claimed:
        return []
    scored = view.claimed[0].number
    steps = [u for u in view.updates.values() if trains(view, u) and u.number < scored]
    clocked = [u for u in steps if clock_limit(view, loops(u)) is not None]
    if not clocked:
        return []
    last = max(clocked, key=lambda u: u.number)
    limit = clock_limit(view, loops(last))
    if limit is None or not full(view, limit):
        return []
    later = [u for u in steps if u.number > last.number and u.owners & last.owners]
    found = [untimed(view, later[0], limit)] if later else []
    trained = loops(last).union(*(loops(u) for u in later))
    for event in view.m.events[last.number : scored]:
        if not isinstance(event, Note) or event.what not in (TRAIN_RUN, PLAIN_TRAIN_RUN):
            continue
        if not trained & loops(event):
            return [*found, describe(view, event, limit)]
    return found


def loops(event: Event) -> set[int]:
    """The loops that an event happened in."""
    return {step[0] for step in event.loops}


def untimed(view: View, update: Update, limit: float) -> Fact:
    """The sentence on a training step after the clock."""
    return Fact(
        "train_time",
        DEPENDS,
        f"the training clock runs to {limit:g} s, and then the model is trained on training shards by a loop "
        f"without a clock (line {update.line})",
        tuple(view.lines.calls(update)),
        view.claim.ambiguous[0] if view.claim.ambiguous else UNTIMED,
    )


def weighs_losses(view: View, event: Note) -> bool:
    """Whether all that is taken from the run, where no hook looks on, is the loss of the training tokens."""
    if event.what != PLAIN_TRAIN_RUN:
        return False
    return any(
        isinstance(later, Loss)
        and {t.stream for t in later.targets} == {"train"}
        and loops(event) <= loops(later)
        for later in view.m.events[event.number + 1 :]
    )


def trains(view: View, update: Update) -> bool:
    """Whether an update is a training step: its losses are of training tokens and were taken in the same loop."""
    fresh = any(loops(update) & loops(view.m.events[n]) for n in update.losses)
    return update.kind == "step" and fresh and streams(update) == {"train"}


def full(view: View, limit: float) -> bool:
    """Whether a limit is the whole of the training time; a longer one belongs to other hardware or another track."""
    return view.limits.train_seconds <= limit < view.limits.train_seconds + 1


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
