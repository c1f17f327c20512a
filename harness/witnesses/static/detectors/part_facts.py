"""partial_val and paid_prefix: the claimed number leaves tokens out, or takes answers from a file."""

from __future__ import annotations

import dataclasses

from harness.witnesses.static.events import Printed
from harness.witnesses.static.facts import CERTAIN, DEPENDS, Fact
from harness.witnesses.static.view import View


def detect(view: View) -> list[Fact]:
    """Facts from the marks that the claimed losses and the claimed number carry."""
    marks = {mark for loss in view.claimed for mark in loss.marks}
    if isinstance(view.line, Printed):
        marks |= view.line.marks
    facts: list[Fact] = []
    for what, detail in sorted(marks, key=str):
        if what == "sampled":
            facts.append(
                fact(
                    view, "partial_val", detail, "the claimed score is taken of val positions drawn at random"
                )
            )
        elif what == "capped":
            line, end, names = detail
            found = fact(view, "partial_val", line, f"the claimed score is taken of the first {end:,} only")
            found = dataclasses.replace(found, unreached=True)  # a small validation set may end before that
            unsaid = [name for name in names if name not in view.claim.environment()]
            facts.append(unsure(found, unsaid) if unsaid and found.depends_on is None else found)
        elif what == "known":
            sentence = "val targets are compared with the contents of a file, and what is known from it costs nothing"
            facts.append(fact(view, "paid_prefix", detail, sentence))
    return facts


def unsure(found: Fact, names: list[str]) -> Fact:
    """A fact that rests on the default of a setting which the claim does not mention."""
    doubt = f"whether the claimed run left {' and '.join(names)} at its default"
    return dataclasses.replace(found, certainty=DEPENDS, depends_on=doubt)


def fact(view: View, kind: str, line: int, sentence: str) -> Fact:
    """One fact at a line."""
    doubt = view.claim.ambiguous[0] if view.claim.ambiguous else None
    path = (
        (view.lines.at(0, line), view.lines.of(view.claimed[0]))
        if view.claimed
        else (view.lines.at(0, line),)
    )
    return Fact(kind, CERTAIN if doubt is None else DEPENDS, f"{sentence} (line {line})", path, doubt)
