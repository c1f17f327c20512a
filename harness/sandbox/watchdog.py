"""Watch a running tree of processes from outside: its memory, its size, what it writes to disk."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import stat
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from harness.sandbox.interface import Limits

_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICK = os.sysconf("SC_CLK_TCK")


@dataclasses.dataclass(frozen=True)
class Process:
    """One line of /proc/PID/stat: parent, threads, CPU seconds, resident bytes."""

    pid: int
    parent: int
    threads: int
    cpu_s: float
    resident: int


def tree(root: int) -> list[Process]:
    """The process `root` and everything below it.

    In a PID namespace orphans become children of its first process, which is below `root`: nothing gets away.
    """
    children: dict[int, list[Process]] = defaultdict(list)
    found = []
    for entry in os.listdir("/proc"):
        process = _read(int(entry)) if entry.isdigit() else None
        if process is not None:
            children[process.parent].append(process)
            if process.pid == root:
                found.append(process)
    for process in found:  # grows while it is walked through
        found.extend(children[process.pid])
    return found


def _read(pid: int) -> Process | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            line = file.read()
    except OSError:
        return None  # it has ended
    fields = line[line.rindex(b")") + 2 :].split()  # the name before may hold anything
    cpu = (int(fields[11]) + int(fields[12])) / _TICK
    return Process(pid, int(fields[1]), int(fields[17]), cpu, int(fields[21]) * _PAGE)


def kill_below(root: int) -> bool:
    """Kill everything below `root`; False when there is nothing. In a PID namespace the first death takes the rest."""
    below = tree(root)[1:]
    for process in below:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
    return bool(below)


class Watchdog:
    """Says for which limit a tree must die.

    Each look costs less than a twentieth of the time between looks, but for looks at processes on a busy machine: those
    are never further apart than MEMORY_LATEST, for a fork bomb doubles while nobody looks.
    """

    MEMORY_EVERY, MEMORY_LATEST, DISK_EVERY = 0.1, 0.25, 1.0

    def __init__(self, root: int, limits: Limits, writable: Sequence[Path]) -> None:
        self.peak_bytes, self.cpu_s = 0, 0.0
        self._root, self._limits, self._writable = root, limits, writable
        self._disk_before = sum(_disk(path) or 0 for path in writable)
        self._next_memory = time.monotonic()
        self._next_disk = self._next_memory + self.DISK_EVERY

    @property
    def next_look(self) -> float:
        """When to look again, on the monotonic clock."""
        return min(self._next_memory, self._next_disk)

    def look(self) -> str | None:
        """The limit that is broken, if any: "timeout" (processor time), "memory", "processes" or "disk"."""
        start = time.monotonic()
        broken = None
        if start >= self._next_memory:
            broken = self._look_at_processes()
            self._next_memory = min(_later(start, self.MEMORY_EVERY), time.monotonic() + self.MEMORY_LATEST)
        if broken is None and start >= self._next_disk:
            broken = self.look_at_disk()
            self._next_disk = _later(start, self.DISK_EVERY)
        return broken

    def _look_at_processes(self) -> str | None:
        processes = tree(self._root)
        self.cpu_s = max(self.cpu_s, sum(p.cpu_s for p in processes))
        resident = sum(p.resident for p in processes)
        if resident > self._limits.memory_bytes:
            resident = self._sharing_counted(processes)
        self.peak_bytes = max(self.peak_bytes, resident)
        if self.cpu_s > self._limits.cpu_s:
            return "timeout"
        if resident > self._limits.memory_bytes:
            return "memory"
        return "processes" if sum(p.threads for p in processes) > self._limits.processes else None

    def _sharing_counted(self, processes: Sequence[Process]) -> int:
        """Resident bytes with pages shared between processes counted once.

        While processes start or end between two readings, their shares do not add up: the count that breaks the
        limit is taken a second time, from a new list of the processes.
        """
        resident = sum(_proportional(p) for p in processes)
        if resident > self._limits.memory_bytes:
            resident = min(resident, sum(_proportional(p) for p in tree(self._root)))
        return resident

    def look_at_disk(self) -> str | None:
        """ "disk" when the writable mounts have grown beyond the limit, files deleted but still open included."""
        sizes = [_disk(path) for path in self._writable]
        if None in sizes:
            return "disk"  # a folder was made unreadable: what cannot be measured is not allowed
        grown = sum(size or 0 for size in sizes) - self._disk_before + _deleted(tree(self._root))
        return "disk" if grown > self._limits.disk_bytes else None


def _later(start: float, every: float) -> float:
    now = time.monotonic()
    return now + max(every, 20 * (now - start))


def _proportional(process: Process) -> int:
    """Resident bytes, each shared page divided by the number of its users; plain resident bytes where unknown.

    A process that has ended since it was listed holds nothing.
    """
    try:
        with open(f"/proc/{process.pid}/smaps_rollup", "rb") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith(b"Pss:"))
    except (FileNotFoundError, ProcessLookupError):
        return 0
    except (OSError, StopIteration):
        return process.resident


def _disk(path: Path) -> int | None:
    """Bytes on disk below a path, no link followed; None when part of it cannot be looked at."""
    try:
        if not path.is_dir():
            return path.lstat().st_blocks * 512
        total = 0
        with os.scandir(path) as entries:
            for entry in entries:
                below = _disk(Path(entry)) if entry.is_dir(follow_symlinks=False) else _blocks(entry)
                if below is None:
                    return None
                total += below
        return total
    except FileNotFoundError:
        return 0  # deleted meanwhile
    except (OSError, RecursionError):
        return None


def _blocks(entry: os.DirEntry[str]) -> int:
    return entry.stat(follow_symlinks=False).st_blocks * 512


def _deleted(processes: Sequence[Process]) -> int:
    """Bytes of files that were deleted and are still open."""
    sizes: dict[tuple[int, int], int] = {}
    for process in processes:
        try:
            descriptors = os.listdir(f"/proc/{process.pid}/fd")
        except OSError:
            continue
        for descriptor in descriptors:
            try:
                file = os.stat(f"/proc/{process.pid}/fd/{descriptor}")
            except OSError:
                continue
            if stat.S_ISREG(file.st_mode) and file.st_nlink == 0:
                sizes[file.st_dev, file.st_ino] = file.st_blocks * 512
    return sum(sizes.values())
