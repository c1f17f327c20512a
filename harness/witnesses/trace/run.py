"""The trace of one emulated run in its world, with the claimed line found in what the run printed."""

from __future__ import annotations

import numpy as np

from harness.case import Claim
from harness.emulate import Run
from harness.witnesses.claims.labels import claimed_test
from harness.witnesses.trace import LedgerError, Trace, read_trace
from harness.worlds import World


def trace_of(run: Run, world: World, claim: Claim) -> Trace | None:
    """What was seen, also of a run that ended early; None when it left no ledger."""
    label = claim.label
    is_claimed = claimed_test(label, run.stdout.splitlines()) if label else None
    try:
        return read_trace(
            run.out / "trace",
            world.position_bytes().astype(np.float64),
            np.flatnonzero(world.val_stream() == world.bos_id).astype(np.int64),
            is_claimed,
        )
    except LedgerError:
        return None
