"""partial_val: a condition on val tokens or on their losses decides which losses enter the claimed sum."""

from __future__ import annotations

from harness.witnesses.static.events import Note
from harness.witnesses.static.facts import DEPENDS, Fact
from harness.witnesses.static.sifting import SIFTED
from harness.witnesses.static.updates import closure
from harness.witnesses.static.view import View


def detect(view: View) -> list[Fact]:
    """One fact for each condition of which one outcome alone adds losses to the claimed number."""
    claimed = {loss.number for loss in view.claimed}
    ways: dict[tuple[int, int], set[bool]] = {}
    first: dict[tuple[int, int], Note] = {}
    for event in view.m.events:
        if not (isinstance(event, Note) and event.what == SIFTED and closure(view.m, event.losses) & claimed):
            continue
        for number, way, _ in event.guards:
            if number in view.m.sieves:
                ways.setdefault(view.m.sieves[number], set()).add(way)
                first.setdefault(view.m.sieves[number], event)
    return [fact(view, place, first[place]) for place in sorted(ways) if len(ways[place]) == 1]


def fact(view: View, place: tuple[int, int], event: Note) -> Fact:
    """The fact of one condition; a small run may never meet it."""
    return Fact(
        "partial_val",
        DEPENDS,
        f"a condition on val tokens or their losses (line {place[1]}) decides which losses are added to the claimed sum",
        (view.lines.at(*place), view.lines.of(event)),
        "whether the condition ever keeps tokens of the official validation set out",
        unreached=True,
    )
