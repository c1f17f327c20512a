"""Intake: a folder, a single script, or (clone, pull request number) becomes a list of submissions."""

from harness.intake.changed import load_changed
from harness.intake.errors import IntakeError
from harness.intake.folder import load_target
from harness.intake.pull_request import load_pull_request

__all__ = ["IntakeError", "load_changed", "load_pull_request", "load_target"]
