"""partial_val, val_calibration, multi_pass_rescore: val decides which losses enter the sum, which weights or settings
score, or which of several scores is claimed."""

from __future__ import annotations

from harness.witnesses.static.events import Note
from harness.witnesses.static.facts import DEPENDS, Fact
from harness.witnesses.static.ranking import SHARE
from harness.witnesses.static.sifting import CHOSEN, SIFTED
from harness.witnesses.static.updates import closure
from harness.witnesses.static.view import View


def detect(view: View) -> list[Fact]:
    """What is left out of the sum, and what is chosen before it is made."""
    return [*left_out(view), *(weights(view) or settings(view)), *lowest(view)]


def settings(view: View) -> list[Fact]:
    """The first claimed loss that is made with something chosen by losses of val that do not enter the claimed number."""
    claimed = {loss.number for loss in view.claimed}
    for loss in view.claimed:
        for number in sorted(mark[1] for mark in loss.marks if mark[0] == "chosen"):
            sieve = view.m.sieves[number]
            if closure(view.m, sieve.losses) & claimed:
                continue  # scored before they decide
            return [
                Fact(
                    "val_calibration",
                    DEPENDS,
                    f"something that the claimed score needs is chosen by its loss on val tokens (line {sieve.line})",
                    (view.lines.at(sieve.file, sieve.line), view.lines.of(loss)),
                    "whether choosing it so counts as fitting it to the validation set",
                    unreached=True,
                )
            ]
    return []


def lowest(view: View) -> list[Fact]:
    """One fact where the claimed number was taken out of several that stand in the order of their losses, or is the sum of
    a part of them."""
    marks = view.line.marks if view.line is not None else ()
    claimed = {loss.number for loss in view.claimed}
    for kind, number in sorted(mark for mark in marks if mark[0] in ("chosen", SHARE)):
        sieve = view.m.sieves[number]
        if not sieve.ranks or not closure(view.m, sieve.losses) & claimed:
            continue
        whole = kind == "chosen"
        return [
            Fact(
                "multi_pass_rescore" if whole else "partial_val",
                DEPENDS,
                f"of several losses of val tokens the claimed number keeps {'one' if whole else 'a part'}, picked by how "
                f"low they are (line {sieve.line})",
                (view.lines.at(sieve.file, sieve.line),),
                "whether the others are scores of the same tokens"
                if whole
                else "whether the others are tokens of the official validation set",
                unreached=True,
            )
        ]
    return []


def weights(view: View) -> list[Fact]:
    """The first line that sets weights by losses of val that do not enter the claimed number."""
    claimed = {loss.number for loss in view.claimed}
    for event in view.m.events:
        if not (isinstance(event, Note) and event.what == CHOSEN) or event.number > max(claimed, default=0):
            continue
        if closure(view.m, event.losses) & claimed:
            continue  # scored before they decide
        return [
            Fact(
                "val_calibration",
                DEPENDS,
                f"weights are kept or dropped by their loss on val tokens (line {event.line}) before the claimed score is "
                "taken of the same tokens",
                (view.lines.of(event), view.lines.of(view.claimed[0])),
                "whether choosing among weights so counts as fitting them to the validation set",
                unreached=True,
            )
        ]
    return []


def left_out(view: View) -> list[Fact]:
    """One fact for each condition of which one outcome alone adds losses to the claimed number."""
    claimed = {loss.number for loss in view.claimed}
    ways: dict[tuple[int, int], set[bool]] = {}
    first: dict[tuple[int, int], Note] = {}
    sieves = {number: (held.file, held.line) for number, held in view.m.sieves.items()}
    for event in view.m.events:
        if not (isinstance(event, Note) and event.what == SIFTED and closure(view.m, event.losses) & claimed):
            continue
        for number, way, _ in event.guards:
            if number in sieves:
                ways.setdefault(sieves[number], set()).add(way)
                first.setdefault(sieves[number], event)
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
