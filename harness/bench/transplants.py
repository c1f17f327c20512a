"""What a transplanted artifact and other neighbours show on record folders, with the processor seconds of every run:
`python -m harness.bench.transplants --repo CLONE --work WORK NAME...`
"""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path

import click

from harness.bench.targets import record_folders
from harness.case import Case, to_json
from harness.emulate import Run, emulate
from harness.intake import load_target
from harness.intake.claim import claimed_configuration
from harness.sandbox import default_sandbox
from harness.witnesses.probes import Laboratory
from harness.witnesses.probes.neighbour import neighbour
from harness.witnesses.probes.transplant import transplant
from harness.witnesses.trace.run import trace_of
from harness.worlds import World
from harness.worlds.miniature import miniature
from harness.worlds.scale import scale_profile


@dataclasses.dataclass(frozen=True)
class Timed(Laboratory):
    """A laboratory that keeps the processor seconds of its runs, by name."""

    times: dict[str, float] = dataclasses.field(default_factory=dict)

    def run_in(self, world: World, tuning: object, name: str, **more: object) -> Run:
        """As any laboratory does."""
        run = super().run_in(world, tuning, name, **more)  # type: ignore[arg-type]
        self.times[name] = run.cpu_s
        return run


def measure(folder: Path, work: Path, cache: Path) -> dict[str, object]:
    """The two experiments on one folder, as plain data."""
    submission = load_target(folder, work / "intake")[0]
    claim = claimed_configuration(submission)
    assert submission.script is not None
    scale = scale_profile(submission.script.runnable, claim.environment())
    world = miniature(
        scale.vocab_size, cache / "worlds", val_tokens=scale.val_tokens, train_tokens=scale.train_tokens,
        caseops=scale.caseops,
    )  # fmt: skip
    sandbox = default_sandbox()
    run = emulate(submission, claim, work / "run", cache=cache, sandbox=sandbox, world=world)
    case = Case(submission, claim, run=run, trace=trace_of(run, world, claim))
    lab = Timed(case, world, work / "probes", cache, sandbox, 300.0)
    found = {"transplant": transplant(lab), "neighbour": neighbour(lab)}
    balanced = case.trace is not None and case.trace.covers
    data = {"outcome": run.outcome, "balanced": balanced, "seconds": {"own": run.cpu_s, **lab.times}}
    return {**data, **{name: to_json(value) for name, value in found.items()}}


@click.command(help=__doc__)
@click.option("--repo", required=True, type=click.Path(path_type=Path))
@click.option("--work", required=True, type=click.Path(path_type=Path))
@click.argument("names", nargs=-1, required=True)
def main(repo: Path, work: Path, names: tuple[str, ...]) -> None:
    """Measure record folders whose names begin like this, one after the other; what is done is not done again."""
    from harness.command_line import default_cache

    for target in record_folders(repo, work / "folders"):
        place = work / f"{target.key}.json"
        if not target.key.startswith(names) or place.exists():
            continue
        data = measure(
            Path(target.arguments[0]), work / "runs" / f"{target.key}-{time.time_ns()}", default_cache()
        )
        place.write_text(json.dumps(data, indent=1))
        click.echo(f"{target.key}: {json.dumps(data)}")


if __name__ == "__main__":
    main()
