"""What the trace means token by token: loss analysis, frontier, folded event table. Judges nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy.typing as npt

from harness.analysis.events import EventTable, fold
from harness.analysis.frontier import Frontier, frontier
from harness.analysis.tokens import TokenAnalysis, analyse

if TYPE_CHECKING:
    from harness.witnesses.trace import Trace


class ValData(Protocol):
    """What the analysis needs of a world: ids [N], official bytes [N] of each position, and text."""

    def val_stream(self) -> npt.NDArray[Any]: ...

    def position_bytes(self) -> npt.NDArray[Any]: ...

    def decode(self, ids: Sequence[int]) -> str: ...


@dataclasses.dataclass(frozen=True)
class Analysis:
    """What a report draws. `tokens` is None without per-token losses, `frontier` without val positions."""

    tokens: TokenAnalysis | None
    frontier: Frontier | None
    events: EventTable


def examine(trace: Trace, world: ValData) -> Analysis:
    """Analyse a trace on the world it was seen in."""
    table = trace.losses
    tokens = None
    if table is not None:
        tokens = analyse(
            table.position,
            table.loss_nats,
            table.order,
            table.window_offset,
            table.chunk,
            world.val_stream(),
            world.position_bytes(),
            world.decode,
        )
    return Analysis(tokens, frontier(trace), fold(trace.events))
