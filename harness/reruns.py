"""A rerun with the static audit around it: what reports show of a submission that was run at full scale."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from harness.audit import Options, audit
from harness.case import Audit, Submission
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
    found = rerun(submissions[0], audited.case.claim, data, work, sandbox, settings, progress)
    return dataclasses.replace(audited, case=dataclasses.replace(audited.case, rerun=found))


def reproduced(found: RerunFacts) -> bool:
    """Whether every step finished, and the claimed score was measured within its tolerance where it can be compared."""
    claimed = found.claimed
    if not found.finished or claimed.measured is None:
        return False
    if not claimed.comparable or claimed.bpb is None:
        return True
    return abs(claimed.measured - claimed.bpb) <= claimed.tolerance
