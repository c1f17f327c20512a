"""The trace witness: what a run was seen to do with val tokens, read from the watcher's ledger. It judges nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np

from harness.witnesses.trace import order
from harness.witnesses.trace.balance import Balancer, Books, Printed, numbers_of
from harness.witnesses.trace.branches import OneWay, read_ways
from harness.witnesses.trace.events import LossTable, TraceEvent, event_table, loss_table
from harness.witnesses.trace.order import Coverage, Leak, Selection, Turn
from harness.witnesses.trace.record import Floats, Ints, LedgerError, Record, read_record

__all__ = [
    "Balance",
    "Coverage",
    "Leak",
    "LedgerError",
    "LossTable",
    "Selection",
    "Trace",
    "TraceEvent",
    "Turn",
    "read_trace",
]


@dataclasses.dataclass(frozen=True)
class Balance:
    """The claimed line against the books: printed and rebuilt loss (nats per token) and BPB, and how they were matched.

    `nats` and `bytes` tell whether each balances within 1e-4; `how` names the way the scores were found ("followed",
    "summed", or a rule), None when nothing adds up.
    """

    line: str | None
    printed_loss: float | None
    printed_bpb: float | None
    rebuilt_loss: float | None
    rebuilt_bpb: float | None
    nats: bool
    bytes: bool
    how: str | None


@dataclasses.dataclass(frozen=True)
class Trace:
    """What was seen. `complete` tells that the ledger has an end and no overflow; `blinded` that the script switched
    the watcher off or that it wrote more than the ledger takes; `evaluated_at` is the line of the main program
    from which the counted scores were made; `turn` how score and update take turns there, None where nothing is learned;
    `holes` where the watcher failed.

    `classes` are the sizes of the distributions behind the counted scores; `choice` tells that counted positions were
    scored several times and the lower score was kept; `one_way` are the conditions that the claimed score was taken under
    and that went but one way, None where they were not noted.
    """

    balance: Balance
    leak: Leak | None
    coverage: Coverage | None
    events: tuple[TraceEvent, ...]
    losses: LossTable | None
    val_reads: tuple[str, ...]
    updates: int
    trained_positions: int
    classes: tuple[int, ...]
    choice: Selection | None
    complete: bool
    blinded: bool
    evaluated_at: int
    turn: Turn | None
    holes: tuple[str, ...]
    one_way: tuple[OneWay, ...] | None = None

    @property
    def covers(self) -> bool:
        """Whether the claimed number was seen from the loss of each position to the print, by open eyes."""
        return self.balance.nats and self.coverage is not None and not self.blinded


def claimed_print(record: Record, is_claimed: Callable[[str], bool] | None) -> Printed | None:
    """The last printed line that carries the claimed label; without a label, the last line with a BPB.

    None where the claimed line was not printed: another line's score says nothing about the claimed one.
    """
    printed = [(p, numbers_of(p)) for p in record.prints]
    scored = [(p, n) for p, n in printed if n is not None]
    if is_claimed is not None:
        labelled = [n for p, n in scored if is_claimed(p.text)]
        return labelled[-1] if labelled else None
    with_bpb = [n for _, n in scored if n.bpb is not None]
    return with_bpb[-1] if with_bpb else None


def read_trace(
    folder: Path, bytes_at: Floats, bos: Ints, is_claimed: Callable[[str], bool] | None = None
) -> Trace:
    """The trace in `folder`. `bytes_at` float64 [n]: official bytes of each val position; `bos` int64: document starts;
    `is_claimed` tells whether a printed line is the claimed one. Raises LedgerError when there is no ledger."""
    record = read_record(folder, len(bytes_at))
    printed = claimed_print(record, is_claimed)
    books = Balancer(record, printed, bytes_at).find() if printed else None
    numbers = order.event_numbers(record)
    updates = [u for u in record.updates if u.kind == "update"]
    trained = np.zeros(max(record.tokens, 1), bool)
    for update in updates:
        for a, b in update.runs:
            trained[a:b] = True
    events = event_table(record, books, numbers)
    return Trace(
        balance=_balance(printed, books),
        leak=order.find_leak(record, books, numbers, bos) if books else None,
        coverage=order.coverage(record, books, numbers, bos) if books else None,
        events=events,
        losses=loss_table(record, books, numbers) if books else None,
        val_reads=tuple(
            dict.fromkeys(o.path for o in record.opens if "val" in o.path.rsplit("/", 1)[-1] and not o.writes)
        ),
        updates=len(updates),
        trained_positions=int(trained.sum()),
        classes=_classes(record, books, numbers),
        choice=order.find_selection(record, books, numbers) if books else None,
        complete=record.ended and not record.overflow,
        blinded=record.overflow or record.blinded,
        evaluated_at=order.evaluated_at(record, books, numbers) if books else 0,
        turn=order.find_turn(record, books, numbers) if books else None,
        holes=tuple(dict.fromkeys(record.holes))[:20],
        one_way=read_ways(folder, _begun(record, books, numbers)) if books else None,
    )


def _begun(record: Record, books: Books, numbers: Ints) -> int:
    """The event from which on what happens belongs to the claimed score: the last print before its first loss."""
    first = int(numbers[books.rows].min())
    return max((p.q for p in record.prints if p.q < first), default=0)


def _balance(printed: Printed | None, books: Books | None) -> Balance:
    return Balance(
        line=printed.text if printed else None,
        printed_loss=printed.loss if printed else None,
        printed_bpb=printed.bpb if printed else None,
        rebuilt_loss=books.loss if books else None,
        rebuilt_bpb=books.bpb if books else None,
        nats=bool(books and books.nats_balance),
        bytes=bool(books and books.bytes_balance),
        how=books.how if books else None,
    )


def _classes(record: Record, books: Books | None, numbers: Ints) -> tuple[int, ...]:
    if books is None:
        return ()
    chosen = set(np.unique(numbers[books.rows]).tolist())
    return tuple(sorted({s.classes for s in record.scores if s.q in chosen}))
