"""What a rerun costs and how fast our sliding windows are: against the script's own evaluation and the FLOP bound."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from harness.case import Submission
from harness.intake.claim import claimed_configuration
from harness.sandbox import Sandbox
from harness.witnesses.claims.labels import claimed_test
from harness.witnesses.claims.log import read_log
from harness.witnesses.claims.runs import run_facts
from harness.witnesses.rerun import RerunFacts, Settings, rerun
from harness.witnesses.rerun.hardware import check
from harness.witnesses.rerun.process import Place
from harness.witnesses.rerun.runs import alone
from harness.worlds.fineweb import OfficialData

PEAK = {
    "H100 PCIe": 756e12,
    "H100 NVL": 835e12,
    "H100": 989e12,
    "H200 NVL": 835e12,
    "H200": 989e12,
    "GH200": 989e12,
    "B200": 2250e12,
    "A100": 312e12,
}
"""Dense bfloat16 operations a second of one GPU, from NVIDIA's data sheets; the first name that the device's holds."""
GOALS = (
    "Goals: ours / own at most 0.8, ours / FLOP bound at most 2.5, BPB difference within 1e-4, hooks at most 3 %. "
    "`scaling` is the time of one process over that of all together."
)


@dataclasses.dataclass(frozen=True)
class Speed:
    """One submission on so many processes. `hooks` is the cost of the hooks as a share of the script's own evaluation."""

    name: str
    processes: int
    facts: RerunFacts
    hooks: float | None

    @property
    def seconds(self) -> float | None:
        """Those of our score of the decoded weights."""
        found = [m.seconds for m in self.facts.measured if m.weights == "decoded" and m.failed is None]
        return found[0] if found else None

    def row(self, one: float | None) -> str:
        """One row of the table; `one` is what a single process took."""
        own = next((p for p in self.facts.passes if p.claimed), None)
        ours = next((m for m in self.facts.measured if m.weights == "decoded" and m.failed is None), None)
        if ours is None or ours.bpb is None:
            return f"| {self.name} | {self.processes} | not measured: {self.facts.outcome.reason} | | | | | | | |"
        own_s = own.seconds if own else None
        bound = _bound(ours.flops, self.facts.machine.hardware, self.processes)
        printed = self.facts.outcome.bpb
        cells = [
            self.name,
            str(self.processes),
            _seconds(own_s),
            _seconds(ours.seconds),
            f"{ours.seconds / own_s:.2f}" if own_s else "\u2013",
            f"{ours.seconds / bound:.2f}" if bound else f"no peak known; {ours.flops:.3g} FLOP",
            f"{one / (ours.seconds * self.processes):.0%}" if one and ours.seconds else "\u2013",
            f"{ours.memory_bytes / 2**20:,.0f}",
            f"{ours.bpb - printed:+.6f}" if printed is not None else "\u2013",
            f"{self.hooks:+.1%}" if self.hooks is not None else "\u2013",
        ]
        return f"| {' | '.join(cells)} |"


def _bound(flops: int, hardware: str, processes: int) -> float | None:
    """Seconds that so many operations take at the peak of the devices; None where none is known."""
    peak = next((f for name, f in PEAK.items() if name in hardware), None)
    return flops / (peak * processes) if peak else None


def measure(
    submission: Submission, data: OfficialData, work: Path, sandbox: Sandbox, settings: Settings
) -> list[Speed]:
    """Rerun on 1, 2, 4, .. processes, as many as `settings` have at most, and on one without hooks. Raises NoDevice and
    ValueError as a rerun does.

    `settings.untrained` takes one training step: what an evaluation costs does not depend on the weights.
    """
    speeds = []
    check(settings.device, settings.processes)
    for processes in (n for n in (1, 2, 4, 8) if n <= settings.processes):
        folder = work / f"{processes}"
        claim = claimed_configuration(submission)
        one = dataclasses.replace(settings, processes=processes)
        found = rerun(submission, claim, data, folder, sandbox, one)
        assert submission.script is not None
        place = Place(
            submission,
            submission.script,
            claim,
            data,
            sandbox,
            settings.device,
            processes,
            folder,
            settings.seconds,
        )
        hooks = _hooks(place, folder, untrained=settings.untrained) if processes == 1 else None
        speeds.append(Speed(submission.name, processes, found, hooks))
    return speeds


def _hooks(place: Place, folder: Path, *, untrained: bool) -> float | None:
    """What the hooks add; None where a run did not end or states no clock. Emulated, where the clock is virtual: as a share
    of the run's processor time; on a GPU: of the evaluation, by the script's own clock.
    """
    plain = alone(place, folder / "unhooked", hooked=False, untrained=untrained)
    hooked = alone(place, folder / "hooked", hooked=True, untrained=untrained)
    if not (plain.ok and hooked.ok):
        return None
    if place.emulated:
        return hooked.completed.cpu_s / plain.completed.cpu_s - 1.0
    before, after = (evaluation_ms(place, ended.folder / "stdout.txt") for ended in (plain, hooked))
    return after / before - 1.0 if before and after else None


def evaluation_ms(place: Place, printed: Path) -> float | None:
    """Milliseconds of the claimed evaluation as the script's output states them."""
    log = read_log(printed, "output")
    label = place.claim.label
    test = claimed_test(label, [s.text for s in log.scores]) if label else None
    lines = [s for s in log.scores if test is None or test(s.text)] or log.finals()
    stated = run_facts(log, lines[-1]).eval_ms if lines else None
    return stated.value if stated else None


def table(speeds: Sequence[Speed]) -> str:
    """The table, with the hardware above it."""
    machine = speeds[0].facts.machine
    columns = "submission|processes|own eval, s|ours, s|ours / own|ours / FLOP bound|scaling|MiB|BPB difference|hooks"
    head = f"| {columns.replace('|', ' | ')} |"
    single = {s.name: s.seconds for s in speeds if s.processes == 1}
    lines = [head, "|---|" + "--:|" * 9, *(s.row(single.get(s.name)) for s in speeds)]
    return f"{machine.hardware}, torch {machine.torch}\n\n" + "\n".join([*lines, "", GOALS])


def _seconds(value: float | None) -> str:
    return "\u2013" if value is None else f"{value:.2f}"
