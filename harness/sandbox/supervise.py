"""Run a sandbox's program to its end: stream its output, keep the limits, and leave nothing alive."""

from __future__ import annotations

import contextlib
import os
import resource
import select
import selectors
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from harness.sandbox import entry
from harness.sandbox.interface import GIB, Completed, Limits, OnOutput
from harness.sandbox.watchdog import Watchdog, kill_below

_CHUNK = 65_536
_KILLED = 137  # 128 + SIGKILL, as shells report it


def supervise(
    program: Sequence[str],
    *,
    limits: Limits,
    writable: Sequence[Path],
    stdout: Path,
    stderr: Path,
    pass_fds: Sequence[int] = (),
    on_output: OnOutput | None = None,
) -> Completed:
    """Run `program`, whose death takes its whole tree with it. `writable` are the host folders it may write to."""
    with open(stdout, "wb") as out, open(stderr, "wb") as err:
        start = time.monotonic()
        process = subprocess.Popen(
            [
                sys.executable,
                "-I",
                "-S",
                entry.__file__,
                str(os.getpid()),
                _resource_limits(limits),
                *program,
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={},
            pass_fds=pass_fds,
            start_new_session=True,  # Ctrl-C is ours to handle
        )
        try:
            watchdog = Watchdog(process.pid, limits, writable)
            watch = _Watch(process, limits, watchdog, {"stdout": out, "stderr": err}, on_output)
            reason = watch.until_end(start + limits.wall_s)
        finally:
            usage = _finish(process)
        watch.drain()
    returncode = _KILLED if reason else process.returncode
    return Completed(
        returncode=returncode,
        reason=reason or ("signal" if 128 < returncode <= 192 else "exit"),
        stdout=stdout,
        stderr=stderr,
        wall_s=time.monotonic() - start,
        cpu_s=max(watchdog.cpu_s, usage.ru_utime + usage.ru_stime),
        peak_bytes=max(watchdog.peak_bytes, usage.ru_maxrss * 1024),
    )


def _resource_limits(limits: Limits) -> str:
    """Limits that the kernel keeps for each process. RLIMIT_DATA backs the watchdog against one huge allocation."""
    values = {
        "RLIMIT_CORE": 0,
        "RLIMIT_FSIZE": limits.file_bytes,
        "RLIMIT_DATA": 2 * limits.memory_bytes + 4 * GIB,
        "RLIMIT_NOFILE": 4096,
    }
    return ",".join(f"{name}={value}" for name, value in values.items())


class _Watch:
    """One running program: its output goes to files and to the callback, within the limit, until something ends it."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        limits: Limits,
        watchdog: Watchdog,
        files: Mapping[str, IO[bytes]],
        on_output: OnOutput | None,
    ) -> None:
        assert process.stdout is not None
        assert process.stderr is not None
        self._pipes = {"stdout": process.stdout, "stderr": process.stderr}
        self._pid, self._watchdog, self._files, self._on_output = process.pid, watchdog, files, on_output
        self._output_left = limits.output_bytes

    def until_end(self, deadline: float) -> str | None:
        """Wait for the end. Returns the limit for which the tree must die, or None when the program ended."""
        with selectors.DefaultSelector() as selector, _pidfd(self._pid) as ended:
            selector.register(ended, selectors.EVENT_READ, None)
            for name, pipe in self._pipes.items():
                selector.register(pipe, selectors.EVENT_READ, name)
            while selector.get_map():
                now = time.monotonic()
                broken = "timeout" if now >= deadline else self._watchdog.look()
                if broken:
                    return broken
                for key, _ in selector.select(max(0.0, min(deadline, self._watchdog.next_look) - now)):
                    if key.data is None or not self._forward(key.data):
                        selector.unregister(key.fileobj)
                if self._output_left < 0:
                    return "output"
        return self._watchdog.look_at_disk()

    def drain(self) -> None:
        """Keep what a dead program left in its pipes."""
        for name in self._pipes:
            while self._output_left >= 0 and self._forward(name):
                continue

    def _forward(self, name: str) -> bool:
        """Pass on what one pipe holds; False at its end."""
        data = os.read(self._pipes[name].fileno(), _CHUNK)
        kept = data[: max(0, self._output_left)]
        self._output_left -= len(data)
        self._files[name].write(kept)
        if kept and self._on_output is not None:
            self._files[name].flush()
            self._on_output(name, kept)
        return bool(data)


def _finish(process: subprocess.Popen[bytes]) -> resource.struct_rusage:
    """Kill what still runs, wait until all of it is gone, and return what the tree used."""
    with _pidfd(process.pid) as ended:
        while not select.select([ended], [], [], 0)[0]:
            # The program that made the namespace ends by itself once everything inside is gone.
            if not kill_below(process.pid):
                process.kill()
            select.select([ended], [], [], 1.0)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage


@contextlib.contextmanager
def _pidfd(pid: int) -> Iterator[int]:
    """A descriptor that becomes readable when the process ends."""
    descriptor = os.pidfd_open(pid)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
