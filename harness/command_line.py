"""What every command shares: the exit codes of errors, and where worlds are kept."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from harness.case import Verdict


class Failure(click.ClickException):
    """The auditor could not do its work; exit code 4."""

    exit_code = Verdict.ERROR.exit_code


class Commands(click.Group):
    """A group whose commands end with 130 where they are interrupted: click's own 1 is the exit code of FAIL."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that is named."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("Stopped.", err=True)
            sys.exit(130)


class BadInput(click.ClickException):
    """The target is not what the command takes; exit code 2."""

    exit_code = 2


def experiments(context: click.Context, parameter: click.Parameter, value: str) -> str:
    """The value of --probes, once it is known to name experiments. Raises click.BadParameter."""
    from harness.witnesses.probes.choose import named

    if value != "auto":
        try:
            named(value)
        except ValueError as error:
            raise click.BadParameter(f"{error}.") from error
    return value


def have_room(folder: Path | None, *files: Path | None) -> None:
    """Say before anything runs where results could not be written. Raises BadInput."""
    for place in (folder, *files):
        if place is None:
            continue
        if place.exists() and place.is_dir() != (place is folder):
            what = "a file, and a folder is needed" if place is folder else "a folder, and a file is needed"
            raise BadInput(f"results cannot be written to {place}: it is {what}. Name another place.")
        above = next((p for p in (place, *place.absolute().parents) if p.exists()), Path("/"))
        if not (above.is_dir() or above == place) or not os.access(above, os.W_OK):
            raise BadInput(
                f"results cannot be written to {place}: {above} cannot be written to. Name another place."
            )


def default_cache() -> Path:
    """Where worlds are kept between runs: the user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pgolf-audit"
