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

STATIC_BYTES, FULL_BYTES = 700_000_000, 3_000_000_000
"""Memory that one audit at a time may need: reading a large script, running a small model with its sandbox."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """`cache` holds worlds; of one pull request, `most` submissions are run and the rest read."""

    clone: Path
    cache: Path
    static_only: bool
    processes: int
    policy: Policy = dataclasses.field(default_factory=Policy)
    probes: str = "auto"
    most: int = 3


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
    room = _free_bytes() // (STATIC_BYTES if static_only else FULL_BYTES)
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
