"""What a rerun costs and how fast our sliding windows are: against the script's own evaluation and the FLOP bound."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path

from harness.case import Submission
from harness.intake.claim import claimed_configuration
from harness.sandbox import Sandbox
from harness.witnesses.rerun import RerunFacts, Settings, rerun
from harness.witnesses.rerun.process import Place
from harness.witnesses.rerun.runs import alone
from harness.worlds.fineweb import OfficialData

PEAK = {"H100": 989e12, "H200": 989e12, "A100": 312e12}
"""Dense bfloat16 operations a second of one GPU, from NVIDIA's data sheets."""


@dataclasses.dataclass(frozen=True)
class Speed:
    """One submission on so many processes. Seconds; `hooks` is the cost of the hooks as a share of the script's time."""

    name: str
    processes: int
    facts: RerunFacts
    hooks: float | None

    @property
    def row(self) -> str:
        """One row of the table."""
        own = next((p for p in self.facts.passes if p.claimed), None)
        ours = next((m for m in self.facts.measured if m.weights == "decoded" and m.failed is None), None)
        if ours is None or ours.bpb is None:
            return (
                f"| {self.name} | {self.processes} | not measured: {self.facts.outcome.reason} | | | | | | |"
            )
        own_s = own.seconds if own else None
        peak = next((f for n, f in PEAK.items() if re.search(n, self.facts.machine.hardware)), None)
        bound = ours.flops / (peak * self.processes) if peak else None
        printed = self.facts.outcome.bpb
        cells = [
            self.name,
            str(self.processes),
            _seconds(own_s),
            _seconds(ours.seconds),
            f"{ours.seconds / own_s:.2f}" if own_s else "\u2013",
            f"{ours.seconds / bound:.2f}" if bound else f"no peak known; {ours.flops:.3g} FLOP",
            f"{ours.memory_bytes / 2**20:,.0f}",
            f"{ours.bpb - printed:+.6f}" if printed is not None else "\u2013",
            f"{self.hooks:+.1%}" if self.hooks is not None else "\u2013",
        ]
        return f"| {' | '.join(cells)} |"


def measure(
    submission: Submission, data: OfficialData, work: Path, sandbox: Sandbox, device: str, most: int
) -> list[Speed]:
    """Rerun on 1, 2, 4, .. `most` processes, and on one without hooks. Raises NoDevice and ValueError as a rerun does."""
    speeds = []
    for processes in (n for n in (1, 2, 4, 8) if n <= most):
        folder = work / f"{processes}"
        claim = claimed_configuration(submission)
        found = rerun(submission, claim, data, folder, sandbox, Settings(device, processes))
        assert submission.script is not None
        place = Place(
            submission, submission.script, claim, data, sandbox, device, processes, folder, Settings().seconds
        )
        own = next((p.seconds for p in found.passes if p.claimed), 0.0)
        hooks = _hooks(place, folder, own) if processes == 1 else None
        speeds.append(Speed(submission.name, processes, found, hooks))
    return speeds


def _hooks(place: Place, folder: Path, own_s: float) -> float | None:
    """What the hooks add; None where a run did not end. Emulated: as a share of the run's processor time; on a GPU, where
    training ends by the clock: of the own evaluation's `own_s` seconds.
    """
    plain = alone(place, folder / "unhooked", hooked=False)
    hooked = alone(place, folder / "hooked", hooked=True)
    if not (plain.ok and hooked.ok):
        return None
    if place.emulated:
        return hooked.completed.cpu_s / plain.completed.cpu_s - 1.0
    return (hooked.completed.wall_s - plain.completed.wall_s) / own_s if own_s else None


def table(speeds: Sequence[Speed]) -> str:
    """The table, with the hardware above it."""
    machine = speeds[0].facts.machine
    columns = "submission|processes|own eval, s|ours, s|ours / own|ours / FLOP bound|MiB|BPB difference|hooks"
    head = f"| {columns.replace('|', ' | ')} |"
    lines = [head, "|---|--:|--:|--:|--:|--:|--:|--:|--:|", *(s.row for s in speeds)]
    return f"{machine.hardware}, torch {machine.torch}\n\n" + "\n".join(lines)


def _seconds(value: float | None) -> str:
    return "\u2013" if value is None else f"{value:.2f}"
