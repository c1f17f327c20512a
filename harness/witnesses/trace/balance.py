"""Do the books balance? Finds the scores behind the claimed line, so that their sum is the number that was printed.

The strongest answer is a number whose origin was followed to the print; the next a sum of numbers from one place in the
code; the weakest a rule that makes the sum come out (each position at its first, last or lowest score).
"""

from __future__ import annotations

import dataclasses
import math
import re

import numpy as np

from harness.witnesses.trace.record import Floats, Ints, PrintEvent, Record, ValueEvent

TOLERANCE = 1e-4
"""Nats or bits per byte within which the books balance."""

_NUMBER = re.compile(r"(?<![\w.])[-+]?\d+\.\d+(?:[eE][-+]?\d+)?(?![\w.]*\d)")
_LOSS = re.compile(r"loss\w*[\"']?\s*[:=]?\s*([-+]?\d+\.\d+)", re.I)
_BPB = re.compile(r"(?:bpb|bits[ _]per[ _]byte)\w*[\"']?\s*(?:[:=|]|is)?\s*\**([-+]?\d+\.\d+)", re.I)
LN2 = math.log(2.0)
_FEW = 8


@dataclasses.dataclass(frozen=True)
class Printed:
    """The claimed line as it was printed. `loss` in nats, `bpb` in bits per byte, None where the line has none."""

    q: int
    text: str
    loss: float | None
    bpb: float | None
    decimals: int


@dataclasses.dataclass(frozen=True)
class Books:
    """The scores behind the claimed line. `rows` index the score table, with repeats; `how` says how they were found."""

    rows: Ints
    how: str
    loss: float
    bpb: float
    nats_balance: bool
    bytes_balance: bool


def numbers_of(line: PrintEvent) -> Printed | None:
    """The loss and the BPB of a printed line; None when it has neither."""
    loss, bpb = _LOSS.search(line.text), _BPB.search(line.text)
    if loss is None and bpb is None:
        return None
    texts = [m.group(1) for m in (loss, bpb) if m is not None]
    decimals = min(len(t.split(".")[1]) for t in texts)
    return Printed(
        line.q,
        line.text,
        float(loss.group(1)) if loss else None,
        float(bpb.group(1)) if bpb else None,
        decimals,
    )


def _apart(event: ValueEvent) -> list[ValueEvent]:
    """An array that holds a few sums of losses among other numbers (a loss, a count, bytes) as single numbers."""
    coded = np.flatnonzero(event.codes >= 0)
    if len(event.codes) == 1 or len(coded) > _FEW or len(event.codes) != len(event.values):
        return [event]
    return [ValueEvent(event.q, event.stack, event.values[[i]], event.codes[[i]]) for i in coded]


