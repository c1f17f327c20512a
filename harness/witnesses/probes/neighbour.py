"""Probe 7: give documents another neighbour; does a document's loss depend on the one before it, and by how much?

Hypothesis: none, it is a measurement. Statistic: how far the losses of every second document move when the text of the
documents before them is exchanged, by the place of the token in its document. Decision: none. In a concatenated stream a
model may look at the document before, and what adapts to scored tokens carries more than that. The size tells a reviewer
whether something mixes tokens across BOS that was meant not to.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from harness.witnesses.probes import facts
from harness.witnesses.probes.facts import Neighbour, Reach
from harness.witnesses.probes.future import TOLERANCE, Ints, Scored, order_of
from harness.witnesses.probes.laboratory import Laboratory
from harness.witnesses.trace.run import trace_of
from harness.worlds.changed import changed

Floats = NDArray[np.float64]

EDGES = (1, 2, 9, 65)
"""Tokens of a document are told apart by their place after BOS: the first, up to the 8th, up to the 64th, and later."""


def neighbour(lab: Laboratory) -> Neighbour:
    """Run the experiment."""
    before = order_of(lab.case.trace)
    if before is None:
        return Neighbour(facts.NOT_COVERED, "Losses cannot be told by position: the books do not balance.")
    document, place = places(lab.world.val_stream() == lab.world.bos_id)
    positions = np.flatnonzero((document % 2 == 1) & (place > 0))
    try:
        world = changed(lab.world, positions, lab.folder / "neighbour-world")
    except ValueError as error:
        return Neighbour(facts.NOT_COVERED, f"{error}.")
    run = lab.run_in(world, None, "neighbour")
    after = order_of(trace_of(run, world, lab.case.claim)) if run.outcome == "scored" else None
    if after is None or not np.array_equal(before.position, after.position):
        return Neighbour(facts.NOT_COVERED, "With other neighbours other positions were scored, or none.")
    adapts = lab.case.trace is not None and lab.case.trace.trained_positions > 0
    return measured(before, after, document, place, adapts=adapts)


def places(is_bos: NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """For each val position the number of its document, and its place in it: 0 is BOS."""
    at = np.arange(len(is_bos))
    begins = np.maximum.accumulate(np.where(is_bos, at, 0))
    return np.cumsum(is_bos) - is_bos[0], at - begins


def measured(before: Scored, after: Scored, document: Ints, place: Ints, *, adapts: bool) -> Neighbour:
    """How far the losses of the documents moved whose own text stayed; `document` and `place` are by val position."""
    where, at = document[before.position], place[before.position]
    kept = (where % 2 == 0) & (where > 0) & (at > 0)
    change = np.nan_to_num(np.abs(after.loss - before.loss), nan=np.inf)
    compared = len(np.unique(where[kept]))
    if not compared:
        return Neighbour(facts.NOT_COVERED, "No document was scored whose own text stayed.")
    moved = len(np.unique(where[kept & (change > TOLERANCE)]))
    found = Neighbour(
        facts.CLEAR, "", compared, moved, float(change[kept].mean()), float(change[kept].max()),
        _reaches(change, at, kept),
    )  # fmt: skip
    return dataclasses.replace(found, reason=_words(found, adapts=adapts))


def _reaches(change: Floats, at: Ints, kept: NDArray[np.bool_]) -> tuple[Reach, ...]:
    """The change by place in the document."""
    found = []
    for first, last in zip(EDGES, (*EDGES[1:], int(at.max()) + 1), strict=True):
        rows = change[kept & (at >= first) & (at < last)]
        if len(rows):
            found.append(Reach(first, last - 1, len(rows), float(rows.mean()), float(rows.max())))
    return tuple(found)


def _words(found: Neighbour, *, adapts: bool) -> str:
    told = f"The text of every second document was exchanged: of the {found.documents:,} documents after them"
    if not found.moved:
        return f"{told} not one loss moved. Each document is scored without the one before it."
    near = found.reaches[0]
    words = (
        f"{told} {found.moved:,} moved, by {found.mean:.4f} nats a token on average and by up to {found.largest:.4f}; the "
        f"first token after BOS by {near.mean:.4f}. A concatenated stream may depend on the document before."
    )
    learned = " Part of it may be what the script learned from documents that it had scored."
    return words + (learned if adapts else "")
