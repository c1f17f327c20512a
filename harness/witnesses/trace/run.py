"""The trace of one emulated run in its world, with the claimed line found in what the run printed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from harness.case import Claim
from harness.emulate import Run
from harness.witnesses.claims.labels import claimed_test
from harness.witnesses.trace import LedgerError, Trace, read_trace
from harness.witnesses.trace.balance import TOLERANCE, Printed, numbers_of
from harness.witnesses.trace.record import PrintEvent
from harness.worlds import World

_LONGEST = 2000
"""Characters of a line that the watcher notes, too."""


def trace_of(run: Run, world: World, claim: Claim) -> Trace | None:
    """What was seen, also of a run that ended early; None when it left no ledger."""
    label = claim.label
    printed = run.stdout.splitlines()
    is_claimed = claimed_test(label, printed) if label else None
    try:
        trace = read_trace(
            run.out / "trace",
            world.position_bytes().astype(np.float64),
            np.flatnonzero(world.val_stream() == world.bos_id).astype(np.int64),
            is_claimed,
        )
    except LedgerError:
        return None
    past = printed_past(trace, printed, is_claimed)
    return dataclasses.replace(trace, blinded=True, holes=(past, *trace.holes)) if past else trace


def printed_past(
    trace: Trace, printed: list[str], is_claimed: Callable[[str], bool] | None = None
) -> str | None:
    """A sentence where the last claimed line of the output (`printed`, as collected outside the sandbox) has other numbers
    than the one that the watcher saw being printed; None where they agree or the output has none."""
    last = _last(printed, is_claimed)
    if last is None:
        return None
    seen = _numbers(trace.balance.line or "")
    if seen is None and not trace.complete:
        return None
    if seen is not None and all(
        a is None or b is None or abs(a - b) <= TOLERANCE + 10.0 ** -min(last.decimals, seen.decimals)
        for a, b in ((last.loss, seen.loss), (last.bpb, seen.bpb))
    ):
        return None
    return f"the script printed its claimed line past the watcher ({last.text.strip()[:80]})"


def _last(printed: list[str], is_claimed: Callable[[str], bool] | None) -> Printed | None:
    """The last line of an output that is the claimed one; without a label, the last one with a BPB."""
    for line in reversed(printed):
        numbers = _numbers(line)
        if numbers is None:
            continue
        if is_claimed(line) if is_claimed is not None else numbers.bpb is not None:
            return numbers
    return None


def _numbers(line: str) -> Printed | None:
    return numbers_of(PrintEvent(0, 0, line[:_LONGEST]))
