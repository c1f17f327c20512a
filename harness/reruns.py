"""Everything that a rerun needs, asked for before anything runs: the device, one submission with a script, the data."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from harness.audit import Progress, Rerun
from harness.case import Case, Submission
from harness.intake.claim import claimed_configuration
from harness.sandbox import Sandbox
from harness.witnesses.rerun import RerunFacts, Settings, follow, rerun
from harness.witnesses.rerun.hardware import check
from harness.worlds.fineweb import OfficialData, official_data


def prepared(
    submissions: Sequence[Submission],
    data: Path,
    tokenizer: Path,
    work: Path,
    sandbox: Sandbox,
    settings: Settings,
) -> Rerun:
    """The rerun of the one submission, for ``harness.audit.Options``. Raises NoDevice where the device is not there,
    ValueError for several submissions or one without a script, ShardError where data or tokenizer cannot be used, OSError
    where `work` cannot be written.
    """
    one, official = _checked(submissions, data, tokenizer, settings)
    work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=work):
        pass  # it can be written

    def make(case: Case, progress: Progress) -> RerunFacts:
        return rerun(one, case.claim, official, work, sandbox, settings, progress)

    return make


def followed(
    submissions: Sequence[Submission],
    data: Path,
    tokenizer: Path,
    work: Path,
    sandbox: Sandbox,
    settings: Settings,
) -> int:
    """Be a further node of the rerun in `work`; how many steps there were. Raises as `prepared`, and StepFailed where
    node 0 gives no orders.
    """
    one, official = _checked(submissions, data, tokenizer, settings)
    return follow(one, claimed_configuration(one), official, work, sandbox, settings)


def _checked(
    submissions: Sequence[Submission], data: Path, tokenizer: Path, settings: Settings
) -> tuple[Submission, OfficialData]:
    check(settings.device, settings.processes)
    if len(submissions) != 1:
        names = ", ".join(s.name for s in submissions[:8])
        raise ValueError(
            f"a rerun takes one submission, and there are {len(submissions)}: {names}. Name one TARGET."
        )
    if submissions[0].script is None:
        raise ValueError(f"{submissions[0].name} has no script to run.")
    if settings.weights is not None and not settings.weights.stat().st_size:
        raise ValueError(f"{settings.weights.name} is empty: --weights needs an artifact of this script.")
    return submissions[0], official_data(data, tokenizer)
