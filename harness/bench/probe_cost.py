"""What a full audit with every experiment costs: `python -m harness.bench.probe_cost FOLDER...`

Wall time on a shared machine says nothing, so processor seconds stand beside it: the sandbox counts what each run uses, the
auditor's own part is its process's.
"""

from __future__ import annotations

import dataclasses
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import click

from harness.audit import Options, audit
from harness.intake import load_target
from harness.sandbox import Completed, Sandbox, default_sandbox


@dataclasses.dataclass(frozen=True)
class Metered(Sandbox):
    """A sandbox that notes the processor seconds of each run."""

    inner: Sandbox
    seconds: list[float] = dataclasses.field(default_factory=list)

    def run(self, *arguments: Any, **options: Any) -> Completed:
        """As the sandbox behind it does."""
        done = self.inner.run(*arguments, **options)
        self.seconds.append(done.cpu_s)
        return done


def cost(folder: Path) -> dict[str, Any]:
    """The seconds of one audit: of its runs, the first one first, of the auditor itself, of all, and by the clock."""
    from harness.command_line import default_cache

    sandbox, begun, started = Metered(default_sandbox()), time.process_time(), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="pgolf-cost-") as scratch:
        submission = load_target(folder, Path(scratch))[0]
        result = audit(submission, Options(sandbox, default_cache(), probes="all"))
    runs = [round(s, 1) for s in sandbox.seconds]
    found = {k: v.status for k, v in vars(result.case.probes).items() if v} if result.case.probes else {}
    own = round(time.process_time() - begun, 1)
    total, wall = round(sum(runs) + own, 1), round(time.monotonic() - started, 1)
    return {
        "folder": folder.name,
        "verdict": result.verdict.value,
        "runs": runs,
        "auditor": own,
        "total": total,
        "wall": wall,
        **found,
    }


@click.command(help=__doc__)
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
def main(folders: tuple[Path, ...]) -> None:
    """One line of JSON for each folder."""
    for folder in folders:
        click.echo(json.dumps(cost(folder)))


if __name__ == "__main__":
    main()
