"""A rerun with the static audit around it: what reports show of a submission that was run at full scale."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from harness.audit import Options, audit
from harness.case import Audit, Submission, Verdict
from harness.sandbox import Sandbox
from harness.witnesses.rerun import RerunFacts, Settings, rerun
from harness.witnesses.rerun.hardware import check
from harness.witnesses.rerun.settings import Progress
from harness.worlds.fineweb import OfficialData


def audit_and_rerun(
    submissions: Sequence[Submission],
    data: OfficialData,
    work: Path,
    sandbox: Sandbox,
    settings: Settings,
    progress: Progress = lambda step: None,
) -> Audit:
    """The static audit of the one submission with its rerun. Raises ValueError where there are several, or no script, and
    NoDevice where the device is not there.
    """
    check(settings.device, settings.processes)
    if len(submissions) != 1:
        names = ", ".join(s.name for s in submissions[:8])
        raise ValueError(f"a rerun takes one submission, and there are {len(submissions)}: {names}")
    audited = audit(submissions[0], Options(None, work), progress)
    return with_rerun(audited, data, work, sandbox, settings, progress)


def with_rerun(
    audited: Audit,
    data: OfficialData,
    work: Path,
    sandbox: Sandbox,
    settings: Settings,
    progress: Progress = lambda step: None,
) -> Audit:
    """An audit with the rerun of its submission: what was not reproduced is no PASS."""
    case = audited.case
    found = rerun(case.submission, case.claim, data, work, sandbox, settings, progress)
    audited = dataclasses.replace(audited, case=dataclasses.replace(case, rerun=found))
    if audited.verdict is not Verdict.PASS or reproduced(found):
        return audited
    why = "The rerun did not reproduce the claimed score: its section says which step, and by how much."
    return dataclasses.replace(audited, verdict=Verdict.REVIEW, why=why)


def reproduced(found: RerunFacts) -> bool:
    """Whether every step finished, and the claimed score was measured within its tolerance where it can be compared."""
    claimed = found.claimed
    if not found.finished or claimed.measured is None:
        return False
    if not claimed.comparable or claimed.bpb is None:
        return True
    return abs(claimed.measured - claimed.bpb) <= claimed.tolerance
