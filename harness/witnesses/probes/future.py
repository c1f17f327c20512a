"""Probe 2 and 3: change what is scored later; what was scored before, and the artifact, must not move.

Hypothesis: a loss depends on the artifact and on what was scored before it. Statistic: the largest change of a loss that
was scored before anything that was exchanged, and the bytes of the artifact that was read back. Decision: sixteen losses
that move by more than the noise of a repeated run are proof where the books balance in every run; an artifact alone is a
question, since it may hold a note of the val loss that nothing reads. The first exchanged token itself has another loss,
but its prediction, made from what stayed the same, must be the same for the whole alphabet: where it moves, the token was
seen one step too early, which no other loss shows. Where too little moved to be sure, a second cut is made inside another
row, and what shows twice is proof.

Later is meant in the order of scoring. BOS stays, so documents keep their places and lengths. The cut lies inside a chunk,
where a list of scored chunks that is one ahead shows as well. Then all val tokens are exchanged, since what reaches the
artifact may come from the first ones only. A thorough experiment cuts a second time, later and where a
batch of scores ends, so that what begins late shows too.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from harness.emulate import Run
from harness.witnesses.probes import bits, facts
from harness.witnesses.probes.answers import Answers, answers
from harness.witnesses.probes.artifact import Artifact, artifact_of
from harness.witnesses.probes.facts import Future, Move
from harness.witnesses.probes.laboratory import Laboratory
from harness.witnesses.trace import LossTable, Trace
from harness.witnesses.trace.run import trace_of
from harness.worlds import World
from harness.worlds.changed import changed

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

CUT = 0.55
"""Share of the scored positions that come before the cut."""
LATE = 0.85
"""The same of the second cut, about."""
TOLERANCE = 1e-4
"""Nats by which a loss may change because its batch did."""
NOISE = 10.0
"""So many times the noise of a repeated run are tolerated too."""
ANSWERS_DOUBTFUL = 32.0
"""Bits that were won on exchanged tokens from which on a person looks; a proof takes as many as any."""
FEWEST = 16
"""Fewer losses that moved are a question; so many at two cuts together are proof."""
INSIDE = 20
"""A second cut that is to settle a question lies so far inside a row: at its end, what looks one row ahead sees nothing."""
STRETCHES = 60


@dataclasses.dataclass(frozen=True)
class Scored:
    """Val positions in the order of scoring, each at its first counted score, with their losses in nats, the batch of
    scores that each came with, and the sketch of each whole prediction."""

    position: Ints
    loss: Floats
    batch: Ints
    sketch: Floats | None = None

    @property
    def follows_stream(self) -> bool:
        """Whether positions were scored in the order of the stream."""
        return bool((np.diff(self.position) > 0).all())


def scored(table: LossTable) -> Scored:
    """The order of scoring in a table of losses; inside one event, the order of the stream."""
    by_order = np.lexsort((table.position, table.order))
    position, loss, batch = table.position[by_order], table.loss_nats[by_order], table.order[by_order]
    _, first = np.unique(position, return_index=True)
    keep = np.sort(first)
    sketch = table.sketch[by_order][keep] if table.sketch is not None else None
    return Scored(position[keep], loss[keep], batch[keep], sketch)


def future(lab: Laboratory, *, thorough: bool = False) -> Future:
    """Run the experiment; where it is `thorough` and the first cut leaves it open, at a second cut too."""
    run = lab.case.run
    if run is None or run.outcome != "scored":
        return Future(facts.NOT_COVERED, "The script did not reach its score.")
    before = order_of(lab.case.trace)
    first = _at(
        lab, run, before, round(CUT * (len(before.position) if before else lab.world.val_tokens)), "future"
    )
    if first.status in (facts.CLEAR, facts.NOT_COVERED) and first.artifact == "same":
        first = throughout(first, _at(lab, run, before, 0, "other-val"))
    unsure = first.status == facts.DOUBTFUL and bool(first.own or first.moved)
    if not (thorough or unsure) or before is None or first.status == facts.PROVED or not first.compared:
        return first
    late = border(before, round(LATE * len(before.position))) + (INSIDE if unsure else 0)
    return first if late <= first.cut else both(first, _at(lab, run, before, late, "future-late"))


def throughout(first: Future, whole: Future) -> Future:
    """The result, or that of a run in which all val tokens were exchanged, where more is to be said of that."""
    if whole.status in (facts.PROVED, facts.DOUBTFUL):
        return whole
    if whole.artifact != "same":
        return first
    return dataclasses.replace(first, reason=f"{first.reason} Nor does it change with any other val token.")


def border(order: Scored, rank: int) -> int:
    """The rank nearest to this one at which a batch of scores begins."""
    begins = np.flatnonzero(np.diff(order.batch)) + 1
    return int(begins[np.abs(begins - rank).argmin()]) if len(begins) else rank


def both(first: Future, late: Future) -> Future:
    """Two cuts as one result: that of which more is to be said, and that the other one was made."""
    if first.own and late.own and not first.moved and not late.moved:
        words = f"{first.reason} So does the one after {late.cut:,} scores, by {late.own:.4f}."
        return dataclasses.replace(first, status=facts.PROVED, reason=words, also=late.cut)
    if _few(first) and _few(late) and first.moved + late.moved >= FEWEST:
        words = (
            f"{first.reason} A second cut, after {late.cut:,} scores instead of {first.cut:,}: {_told(late)}"
        )
        return dataclasses.replace(first, status=facts.PROVED, reason=words, also=late.cut)
    weight = (facts.NOT_COVERED, facts.CLEAR, facts.DOUBTFUL, facts.PROVED).index
    if weight(late.status) > weight(first.status):
        told, other = late, first
    else:
        told, other = first, late
    if other.status == facts.NOT_COVERED:
        return told
    words = f"{told.reason} A second cut, after {other.cut:,} scores instead of {told.cut:,}: {_told(other)}"
    return dataclasses.replace(told, reason=words, also=other.cut)


def _few(result: Future) -> bool:
    """Whether losses moved beyond the noise, in the order of the stream, and only too few of them to be sure."""
    return 0 < result.moved < FEWEST and result.largest > result.tolerance and result.ahead is not None


def _told(other: Future) -> str:
    if other.status == facts.CLEAR:
        return f"none of {other.compared:,} moved."
    return f"{other.moved:,} of {other.compared:,} moved, by up to {other.largest:.4f} nats."


def _at(lab: Laboratory, run: Run, before: Scored | None, cut: int, name: str) -> Future:
    """Exchange what comes after one cut, run again, compare; where something moved, repeat."""
    later = before.position[cut:] if before else np.arange(cut, lab.world.val_tokens)
    try:
        world = changed(lab.world, later, lab.folder / f"{name}-world")
    except ValueError as error:
        return Future(facts.NOT_COVERED, f"{error}.")
    other = lab.run_in(world, None, name)
    if other.outcome != "scored":
        return Future(
            facts.NOT_COVERED,
            f"With other tokens to come the script did not reach its score: {other.reason}.",
        )
    after = order_of(trace_of(other, world, lab.case.claim))
    exchanged = np.flatnonzero(world.val_stream() != lab.world.val_stream())
    result = compare(before, after, cut, exchanged, lab.world)
    return _settled(lab, with_answers(result, after, exchanged, lab.world), before, run, other)


def with_answers(result: Future, after: Scored | None, exchanged: Ints, world: World) -> Future:
    """The result with what the exchanged tokens cost. `world` is the unchanged one: each was drawn from all letters of its
    val stream but the old one."""
    if after is None:
        return result
    kinds = len(np.setdiff1d(world.val_stream(), [world.bos_id]))
    found = answers(after.loss[np.isin(after.position, exchanged)], kinds - 1)
    return result if found is None else dataclasses.replace(result, answers=found)


def order_of(trace: Trace | None) -> Scored | None:
    """The order of scoring where the books balance."""
    if trace is None or not trace.covers or trace.losses is None or not len(trace.losses.position):
        return None
    return scored(trace.losses)


def compare(before: Scored | None, after: Scored | None, cut: int, exchanged: Ints, world: World) -> Future:
    """What moved among the losses that were scored before anything exchanged; the artifact is looked at elsewhere."""
    known = Future(facts.CLEAR, "", changed=len(exchanged), cut=cut, tolerance=TOLERANCE)
    if before is None or after is None:
        why = "Losses could not be compared: the books do not balance in every run."
        return dataclasses.replace(known, status=facts.NOT_COVERED, reason=why)
    if not np.array_equal(before.position, after.position):
        why = "Losses could not be compared: other positions were scored, or in another order."
        return dataclasses.replace(known, status=facts.NOT_COVERED, reason=why)
    compared = _comparable(before, cut, exchanged, world)
    difference = np.nan_to_num(np.abs(after.loss - before.loss), nan=np.inf)
    moved = np.flatnonzero(compared & (difference > TOLERANCE))
    known = dataclasses.replace(
        known, compared=int(compared.sum()), moved=len(moved), moves=_moves(difference, compared, cut),
        own=_own(before, after, compared, exchanged),
    )  # fmt: skip
    if not len(moved):
        return known
    first = int(before.position[moved[0]])
    ahead = int(exchanged.min()) - first if before.follows_stream else None
    return dataclasses.replace(
        known, largest=float(difference[moved].max()), first_position=first, ahead=ahead
    )


def _own(before: Scored, after: Scored, compared: NDArray[np.bool_], exchanged: Ints) -> float | None:
    """By how much the prediction of the first exchanged token moved; 0 where those before it moved about as much."""
    if before.sketch is None or after.sketch is None or not before.follows_stream:
        return None
    hit = np.flatnonzero(before.position == exchanged.min())
    difference = np.abs(after.sketch - before.sketch)
    noise = difference[compared]
    if len(hit) != 1 or not len(noise) or not np.isfinite([difference[hit[0]], *noise[-1:]]).all():
        return None
    moved = float(difference[hit[0]])
    return moved if moved > max(TOLERANCE, NOISE * float(np.nanmax(noise))) else 0.0


def _comparable(before: Scored, cut: int, exchanged: Ints, world: World) -> NDArray[np.bool_]:
    """Ranks before the cut whose own token and whose document up to it are unchanged."""
    stream_bos = np.flatnonzero(world.val_stream() == world.bos_id)
    touched = np.zeros(world.val_tokens + 1, np.int64)
    touched[exchanged + 1] = 1
    count = np.cumsum(touched)
    begins = np.concatenate([[0], stream_bos])
    # A BOS to be predicted ends the document before it.
    start = begins[np.maximum(np.searchsorted(begins, before.position, side="left") - 1, 0)]
    found: NDArray[np.bool_] = count[before.position + 1] == count[start]
    found[cut:] = False
    return found


def _moves(difference: Floats, compared: NDArray[np.bool_], cut: int) -> tuple[Move, ...]:
    """The compared ranks in stretches of equal length, for the plot."""
    edges = np.unique(np.linspace(0, cut, STRETCHES + 1).astype(int))
    found = []
    for a, b in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        values = difference[a:b][compared[a:b]]
        if len(values):
            found.append(Move(a, b, float(values.max()), int((values > TOLERANCE).sum())))
    return tuple(found)


def _settled(lab: Laboratory, result: Future, before: Scored | None, run: Run, other: Run) -> Future:
    """The result with the artifact and, where anything moved, with the noise of an unchanged repeat."""
    one, two = (artifact_of(r, lab.case.submission) for r in (run, other))
    state = "unknown" if one is None or two is None else "same" if one.sha256 == two.sha256 else "changed"
    if state == "changed" or result.moved or result.own:
        repeat = lab.repeat()
        if one is not None and _hash(artifact_of(repeat, lab.case.submission)) != one.sha256:
            state = "not_deterministic"
        result = _beyond_noise(result, before, order_of(trace_of(repeat, lab.world, lab.case.claim)))
    result = dataclasses.replace(result, artifact=state, artifact_file=one.name if one else None)
    return decide(result, follows_stream=before is not None and before.follows_stream)


def _hash(artifact: Artifact | None) -> str | None:
    return artifact.sha256 if artifact is not None else None


def _beyond_noise(result: Future, before: Scored | None, again: Scored | None) -> Future:
    """Losses that moved by more than a repeat of the very same run moves them; nothing where the repeat says nothing."""
    if before is None or not (result.moved or result.own):
        return result
    if again is None or not np.array_equal(before.position, again.position):
        why = "Losses moved, but an unchanged repeat of the run did not score the same positions."
        return dataclasses.replace(result, status=facts.NOT_COVERED, reason=why, moved=0, own=None)
    noise = float(np.abs(again.loss - before.loss).max())
    if result.own and again.sketch is not None and before.sketch is not None:
        apart = np.abs(again.sketch - before.sketch)
        if not np.isfinite(apart).all() or result.own <= NOISE * float(apart.max()):
            result = dataclasses.replace(result, own=None)
    return dataclasses.replace(result, tolerance=max(TOLERANCE, NOISE * noise))


def decide(result: Future, *, follows_stream: bool) -> Future:
    """Status and words. Where scoring does not follow the stream, side information built along the stream is a question."""
    which = (
        "val tokens that are scored later" if result.cut else "val tokens, all but the starts of documents,"
    )
    told = f"{result.changed:,} {which} were exchanged"
    if result.answers is not None and result.answers.bits >= ANSWERS_DOUBTFUL:
        return _seen(result, told, result.answers, follows_stream=follows_stream)
    if result.moved and result.largest > result.tolerance:
        words = (
            f"{told}: {result.moved:,} of {result.compared:,} losses scored before them moved, by up to "
            f"{result.largest:.4f} nats (tolerance {result.tolerance:.1g}), the first at position {result.first_position:,}"
        )
        words += (
            f", {result.ahead:,} tokens ahead of the first exchanged one."
            if result.ahead is not None
            else "."
        )
        if result.artifact == "changed":
            words += f" The artifact {result.artifact_file} changed with them."
        sure = result.moved >= FEWEST and follows_stream
        return dataclasses.replace(result, status=facts.PROVED if sure else facts.DOUBTFUL, reason=words)
    if result.own:
        words = (
            f"{told}. None of the {result.compared:,} losses scored before them moved, but the prediction of the first "
            f"exchanged token, made from what stayed the same, did: by {result.own:.4f} in the scores of the alphabet."
        )
        return dataclasses.replace(result, status=facts.DOUBTFUL, reason=words)
    if result.artifact == "changed":
        words = f"{told}, and the artifact {result.artifact_file} is not the same: val tokens reach it."
        if result.compared:
            words += f" None of the {result.compared:,} losses scored before them moved."
        return dataclasses.replace(result, status=facts.DOUBTFUL, reason=words)
    kept = " and the artifact is the same, byte for byte" if result.artifact == "same" else ""
    if not result.compared:
        return dataclasses.replace(
            result, reason=f"{result.reason or told + '.'}{kept and ' The artifact is the same.'}"
        )
    words = f"{told}: none of the {result.compared:,} losses scored before them moved{kept}."
    return dataclasses.replace(result, reason=words)


def _seen(result: Future, told: str, found: Answers, *, follows_stream: bool) -> Future:
    """Exchanged tokens were predicted, which nobody can who has not seen them."""
    words = (
        f"{told}, each for one drawn at random, and the script predicts them: it gives them {found.times:.2f} times the "
        f"probability that a prediction without the answer can have in the mean. Over {found.tokens:,} tokens that is a "
        f"chance of 2^-{found.bits:,.0f} for whoever has not seen them."
    )
    if result.moved and result.largest > result.tolerance:
        words += (
            f" Besides, {result.moved:,} losses scored before them moved, by up to {result.largest:.4f} nats."
        )
    if result.artifact == "changed":
        words += f" The artifact {result.artifact_file} changed with them."
    sure = found.bits >= bits.PROVED and follows_stream
    return dataclasses.replace(result, status=facts.PROVED if sure else facts.DOUBTFUL, reason=words)
