"""What watching costs: the time of an emulated run with the watcher over the same run without it, on an idle machine."""

from __future__ import annotations

import dataclasses
import shutil
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

from harness.audit import Options
from harness.case import Submission
from harness.emulate import emulate
from harness.intake.claim import claimed_configuration


@dataclasses.dataclass(frozen=True)
class Cost:
    """Seconds of one submission's run inside the sandbox, unwatched and watched."""

    name: str
    outcome: str
    plain_s: float
    watched_s: float

    @property
    def ratio(self) -> float:
        """Watched over unwatched."""
        return self.watched_s / self.plain_s if self.plain_s else 0.0


def measure(submissions: Sequence[Submission], options: Options) -> list[Cost]:
    """Run each submission twice. The first run of all builds worlds and is not counted."""
    costs = []
    for submission in submissions:
        if submission.script is None:
            continue
        _run(submission, options, watch=False)
        plain, outcome = _run(submission, options, watch=False)
        watched, _ = _run(submission, options, watch=True)
        costs.append(Cost(submission.name, outcome, plain, watched))
    return costs


def _run(submission: Submission, options: Options, watch: bool) -> tuple[float, str]:
    assert options.sandbox is not None
    out = Path(tempfile.mkdtemp(prefix="pgolf-cost-"))
    try:
        run = emulate(
            submission,
            claimed_configuration(submission),
            out / "run",
            cache=options.cache,
            sandbox=options.sandbox,
            watch=watch,
            seconds=900,
        )
        return run.wall_s, run.outcome
    finally:
        shutil.rmtree(out, ignore_errors=True)


def table(costs: Sequence[Cost]) -> str:
    """A Markdown table with the median ratio."""
    lines = ["| submission | outcome | unwatched, s | watched, s | ratio |", "|---|---|---|---|---|"]
    lines += [
        f"| {c.name} | {c.outcome} | {c.plain_s:.1f} | {c.watched_s:.1f} | {c.ratio:.2f} |" for c in costs
    ]
    if costs:
        lines += ["", f"Median ratio {statistics.median(c.ratio for c in costs):.2f} over {len(costs)} runs."]
    return "\n".join(lines) + "\n"
