"""What every sandbox does: run one command that can reach nothing but what it is given, within limits.

A backend promises what the conformance suite in tests/sandbox checks: no network, no file but the mounts, no
other process, no environment but the one given, every limit kept, and the whole tree gone when `run` returns
or the auditor dies.
"""

from __future__ import annotations

import abc
import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

GIB, MIB = 2**30, 2**20

OnOutput = Callable[[str, bytes], None]
"""Called with "stdout" or "stderr" and the bytes just read, while the command runs."""


class SandboxUnavailable(Exception):
    """No sandbox works on this machine; the sentence says what to install or to allow."""


class SandboxError(Exception):
    """The sandbox could not be set up for this command (a mount's source is missing, for example)."""


@dataclasses.dataclass(frozen=True)
class Limits:
    """Bounds on one run. Memory, processes and disk are sums over the whole tree and all writable mounts.

    `cpu_s` is processor time: a busy machine takes nothing from it. `processes` counts threads. `file_bytes` bounds
    each file (a write beyond it fails inside), `disk_bytes` what the writable mounts may grow by and how much the
    private /tmp holds, `output_bytes` stdout and stderr together.
    """

    memory_bytes: int = 4 * GIB
    wall_s: float = 300.0
    cpu_s: float = math.inf
    processes: int = 512
    file_bytes: int = 1 * GIB
    output_bytes: int = 16 * MIB
    disk_bytes: int = 4 * GIB


@dataclasses.dataclass(frozen=True)
class Mount:
    """A host folder or file that is visible inside as `target` (an absolute path).

    With `device` it is a device node that can be used as such, below /dev; a GPU is one.
    """

    source: Path
    target: str
    writable: bool = False
    device: bool = False


@dataclasses.dataclass(frozen=True)
class Completed:
    """How a run ended.

    `reason`: "exit" (the command ended by itself), "signal" (it was killed by a signal not ours; `returncode`
    is 128 plus its number), or the limit for which the tree was killed: "timeout", "memory", "processes",
    "output", "disk". `returncode` is then 137. `peak_bytes` is the largest resident memory seen, `stdout` and
    `stderr` hold what was written, cut where the limit was reached.
    """

    returncode: int
    reason: str
    stdout: Path
    stderr: Path
    wall_s: float
    cpu_s: float
    peak_bytes: int


class Sandbox(abc.ABC):
    """One way to run a command that can reach nothing else."""

    @abc.abstractmethod
    def run(
        self,
        command: Sequence[str],
        *,
        mounts: Sequence[Mount],
        workdir: str,
        env: Mapping[str, str],
        limits: Limits,
        stdout: Path,
        stderr: Path,
        on_output: OnOutput | None = None,
        network: bool = False,
    ) -> Completed:
        """Run the command in `workdir` (a path inside) and wait for it. Stdin is empty.

        The system's programs and the running Python with its packages are visible read-only besides the
        mounts. `stdout` and `stderr` are host files that are overwritten; keep them out of writable mounts.
        With `network` the command has the machine's own, which several machines need to work as one; nothing else is
        opened. Whatever ends this call, KeyboardInterrupt and an exception of `on_output` included, the tree is dead
        when it returns.

        Raises SandboxError when the command could not be started.
        """
