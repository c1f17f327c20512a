"""partial_val: each process scores a share of val, and the shares are never brought together."""

from __future__ import annotations

import ast

from harness.witnesses.static.events import Loss, Note
from harness.witnesses.static.facts import DEPENDS, Fact
from harness.witnesses.static.shares import TOGETHER, splits
from harness.witnesses.static.updates import closure
from harness.witnesses.static.view import View


def detect(view: View) -> list[Fact]:
    """At most one fact: the first claimed loss of a function that splits val by rank, where no reduction meets any."""
    claimed = {loss.number for loss in view.claimed}
    marks = {mark[0] for loss in view.claimed for mark in loss.marks} | {
        m[0] for m in (view.line.marks if view.line else ())
    }
    if (
        not claimed
        or "native" in marks
        or any(
            isinstance(e, Note) and e.what == TOGETHER and closure(view.m, e.losses) & claimed
            for e in view.m.events
        )
    ):
        return []
    for loss in view.claimed:
        for file, line in ((loss.file, loss.line), *loss.frames):
            for function in around(view, file, line):
                at = splits(view.m, file, function)
                if at and loss.loops:
                    return [fact(view, loss, file, at)]
    return []


def around(view: View, file: int, line: int) -> list[ast.FunctionDef]:
    """The functions whose lines hold a line."""
    return [f for f in view.m.sources[file].functions if f.lineno <= line <= (f.end_lineno or 0)]


def fact(view: View, loss: Loss, file: int, line: int) -> Fact:
    """The fact; one process alone, as in a small run, has the whole set."""
    return Fact(
        "partial_val",
        DEPENDS,
        f"each process scores its share of val (line {line}), and no reduction was seen that brings the losses together",
        (view.lines.at(file, line), view.lines.of(loss)),
        "whether the printed number is that of all processes",
        unreached=True,
    )
