"""unnormalised_mixture: the claimed number is made of losses that were bounded, scaled or left out by their own size."""

from __future__ import annotations

from harness.witnesses.static.bending import MARKS
from harness.witnesses.static.events import Bend
from harness.witnesses.static.facts import CERTAIN, DEPENDS, Fact
from harness.witnesses.static.view import View

FOR_A_READER = "which is for a reader to see"
"""How what an experiment can settle ends."""


def detect(view: View) -> list[Fact]:
    """One fact for each line that bends a loss on its way to the claimed line."""
    if view.line is None:
        return []
    claimed = {loss.number for loss in view.claimed}
    facts: dict[tuple[int, int], Fact] = {}
    for mark in sorted(mark for mark in view.line.marks if mark[0] in MARKS):
        event = view.m.events[mark[1]]
        if isinstance(event, Bend) and (event.losses & claimed or not event.losses):
            facts.setdefault((event.file, event.line), describe(view, event))
    return list(facts.values())


def describe(view: View, event: Bend) -> Fact:
    """The sentence, with the line."""
    sure = event.certain and not view.claim.ambiguous
    return Fact(
        "unnormalised_mixture",
        CERTAIN if sure else DEPENDS,
        f"the loss behind the claimed number {event.words} (line {event.line}): what is printed is no code length of all "
        "tokens",
        view.lines.path(event),
        None if sure else f"whether that changes the number, {FOR_A_READER}",
        unreached=True,
    )
