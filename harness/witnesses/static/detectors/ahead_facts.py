"""target_gating: on the way of val tokens through the model, positions meet what comes after them."""

from __future__ import annotations

from harness.witnesses.static.ahead import AHEAD
from harness.witnesses.static.events import Note
from harness.witnesses.static.facts import DEPENDS, Fact
from harness.witnesses.static.view import View


def detect(view: View) -> list[Fact]:
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
