"""Conformance, the walls: what no command may reach, whatever the backend."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from harness.sandbox import Limits, Mount, SandboxError
from tests.sandbox.conftest import Room


def test_host_ports_are_out_of_reach(room: Room) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        room.python(f"""
            import socket
            try:
                socket.create_connection(("127.0.0.1", {port}), timeout=5)
                print("connected")
            except ConnectionRefusedError:
                print("refused")
        """)
        assert room.said() == "refused"
        server.settimeout(0)
        with pytest.raises(BlockingIOError):
            server.accept()


def test_abstract_sockets_of_the_host_are_out_of_reach(room: Room) -> None:
    name = f"\0auditor-{uuid.uuid4().hex}"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(name)
        server.listen()
        with socket.socket(socket.AF_UNIX) as control:
            control.connect(name)  # the host itself reaches it
        room.python(f"""
            import socket
            try:
                socket.socket(socket.AF_UNIX).connect({name!r})
                print("connected")
            except ConnectionRefusedError:
                print("refused")
        """)
    assert room.said() == "refused"


def test_there_is_no_way_out(room: Room) -> None:
    room.python("""
        import socket
        for address in ("192.0.2.1", "1.1.1.1"):
            try:
                socket.create_connection((address, 80), timeout=5)
                print("connected")
            except OSError as error:
                print(error.strerror)
    """)
    assert room.said().splitlines() == ["Network is unreachable"] * 2


def test_loopback_and_the_own_host_name_work(room: Room) -> None:
    """Rendezvous of torch.distributed needs both."""
    room.python("""
        import socket
        server = socket.create_server((socket.gethostbyname(socket.gethostname()), 0))
        socket.create_connection(server.getsockname(), timeout=5)
        print("connected")
    """)
    assert room.said() == "connected"


@pytest.mark.parametrize("family", [38, 40])  # AF_ALG, AF_VSOCK: network namespaces do not divide them
def test_other_address_families_are_refused(room: Room, family: int) -> None:
    room.python(f"""
        import errno, socket
        try:
            socket.socket({family}, socket.SOCK_STREAM)
            print("opened")
        except OSError as error:
            print(errno.errorcode[error.errno])
    """)
    assert room.said() == "EAFNOSUPPORT"


def test_dangerous_calls_are_refused(room: Room) -> None:
    """io_uring_setup has one number everywhere; a fresh user namespace would give capabilities back."""
    room.python("""
        import ctypes, errno
        libc = ctypes.CDLL(None, use_errno=True)
        print(libc.syscall(425, 1, 0), errno.errorcode[ctypes.get_errno()])
        print(libc.unshare(0x10000000) != 0)
    """)
    assert room.said().splitlines() == ["-1 EPERM", "True"]


def test_writes_outside_are_refused(room: Room) -> None:
    places = ["/", "/usr", "/bin", "/etc", "/dev", "/sys", "/proc/sys/kernel", "/root", "/var", sys.prefix]
    places += [sys.base_prefix, str(Path(os.__file__).parent)]
    room.python(f"""
        import os
        for place in {places!r}:
            try:
                open(os.path.join(place, "mark"), "w").close()
                print("wrote to", place)
            except OSError:
                pass
        for path in ("/proc/sys/kernel/hostname", "/etc/passwd", "/proc/sys/kernel/core_pattern"):
            try:
                open(path, "r+")  # as it is: a hole must not harm the machine that runs this test
                print("wrote to", path)
            except OSError:
                pass
    """)
    assert room.said() == ""


def test_work_and_tmp_are_writable_and_tmp_is_private(room: Room) -> None:
    mark = f"auditor-{uuid.uuid4().hex}"
    Path("/tmp", mark).write_text("host")
    try:
        room.python(f"""
            import os
            print("{mark}" in os.listdir("/tmp"))
            open("/tmp/{mark}-inside", "w").write("x")
            open("/work/result", "w").write("done")
        """)
    finally:
        Path("/tmp", mark).unlink()
    assert room.said() == "False"
    assert not Path("/tmp", f"{mark}-inside").exists()
    assert (room.work / "result").read_text() == "done"


def test_mounts_are_read_only_unless_writable(room: Room, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "file").write_text("given")
    mounts = (Mount(tmp_path / "data", "/world"), Mount(tmp_path / "data" / "file", "/one/file"))
    room.python(
        """
        print(open("/world/file").read(), open("/one/file").read())
        for path in ("/world/file", "/world/new", "/one/file"):
            try:
                open(path, "w")
                print("wrote", path)
            except OSError:
                pass
        """,
        mounts=mounts,
    )
    assert room.said() == "given given"


def test_a_mount_lies_inside_another(room: Room, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "file").write_text("given")
    room.python("print(open('/work/data/file').read())", mounts=(Mount(tmp_path / "data", "/work/data"),))
    assert room.said() == "given"


def test_files_of_the_host_are_invisible(room: Room, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    hidden = [str(tmp_path / "secret"), str(Path(__file__)), "/root/.ssh", "/root/.bashrc", "/etc/shadow"]
    hidden += [
        "/var/log",
        "/var/run",
        "/run",
        "/boot",
        "/srv",
        "/mnt",
        "/etc/hostname",
        "/sys/class",
        "/dev/kvm",
    ]
    room.python(f"""
        import os
        print([path for path in {hidden!r} if os.path.lexists(path)])
        print(sorted(os.listdir("/home")) if os.path.exists("/home") else [])
        print(os.path.exists({sys.executable!r}))
    """)
    seen, homes, interpreter = room.said().splitlines()
    assert (seen, interpreter) == ("[]", "True")
    # A home appears only as the way to the interpreter.
    own = [p.parts[2] for p in map(Path, (sys.base_prefix, sys.prefix)) if p.parts[1] == "home"]
    assert homes == str(sorted(set(own)))


def test_processes_of_the_host_are_invisible(room: Room) -> None:
    marker = f"auditor-{uuid.uuid4().hex}"
    host = subprocess.Popen([sys.executable, "-S", "-c", f"import time; time.sleep(60)  # {marker}"])
    try:
        room.python(
            """
            import os
            pids = [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]
            lines = [open(f"/proc/{pid}/cmdline").read() for pid in pids]
            print(any(os.environ["MARKER"] in line for line in lines), max(pids) < 20)
            """,
            env={"MARKER": marker},
        )
        assert room.said() == "False True"
        assert host.poll() is None
    finally:
        host.kill()
        host.wait()


def test_it_is_nobody_without_capabilities(room: Room) -> None:
    room.python("""
        import os
        print(os.getuid() != 0, os.getppid() < 10)
        print({line.split()[1] for line in open("/proc/self/status") if line.startswith("Cap")})
    """)
    assert room.said().splitlines() == ["True True", "{'0000000000000000'}"]


def test_the_environment_is_the_one_given(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUDITOR_SECRET", "x")
    room.python("import os; print(sorted(os.environ.items()))", env={"LC_ALL": "C.UTF-8", "SEED": "a b\n=c"})
    assert room.said() == str([("LC_ALL", "C.UTF-8"), ("PWD", "/work"), ("SEED", "a b\n=c")])


def test_stdin_is_empty_and_no_descriptor_leaks(room: Room) -> None:
    room.python("""
        import os, sys
        print(repr(sys.stdin.read()), [fd for fd in range(3, 64) if os.path.exists(f"/proc/self/fd/{fd}")])
    """)
    assert room.said() == "'' []"


def test_python_packages_are_there(room: Room) -> None:
    room.python("import numpy, sentencepiece; print(numpy.arange(3).sum())", packages=True)
    assert room.said() == "3"


def test_a_missing_mount_is_an_error(room: Room, tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="nowhere"):
        room.python("print(1)", mounts=(Mount(tmp_path / "nowhere", "/world"),))


def test_a_missing_command_is_an_error(room: Room) -> None:
    with pytest.raises(SandboxError, match="no-such-program"):
        room.sandbox.run(
            ["/no-such-program"],
            mounts=(),
            workdir="/tmp",
            env={},
            limits=Limits(),
            stdout=room.outside / "stdout",
            stderr=room.outside / "stderr",
        )
