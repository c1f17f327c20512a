"""What a detector looks at: the machine after the script was followed, its claimed losses, and the lines."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping

from harness.case import Claim, Script
from harness.limits import Limits
from harness.witnesses.static.claimed import claimed_line, claimed_losses
from harness.witnesses.static.events import Loss, Printed, Update
from harness.witnesses.static.evidence import Lines
from harness.witnesses.static.machine import Machine
from harness.witnesses.static.neighbours import Mix, mixes
from harness.witnesses.static.order import Conflict, conflicts
from harness.witnesses.static.parts import doubted


@dataclasses.dataclass
class View:
    """The followed script, ready for detectors."""

    m: Machine
    script: Script
    claim: Claim
    files: Mapping[str, str]
    limits: Limits
    lines: Lines
    line: Printed | None
    claimed: list[Loss]
    losses: list[Loss]
    updates: dict[int, Update]
    conflicts: list[Conflict]

    @functools.cached_property
    def mixes(self) -> list[Mix]:
        """Blends of a position with the one before it."""
        return mixes(self.m)


def view_of(m: Machine, script: Script, claim: Claim, files: Mapping[str, str], limits: Limits) -> View:
    """Collect what detectors need."""
    line = claimed_line(m, claim.label)
    claimed = claimed_losses(m, line)
    losses = [e for e in m.events if isinstance(e, Loss)]
    updates = {e.number: e for e in m.events if isinstance(e, Update)}
    found = [doubted(m, line, conflict) for conflict in conflicts(claimed, losses, updates)]
    return View(m, script, claim, files, limits, Lines(m, script), line, claimed, losses, updates, found)
