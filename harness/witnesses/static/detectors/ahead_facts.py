"""target_gating: on the way of val tokens through the model, positions meet what comes after them."""

from __future__ import annotations

from harness.witnesses.static.ahead import AHEAD, POOLED
from harness.witnesses.static.events import Note
from harness.witnesses.static.facts import DEPENDS, Fact
from harness.witnesses.static.view import View


def detect(view: View) -> list[Fact]:
    """One fact for each line that looks ahead or joins all positions."""
    return [*ahead(view), *pooled(view)]


def pooled(view: View) -> list[Fact]:
    """One fact for each line that joins what positions hold: its weight may be nothing in a small run alone."""
    found = {(e.file, e.line): e for e in view.m.events if isinstance(e, Note) and e.what == POOLED}
    return [
        Fact(
            "target_gating",
            DEPENDS,
            f"what positions hold is joined over an axis that looks like theirs (line {event.line}), and each may be given "
            "what later ones hold",
            view.lines.path(event),
            "whether that is the axis of positions and reaches the claimed score",
            unreached=True,
        )
        for event in found.values()
    ]


def ahead(view: View) -> list[Fact]:
    """One fact for each line that looks ahead."""
    found = {(e.file, e.line): e for e in view.m.events if isinstance(e, Note) and e.what == AHEAD}
    return [
        Fact(
            "target_gating",
            DEPENDS,
            f"positions are given what later ones hold (line {event.line}), which may be the tokens that they predict",
            view.lines.path(event),
            "whether this reaches the claimed score, which changing later tokens alone would show",
        )
        for event in found.values()
    ]
