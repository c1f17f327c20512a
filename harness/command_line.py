"""What every command shares: the exit codes of errors, and where worlds are kept."""

from __future__ import annotations

import os
from pathlib import Path

import click

from harness.case import Verdict


class Failure(click.ClickException):
    """The auditor could not do its work; exit code 4."""

    exit_code = Verdict.ERROR.exit_code


class BadInput(click.ClickException):
    """The target is not what the command takes; exit code 2."""

    exit_code = 2


def default_cache() -> Path:
    """Where worlds are kept between runs: the user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pgolf-audit"
