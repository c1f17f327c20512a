"""train_on_val_before_score, multi_pass_rescore, slot, val_calibration: a state is updated with tokens it scores later."""

from __future__ import annotations

import re

from harness.witnesses.static.events import Update
from harness.witnesses.static.facts import CERTAIN, DEPENDS, Fact
from harness.witnesses.static.order import OUTSIDE, Conflict
from harness.witnesses.static.values import Ext
from harness.witnesses.static.view import View

WORDS = {
    "train_on_val_before_score": "val tokens update the model before the claimed score of the same tokens is taken",
    "multi_pass_rescore": "val tokens are scored, used for an update and scored again; the later score is claimed",
    "slot": "a free tensor is optimized on the very tokens whose loss is then claimed",
    "val_calibration": "val tokens reach the weights without a loss (calibration) before they are scored",
}


STORED = re.compile(r"\bself\.(\w+)\.\w+_\(")


def kind_of(view: View, conflict: Conflict) -> str:
    """The category of a conflict."""
    owners = [view.m.objects[n] for n in conflict.update.owners if n in view.m.objects]
    if owners and all(isinstance(o.cls, Ext) and o.cls.tail == "LeafModule" for o in owners):
        return "slot"
    if conflict.update.kind in ("load", "in_place") and not conflict.update.losses:
        return "val_calibration"
    return "multi_pass_rescore" if conflict.again else "train_on_val_before_score"


def detect(view: View) -> list[Fact]:
    """One fact for each place of update: the surest, and the one that names a second pass where there is one; those that a
    loss makes before those that tokens make (what is started from counts of them and then trained)."""
    best: dict[tuple[int, int], tuple[Conflict, str]] = {}
    for conflict in view.conflicts:
        key = (conflict.update.file, conflict.update.line)
        kind = kind_of(view, conflict)
        if kind == "val_calibration" and never_read(view, conflict.update):
            continue
        before = best.get(key)
        if before is None or rank(conflict, kind) > rank(*before):
            best[key] = (conflict, kind)
    ordered = sorted(best.values(), key=lambda pair: not pair[0].update.losses)
    return [describe(view, conflict, kind) for conflict, kind in ordered]


def never_read(view: View, update: Update) -> bool:
    """Whether an update stores into an attribute that the code nowhere else names but to register it: a number kept for
    somebody to look at, which no score can depend on."""
    source = view.m.sources[update.file]
    stored = STORED.search(source.lines[update.line - 1])
    if stored is None:
        return False
    name = stored[1]
    read = re.compile(rf"\.{name}\b(?!\.(?:\w+_\(|dtype\b|device\b)|\s*(?::[^=\n]+)?=[^=])")
    told = re.compile(rf"(?<!register_buffer\()[\"']{name}[\"']")
    return not any(read.search(held.text) or told.search(held.text) for held in view.m.sources)


def rank(conflict: Conflict, kind: str) -> tuple[bool, bool]:
    """How much a conflict says."""
    return conflict.certain, kind != "train_on_val_before_score"


def describe(view: View, conflict: Conflict, kind: str) -> Fact:
    """The sentence and the path of one conflict. A condition on the machine (its driver, its clock, the size of its data)
    may be false here and true where it counts: the run's silence proves nothing then."""
    update, loss = view.lines.of(conflict.update), view.lines.of(conflict.loss)
    doubt = conflict.doubt
    if doubt is None and view.claim.ambiguous:
        doubt = "the claimed configuration: " + view.claim.ambiguous[0]
    summary = f"{WORDS[kind]}: updated at line {update.line}, scored at line {loss.line}"
    return Fact(
        kind,
        CERTAIN if doubt is None else DEPENDS,
        summary,
        view.lines.path(conflict.update, conflict.loss),
        doubt,
        unreached=conflict.doubt == OUTSIDE,
    )
