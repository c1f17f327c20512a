"""The rerun witness: the submission run once more, on our data, and its captured model scored by ourselves.

Steps, each kept in the work folder and not done twice: *run* the script whole and unmodified, *again* its own quantization
on the float weights that it had, *yardsticks* on the same weights, *score* every set of weights by our sliding windows,
*passes* of its own evaluation rebuilt from the losses at its boundary.
"""

from __future__ import annotations

from pathlib import Path

from harness.case import Claim, Submission
from harness.sandbox import Sandbox
from harness.witnesses.rerun import hardware
from harness.witnesses.rerun.facts import RerunFacts
from harness.witnesses.rerun.hardware import NoDevice
from harness.witnesses.rerun.job import Job
from harness.witnesses.rerun.nodes import PATIENCE_S, Orders
from harness.witnesses.rerun.process import obey
from harness.witnesses.rerun.settings import Progress, Settings
from harness.witnesses.rerun.steps import StepFailed
from harness.worlds.fineweb import OfficialData

__all__ = ["NoDevice", "RerunFacts", "Settings", "follow", "rerun"]


def rerun(
    submission: Submission,
    claim: Claim,
    data: OfficialData,
    work: Path,
    sandbox: Sandbox,
    settings: Settings,
    progress: Progress = lambda step: None,
) -> RerunFacts:
    """Rerun one submission in `work`, where a second call resumes. Raises ValueError when it has no script, NoDevice when
    the device is not there; what happens to the script is a fact, not an error.
    """
    if submission.script is None:
        raise ValueError(f"{submission.name} has no script to run")
    hardware.check(settings.device, settings.processes)
    job = Job(submission, submission.script, claim, data, work, sandbox, settings, progress)
    try:
        job.work()
    except StepFailed as failed:
        job.notes.append(str(failed))
    return job.facts()


def follow(
    submission: Submission, claim: Claim, data: OfficialData, work: Path, sandbox: Sandbox, settings: Settings
) -> int:
    """Start this node's part of the rerun that node 0 makes in the shared folder `work`; how many steps there were.

    Raises ValueError when there is no script, NoDevice when the device is not there, StepFailed when no order comes.
    """
    if submission.script is None:
        raise ValueError(f"{submission.name} has no script to run")
    hardware.check(settings.device, settings.processes)
    place = Job(submission, submission.script, claim, data, work, sandbox, settings, lambda step: None).place
    return Orders(work).follow(lambda order: obey(place, order), PATIENCE_S + settings.seconds)
