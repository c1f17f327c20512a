"""external_data: the script reaches out of the machine on the path that was followed."""

from __future__ import annotations

from harness.witnesses.static.events import Note
from harness.witnesses.static.facts import DEPENDS, Fact
from harness.witnesses.static.view import View


def detect(view: View) -> list[Fact]:
    """One fact for each place; whether it happens depends on what is there when it runs."""
    facts: dict[int, Fact] = {}
    for event in view.m.events:
        if isinstance(event, Note) and event.what == "network" and event.line not in facts:
            facts[event.line] = Fact(
                "external_data",
                DEPENDS,
                f"the script reaches the network at line {event.line}",
                tuple(view.lines.calls(event)),
                "what is fetched, and whether that is before training: nothing may be fetched for the evaluation",
            )
    return list(facts.values())
