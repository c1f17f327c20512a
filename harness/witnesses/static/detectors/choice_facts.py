"""Choosing by the realized loss: the lower of several losses of the same tokens is kept (oracle gate, minimum of passes).

Which loss is lower is known only once the answer is, so what is claimed is no code length of any predictor.
"""

from __future__ import annotations

from harness.witnesses.static.events import Choice, Loss
from harness.witnesses.static.facts import CERTAIN, DEPENDS, Fact
from harness.witnesses.static.order import site
from harness.witnesses.static.updates import closure
from harness.witnesses.static.view import View


def detect(view: View) -> list[Fact]:
    """One fact for each place where claimed losses are compared and one is kept."""
    claimed = {loss.number for loss in view.claimed}
    found: dict[int, Fact] = {}
    for event in view.m.events:
        if not isinstance(event, Choice) or event.line in found or event.number in view.m.pivots:
            continue
        first, second = losses(view, event.first), losses(view, event.second)
        if not event.first & claimed or (event.second and not event.second & claimed):
            continue
        if first:
            found[event.line] = describe(view, event, first, second)
    return list(found.values())


def losses(view: View, numbers: frozenset[int]) -> list[Loss]:
    """The original losses on one side of a choice."""
    events = [view.m.events[n] for n in closure(view.m, numbers)]
    return [e for e in events if isinstance(e, Loss) and e.on_val]


def describe(view: View, event: Choice, first: list[Loss], second: list[Loss]) -> Fact:
    """Passes over the same tokens where the same line computed both sides, else an oracle between two experts."""
    passes = bool({site(a) for a in first} & {site(b) for b in second}) and any(
        update.number > min(a.number for a in first) for update in view.updates.values() if update.losses
    )
    kind = "multi_pass_rescore" if passes else "unnormalised_mixture"
    what = (
        "tokens are scored in several passes with updates between, and the lowest loss is kept"
        if passes
        else "two losses of the same tokens are compared and the lower is kept, which only the answer can tell"
    )
    chosen = {loop for a in first for loop, _ in a.region}
    doubt = None
    if view.claim.ambiguous:
        doubt = view.claim.ambiguous[0]
    elif not any(step[0] in chosen for step in event.loops):
        doubt = "whether whole evaluations are compared to choose a model rather than losses of single tokens"
    return Fact(
        kind,
        CERTAIN if doubt is None else DEPENDS,
        f"{what} (line {event.line})",
        view.lines.path(first[0], event),
        doubt,
    )
