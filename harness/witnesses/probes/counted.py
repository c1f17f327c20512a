"""Over which val positions a printed mean is: read from the books where they balance, else from what was seen scored.

Here alone the first probe listens to what ran beside the submission, and only to be lenient: what is not seen there makes
the probe silent, never louder.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from harness.case import Claim
from harness.emulate import Run
from harness.witnesses.probes.bits import LN2, Counted
from harness.witnesses.probes.future import scored
from harness.witnesses.trace import LossTable, Trace
from harness.witnesses.trace.record import Ints, Record, ScoreEvent, read_record
from harness.witnesses.trace.run import trace_of
from harness.worlds import World

WHOLE = 0.97
"""Share of the val positions from which on all of them are taken to count."""
AGAIN = 0.05
"""Share of the counted positions up to which repeats by the same state are taken for one score."""


@dataclasses.dataclass(frozen=True)
class Watched:
    """What was seen of the scores behind the claimed line.

    `balanced` tells that they add up to the printed loss; else `counted` are the positions of the last evaluation before
    the line, each once, and `mean` is its mean loss in nats. `classes` is the smallest distribution that scored.
    `ordered` tells that they are known to be scored in the order of the stream.
    """

    counted: Counted
    balanced: bool
    mean: float
    classes: int
    ordered: bool = False


def watched(run: Run, world: World, claim: Claim, *, once: bool = False) -> Watched | None:
    """The scored positions of a run; None where no score of a val token was seen.

    `once` tells that in the audit's own run each position counted once. Random tokens all cost the same, so here many
    sets of scores add up to the printed number, and which of them counted cannot be told from this run alone.
    """
    trace = trace_of(run, world, claim)
    if trace is None:
        return None
    bos = world.val_stream() == world.bos_id
    if trace.covers and trace.losses is not None and trace.classes:
        return _balanced(trace, bos, once)
    return _unbalanced(read_record(run.out / "trace"), bos)


def counts_once(trace: Trace | None) -> bool:
    """Whether the books of a run show that nearly every val position counts, and each with one score.

    The last window of a sliding evaluation counts some positions again, by the same state: at most a twentieth.
    """
    if trace is None or not trace.covers or trace.coverage is None:
        return False
    seen = trace.coverage
    few = seen.repeated <= AGAIN * seen.scored and not seen.repeated_after_update
    return few and seen.scored >= WHOLE * seen.expected


def _balanced(trace: Trace, bos: NDArray[np.bool_], once: bool) -> Watched:
    """Positions with their weights. What was paid for BOS is known only where each counts once; else it is free."""
    table = trace.losses
    assert table is not None
    weights = np.bincount(table.position, minlength=len(bos))[: len(bos)].astype(np.float64)
    paid = 0.0
    if once and (weights[1:] > 0).mean() >= WHOLE:
        weights = np.minimum(weights, 1.0)
        paid = _least_paid(table, bos)
    mean, ordered = float(table.loss_nats.mean()), scored(table).follows_stream
    return Watched(Counted(weights, bos, paid), True, mean, min(trace.classes), ordered)


def _least_paid(table: LossTable, bos: NDArray[np.bool_]) -> float:
    """Bits for the BOS tokens, each at the least that any of its scores paid."""
    rows = np.flatnonzero(bos[table.position])
    rows = rows[np.lexsort((table.loss_nats[rows], table.position[rows]))]
    _, first = np.unique(table.position[rows], return_index=True)
    return float(np.maximum(table.loss_nats[rows[first]], 0.0).sum()) / LN2


def _unbalanced(record: Record, bos: NDArray[np.bool_]) -> Watched | None:
    """The evaluation whose last score is the last one of the run: one place in the code, without gradients if there is
    such a one."""
    scored = [s for s in record.scores if not s.grad] or record.scores
    if not scored:
        return None
    last = max(scored, key=lambda s: s.q)
    events = [s for s in scored if s.stack == last.stack]
    rows = _rows(events)
    position, loss = record.position[rows], record.loss[rows]
    known = (position >= 0) & (position < len(bos))
    if not known.any():
        return None
    weights = np.zeros(len(bos))
    weights[position[known]] = 1.0
    return Watched(Counted(weights, bos), False, float(loss[known].mean()), min(e.classes for e in events))


def _rows(events: list[ScoreEvent]) -> Ints:
    return np.concatenate([np.arange(e.first, e.first + e.count) for e in events])
