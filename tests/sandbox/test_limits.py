"""Conformance, the limits: every bound is kept, its name reported, and nothing is left alive."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
import uuid
from pathlib import Path

import pytest

from harness.sandbox import Limits, watchdog
from tests.sandbox.conftest import Room, alive

MIB = 2**20

HEARTBEAT = """
    import os, sys, time
    marker = {marker!r}
    {detach}
    while True:
        with open("/work/beats", "a") as file:
            file.write("x")
        print("beat", flush=True)
        time.sleep(0.02)
"""
DETACH = """
    if os.fork():
        time.sleep({stay})
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
    os.close(1)
    sys.stdout = open("/dev/null", "w")
"""


def stopped(work: Path) -> bool:
    """Whether the heartbeat in this folder has ended; it must have begun."""
    before = (work / "beats").stat().st_size
    assert before > 0
    time.sleep(0.2)
    return (work / "beats").stat().st_size == before


@pytest.mark.parametrize("code", [0, 7, 255])
def test_exit_codes_are_reported(room: Room, code: int) -> None:
    done = room.python(f"raise SystemExit({code})")
    assert (done.returncode, done.reason) == (code, "exit")


def test_a_death_by_signal_is_reported(room: Room) -> None:
    done = room.python("import os; os.kill(os.getpid(), 11)")
    assert (done.returncode, done.reason) == (128 + signal.SIGSEGV, "signal")


def test_an_infinite_loop_times_out(room: Room) -> None:
    done = room.python("while True: pass", limits=Limits(wall_s=1.0))
    assert done.reason == "timeout"
    assert 1.0 <= done.wall_s < 30.0
    assert done.cpu_s > 0


def test_processor_time_has_a_bound_of_its_own(room: Room) -> None:
    done = room.python("while True: pass", limits=Limits(cpu_s=0.5, wall_s=60))
    assert done.reason == "timeout"
    assert done.wall_s < 60
    sleeper = room.python("import time\ntime.sleep(1.5)", limits=Limits(cpu_s=1.0, wall_s=60))
    assert sleeper.reason == "exit"


def test_ignoring_signals_does_not_help(room: Room) -> None:
    code = "import signal, time\nfor n in (1, 2, 15): signal.signal(n, signal.SIG_IGN)\ntime.sleep(60)"
    assert room.python(code, limits=Limits(wall_s=0.5)).reason == "timeout"


def test_a_memory_hog_is_killed(room: Room) -> None:
    code = "import time\nhog = []\nwhile True: hog.append(b'x' * 2**22); time.sleep(0.002)"
    done = room.python(code, limits=Limits(memory_bytes=200 * MIB, wall_s=30))
    assert done.reason == "memory"
    assert done.peak_bytes > 200 * MIB


def test_memory_counts_over_the_whole_tree(room: Room) -> None:
    code = """
        import os, time
        for _ in range(6):
            if os.fork() == 0:
                hog = os.urandom(50 * 2**20)
                time.sleep(60)
        time.sleep(60)
    """
    assert room.python(code, limits=Limits(memory_bytes=200 * MIB, wall_s=30)).reason == "memory"


def test_shared_pages_count_once(room: Room) -> None:
    code = """
        import os, time
        shared = os.urandom(80 * 2**20)
        children = []
        for _ in range(4):
            child = os.fork()
            if child == 0:
                time.sleep(1)
                os._exit(0)
        time.sleep(1.2)
    """
    assert room.python(code, limits=Limits(memory_bytes=200 * MIB, wall_s=30)).reason == "exit"


def test_a_process_that_has_ended_holds_no_memory() -> None:
    child = subprocess.Popen(["true"])
    child.wait()
    listed_before = watchdog.Process(child.pid, os.getpid(), threads=1, cpu_s=0.0, resident=80 * MIB)
    assert watchdog._proportional(listed_before) == 0


def test_one_huge_allocation_fails_inside(room: Room) -> None:
    done = room.python("bytearray(2**40)", limits=Limits(memory_bytes=200 * MIB))
    assert (done.returncode, done.reason) == (1, "exit")
    assert "MemoryError" in done.stderr.read_text()


def test_a_fork_bomb_is_contained(room: Room) -> None:
    marker = uuid.uuid4().hex
    code = f"import os, time\nmarker = {marker!r}\nwhile True:\n    os.fork(); time.sleep(0.05)"
    done = room.python(code, limits=Limits(processes=32, wall_s=20))
    assert done.reason == "processes"
    assert alive(marker) == []


def test_looks_at_processes_stay_close_on_a_busy_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(root: int) -> list[watchdog.Process]:
        time.sleep(0.1)
        return []

    monkeypatch.setattr(watchdog, "tree", slow)
    looker = watchdog.Watchdog(os.getpid(), Limits(), [])
    looker.look()
    assert looker.next_look <= time.monotonic() + watchdog.Watchdog.MEMORY_LATEST


def test_threads_count_as_processes(room: Room) -> None:
    code = """
        import threading, time
        for _ in range(64):
            threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
        time.sleep(60)
    """
    assert room.python(code, limits=Limits(processes=32, wall_s=20)).reason == "processes"


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_endless_output_is_cut(room: Room, stream: str) -> None:
    code = f"import sys\nwhile True: sys.{stream}.write('x' * 4096)"
    done = room.python(code, limits=Limits(output_bytes=100_000, wall_s=30))
    assert done.reason == "output"
    assert done.stdout.stat().st_size + done.stderr.stat().st_size == 100_000


def test_output_comes_while_the_command_runs(room: Room) -> None:
    heard: list[tuple[str, bytes, float]] = []
    code = "import sys, time\nprint('one', flush=True); time.sleep(0.5); print('two', file=sys.stderr)"
    room.python(code, on_output=lambda stream, data: heard.append((stream, data, time.monotonic())))
    assert [(stream, data) for stream, data, _ in heard] == [("stdout", b"one\n"), ("stderr", b"two\n")]
    assert heard[1][2] - heard[0][2] > 0.3


def test_what_was_said_before_a_kill_is_kept(room: Room) -> None:
    done = room.python("print('last words', flush=True)\nwhile True: pass", limits=Limits(wall_s=3.0))
    assert done.stdout.read_text() == "last words\n"


def test_a_big_file_is_refused(room: Room) -> None:
    code = """
        import errno
        for place in ("/work/big", "/tmp/big", "/dev/shm/big"):
            try:
                open(place, "wb").write(b"x" * 2 * 2**20)
                print("wrote", place)
            except OSError as error:
                print(errno.errorcode[error.errno])
    """
    room.python(code, limits=Limits(file_bytes=MIB))
    assert room.said().split() == ["EFBIG"] * 3
    assert (room.work / "big").stat().st_size <= MIB


def test_private_folders_are_bounded(room: Room) -> None:
    code = """
        import errno
        for place in ("/tmp", "/dev/shm"):
            try:
                for i in range(8):
                    open(f"{place}/{i}", "wb").write(b"x" * 2**20)
                print("wrote to", place)
            except OSError as error:
                print(errno.errorcode[error.errno])
    """
    room.python(code, limits=Limits(disk_bytes=4 * MIB))
    assert room.said().split() == ["ENOSPC"] * 2


MANY_FILES = "open(f'/work/{i}', 'wb').write(b'x' * 2**20)"
DELETED_FILES = "held.append(open(f'/work/{i}', 'wb')); held[-1].write(b'x' * 2**20); os.unlink(f'/work/{i}')"
HIDDEN_FILES = "os.makedirs('/work/d/e', exist_ok=True); open(f'/work/d/e/{i}', 'wb').write(b'x' * 2**20)"


@pytest.mark.parametrize("write", [MANY_FILES, DELETED_FILES, HIDDEN_FILES])
def test_filling_the_disk_ends_the_run(room: Room, write: str) -> None:
    (room.work / "given").write_bytes(b"x" * 8 * MIB)  # what was there before does not count
    code = f"import os, time\nheld = []\nfor i in range(2000):\n    {write}\n    time.sleep(0.02)"
    done = room.python(code, limits=Limits(disk_bytes=6 * MIB, file_bytes=2 * MIB, wall_s=30))
    assert done.reason == "disk"


def test_a_last_moment_flood_of_the_disk_is_noticed(room: Room) -> None:
    code = "for i in range(16): open(f'/work/{i}', 'wb').write(b'x' * 2**20)"
    assert room.python(code, limits=Limits(disk_bytes=4 * MIB)).reason == "disk"


def test_a_daemon_dies_with_the_command(room: Room) -> None:
    marker = uuid.uuid4().hex
    detach = textwrap.indent(textwrap.dedent(DETACH.format(stay=0.5)), "    ").strip()
    done = room.python(HEARTBEAT.format(marker=marker, detach=detach))
    assert (done.returncode, done.reason) == (0, "exit")
    assert stopped(room.work)
    assert alive(marker) == []


def test_a_daemon_dies_at_the_time_limit(room: Room) -> None:
    marker = uuid.uuid4().hex
    detach = textwrap.indent(textwrap.dedent(DETACH.format(stay=60)), "    ").strip()
    done = room.python(HEARTBEAT.format(marker=marker, detach=detach), limits=Limits(wall_s=3.0))
    assert done.reason == "timeout"
    assert stopped(room.work)
    assert alive(marker) == []


def test_an_interrupt_kills_the_tree(room: Room) -> None:
    marker = uuid.uuid4().hex

    def interrupt(stream: str, data: bytes) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        room.python(HEARTBEAT.format(marker=marker, detach=""), on_output=interrupt)
    assert stopped(room.work)
    assert alive(marker) == []


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_the_tree_dies_with_the_auditor(room: Room, blow: signal.Signals) -> None:
    """The auditor is a process of its own here; it is struck while the command runs."""
    marker = uuid.uuid4().hex
    code = textwrap.dedent(HEARTBEAT.format(marker=marker, detach=""))
    auditor = f"""if True:
        import signal, sys
        from pathlib import Path
        from harness.sandbox import Bubblewrap, Limits, Mount
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job starts with it ignored
        Bubblewrap(Path({str(room.sandbox.program)!r})).run(
            [sys.executable, "-I", "-S", "-c", {code!r}],
            mounts=[Mount(Path({str(room.work)!r}), "/work", writable=True)],
            workdir="/work", env={{}}, limits=Limits(wall_s=60),
            stdout=Path({str(room.outside / "stdout")!r}), stderr=Path({str(room.outside / "stderr")!r}),
        )
    """
    repository = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", auditor], cwd=repository, stderr=subprocess.DEVNULL
    ) as process:
        deadline = time.monotonic() + 20
        beats = room.work / "beats"
        while not beats.exists() or beats.stat().st_size == 0:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        os.kill(process.pid, blow)
        assert process.wait(timeout=10) != 0
    deadline = time.monotonic() + 20
    while alive(marker) and time.monotonic() < deadline:  # the kernel tells the children a moment later
        time.sleep(0.02)
    assert alive(marker) == []
    assert stopped(room.work)


def test_runs_beside_each_other(room: Room) -> None:
    """A sweep may run several from several threads."""
    from concurrent.futures import ThreadPoolExecutor

    from harness.sandbox import Completed

    def one(i: int) -> Completed:
        folder = room.outside / str(i)
        folder.mkdir()
        return room.sandbox.run(
            [sys.executable, "-I", "-S", "-c", f"print({i})"],
            mounts=(),
            workdir="/tmp",
            env={},
            limits=Limits(wall_s=30),
            stdout=folder / "stdout",
            stderr=folder / "stderr",
        )

    with ThreadPoolExecutor(4) as pool:
        assert [done.stdout.read_text() for done in pool.map(one, range(8))] == [f"{i}\n" for i in range(8)]