class Balancer:
    """Searches the record for the scores behind one printed line. `bytes_at` float64 [n]: bytes of each position."""

    def __init__(self, record: Record, printed: Printed, bytes_at: Floats) -> None:
        self._record = record
        self._printed = printed
        self._bytes = bytes_at
        self._rounding = 0.5 * 10.0**-printed.decimals

    def find(self) -> Books | None:
        """The books of the line, the strongest way first; None when nothing that was watched adds up to it."""
        values = [part for v in self._record.values if v.q < self._printed.q for part in _apart(v)]
        for found in (
            self._followed(values),
            self._summed(values),
            self._ruled(values),
            self._ruled_scores(),
        ):
            if found is not None:
                return found
        return None

    # ---- one candidate ---------------------------------------------------------------------------------------------

    def _errors(self, rows: Ints) -> tuple[float, float, float, float]:
        """(loss, bpb, error of loss, error of bpb) of a set of rows; an error is 0 where the line has no such number."""
        nats = float(self._record.loss[rows].sum())
        loss = nats / len(rows)
        count = float(self._bytes[self._record.position[rows]].sum())
        bpb = nats / LN2 / count if count > 0 else math.inf
        p = self._printed
        off_loss = abs(loss - p.loss) if p.loss is not None else math.nan
        off_bpb = abs(bpb - p.bpb) if p.bpb is not None else math.nan
        return loss, bpb, off_loss, off_bpb

    def _books(self, rows: Ints, how: str) -> Books | None:
        rows = rows[self._record.position[rows] >= 0]
        if not len(rows):
            return None
        loss, bpb, off_loss, off_bpb = self._errors(rows)
        allowed = TOLERANCE + self._rounding
        if math.isnan(off_loss):
            return Books(rows, how, loss, bpb, True, True) if off_bpb <= allowed else None
        if off_loss > allowed:
            return None
        return Books(rows, how, loss, bpb, True, math.isnan(off_bpb) or off_bpb <= allowed)

    def _distance(self, books: Books) -> float:
        p = self._printed
        return abs(books.loss - p.loss) if p.loss is not None else abs(books.bpb - (p.bpb or 0.0))

    def _best(self, candidates: list[Books]) -> Books | None:
        """Of the sets that add up: closest first; among equally close ones, the one with balanced bytes and most rows."""
        if not candidates:
            return None
        nearest = min(self._distance(b) for b in candidates)
        near = [b for b in candidates if self._distance(b) <= max(2 * nearest, self._rounding, 3e-6)]
        return max(
            near, key=lambda b: (b.bytes_balance, len(np.unique(self._record.position[b.rows])), -len(b.rows))
        )

    # ---- the ways --------------------------------------------------------------------------------------------------

    def _followed(self, values: list[ValueEvent]) -> Books | None:
        """A single number that the script took from the losses and printed (or divided once and printed)."""
        found = []
        for event in reversed([v for v in values if len(v.codes) == 1]):
            value = float(event.values[0])
            p = self._printed
            wanted = [x for x in (p.loss, p.bpb) if x is not None]
            direct = any(abs(value - x) <= self._rounding + 1e-6 * abs(x) for x in wanted)
            if not direct and value < min(wanted):
                continue
            rows = self._record.expand(event.codes)
            if not len(rows):
                continue
            if (
                not direct
                and p.loss is not None
                and abs(value / len(rows) - p.loss) > TOLERANCE + self._rounding
            ):
                continue
            books = self._books(rows, "followed")
            if books is not None:
                found.append(books)
            if len(found) >= 24:
                break
        return self._best(found)

    def _summed(self, values: list[ValueEvent]) -> Books | None:
        """Numbers taken at one place in the code and added up by the script: any run of them that ends last."""
        groups: dict[int, list[ValueEvent]] = {}
        for event in values:
            if len(event.codes) == 1:
                groups.setdefault(event.stack, []).append(event)
        found = []
        for events in groups.values():
            parts = [self._record.expand(e.codes) for e in events[-4000:]]
            found += self._suffixes([p[self._record.position[p] >= 0] for p in parts], "summed")
        return self._best(found)

    def _suffixes(self, parts: list[Ints], how: str) -> list[Books]:
        """Every suffix of the parts whose mean is the printed loss."""
        nats = np.array([self._record.loss[p].sum() for p in parts])
        counts = np.array([len(p) for p in parts], np.float64)
        octets = np.array([self._bytes[self._record.position[p]].sum() for p in parts])
        total_nats, total, total_bytes = (np.cumsum(x[::-1])[::-1] for x in (nats, counts, octets))
        with np.errstate(divide="ignore", invalid="ignore"):
            loss, bpb = total_nats / total, total_nats / LN2 / total_bytes
        p = self._printed
        off = np.abs(loss - p.loss) if p.loss is not None else np.abs(bpb - (p.bpb or 0.0))
        near = np.nonzero(off <= TOLERANCE + self._rounding)[0]
        best = sorted(near, key=lambda i: float(off[i]))[:8]
        return [b for i in best if (b := self._books(np.concatenate(parts[i:]), how)) is not None]

    def _ruled(self, values: list[ValueEvent]) -> Books | None:
        """Arrays (or numbers) of losses that left torch: each position at its first, last or lowest score."""
        groups: dict[int, list[Ints]] = {}
        for event in values:
            groups.setdefault(event.stack, []).append(self._record.expand(event.codes))
        return self._best([b for parts in groups.values() for b in self._by_rule(np.concatenate(parts))])

    def _ruled_scores(self) -> Books | None:
        """Score events themselves, where no number that left torch was seen."""
        groups: dict[int, list[Ints]] = {}
        for event in self._record.scores:
            if event.q < self._printed.q and not event.grad:
                groups.setdefault(event.stack, []).append(np.arange(event.first, event.first + event.count))
        return self._best([b for parts in groups.values() for b in self._by_rule(np.concatenate(parts))])

    def _by_rule(self, rows: Ints) -> list[Books]:
        position, loss = self._record.position, self._record.loss
        rows = rows[position[rows] >= 0]
        if not len(rows):
            return []
        candidates = [("every score", rows)]
        _, first = np.unique(position[rows], return_index=True)
        candidates.append(("first score of each position", rows[np.sort(first)]))
        backwards = rows[::-1]
        _, last = np.unique(position[backwards], return_index=True)
        candidates.append(("last score of each position", backwards[np.sort(last)][::-1]))
        order = np.lexsort((loss[rows], position[rows]))
        _, least = np.unique(position[rows][order], return_index=True)
        candidates.append(("lowest score of each position", rows[order][least]))
        return [b for how, part in candidates if (b := self._books(part, how)) is not None]
