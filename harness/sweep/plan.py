"""What a sweep shall do: which pull requests, how, and how many at a time."""

from __future__ import annotations

import dataclasses
import os
import re
from pathlib import Path

from harness.intake.errors import IntakeError
from harness.intake.git import Repository
from harness.policy import Policy
from harness.sweep.store import Head


@dataclasses.dataclass(frozen=True)
class TaskLimits:
    """What one task of a sweep gets: seconds after which it counts as a hang (a busy machine is slow, so they are many),
    bytes that are set aside for it, bytes that it cannot go beyond (None where its children have bounds of their own),
    and whether each gets a process of its own."""

    seconds: float
    usual_bytes: int
    most_bytes: int | None
    fresh: bool


STATIC = TaskLimits(900.0, 700_000_000, 5_600_000_000, fresh=False)
"""Reading a pull request, or a script."""

FULL = TaskLimits(3600.0, 3_000_000_000, None, fresh=True)
"""Running a small model in its sandbox."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """`cache` holds worlds; of one pull request, `most` submissions are run and the rest read. `ray` is None where audits
    are made by processes of this machine, "local" for a Ray of its own with as many workers, else a cluster's address."""

    clone: Path
    cache: Path
    static_only: bool
    processes: int
    policy: Policy = dataclasses.field(default_factory=Policy)
    probes: str = "auto"
    most: int = 3
    ray: str | None = None

    @property
    def limits(self) -> TaskLimits:
        """What one audit gets."""
        return STATIC if self.static_only else FULL


def numbers(text: str) -> list[range]:
    """The ranges in "1-2200,2310". Raises IntakeError where it says anything else."""
    found = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)(?:\s*-\s*(\d+))?\s*", part)
        if match is None:
            raise IntakeError(f"{part.strip()!r} is no range of pull requests; write 1-2200 or 12,15.")
        found.append(range(int(match[1]), int(match[2] or match[1]) + 1))
    return found


def heads(clone: Path, wanted: list[range] | None) -> list[Head]:
    """The pull requests that the clone holds, those of the ranges where some are named, ascending."""
    text = Repository(clone).text(
        "for-each-ref", "--format=%(refname) %(objectname) %(committerdate:iso-strict)", "refs/pull"
    )
    found = []
    for line in (text or "").splitlines():
        match = re.fullmatch(r"refs/pull/(\d+)/head ([0-9a-f]+) (\S*)", line)
        if match and (wanted is None or any(int(match[1]) in r for r in wanted)):
            found.append(Head(int(match[1]), match[2], match[3]))
    return sorted(found, key=lambda h: h.number)


def bounded(asked: int | None, *, static_only: bool) -> int:
    """How many processes: as many as were asked for, or cores; never more than cores, nor than memory allows."""
    cores = len(os.sched_getaffinity(0))
    room = _free_bytes() // (STATIC if static_only else FULL).usual_bytes
    return max(1, min(asked or cores, cores, room))


def _free_bytes() -> int:
    """Memory that is free for new processes, by the kernel's estimate and by the control group's limit."""
    free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
        used = int(Path("/sys/fs/cgroup/memory.current").read_text())
    except (OSError, StopIteration, ValueError):
        return free
    return free if limit == "max" else min(free, max(int(limit) - used, 0))
