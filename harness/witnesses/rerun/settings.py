"""How to rerun."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

from harness.witnesses.rerun.nodes import Nodes

Progress = Callable[[str], None]
"""Called with the name of each step as it begins."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """Device, processes of each node, seconds of wall time for one process group, windows (None: as claimed), batch of the
    scorer (None: by device), an artifact to load instead of training one; `untrained` trains one step, to measure speed.
    """

    device: str = "cpu"
    processes: int = 1
    seconds: float = 3600.0
    length: int | None = None
    stride: int | None = None
    batch: int | None = None
    weights: Path | None = None
    untrained: bool = False
    nodes: Nodes = dataclasses.field(default_factory=Nodes)
