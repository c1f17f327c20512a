"""Workers that die, hang or break down take only their own task along."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.sweep.pool import Done, Pool

ROOT = Path(__file__).parents[2]


def double(x: int) -> int:
    return 2 * x


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def leave() -> None:
    os._exit(3)


def hang() -> None:
    time.sleep(600)


def swallow() -> int:
    return len(bytearray(16_000_000_000))


def process() -> int:
    return os.getpid()


@pytest.fixture
def pool() -> Iterator[Pool]:
    made = Pool(2, 30.0, fresh=False, bytes_each=8_000_000_000)  # PyTorch for CUDA maps 3 GB
    yield made
    made.close()


def everything(pool: Pool) -> dict[object, Done]:
    found: dict[object, Done] = {}
    while pool.busy:
        found |= {done.key: done for done in pool.wait()}
    return found


def test_results_come_back_under_their_key(pool: Pool) -> None:
    pool.submit("a", double, 1)
    pool.submit("b", double, 2)
    assert not pool.free
    assert {key: done.result for key, done in everything(pool).items()} == {"a": 2, "b": 4}


@pytest.mark.parametrize(("task", "words"), [(die, "killed by signal 9"), (leave, "ended with status 3")])
def test_a_worker_that_dies_is_replaced(pool: Pool, task: object, words: str) -> None:
    pool.submit("dead", task)  # type: ignore[arg-type]
    pool.submit("well", double, 3)
    found = everything(pool)
    assert words in found["dead"].problem
    assert found["well"].result == 6
    pool.submit("next", double, 4)
    pool.submit("after", double, 5)
    assert {key: done.result for key, done in everything(pool).items()} == {"next": 8, "after": 10}


def test_a_breakdown_is_a_sentence_with_its_place(pool: Pool) -> None:
    pool.submit("x", double, None)
    assert "TypeError" in everything(pool)["x"].problem
    assert "test_pool.py:" in (pool.submit("y", double, None), everything(pool))[1]["y"].problem


def test_memory_has_a_bound(pool: Pool) -> None:
    pool.submit("big", swallow)
    assert "MemoryError" in everything(pool)["big"].problem


def test_a_hang_ends_at_the_limit() -> None:
    pool = Pool(1, 1.0, fresh=False, bytes_each=None)
    pool.submit("slow", hang)
    assert "longer than 1 s" in everything(pool)["slow"].problem
    pool.close()


KILLED = """
import sys
from harness.sweep.pool import Pool
from tests.sweep.test_pool import hang
if __name__ == "__main__":
    pool = Pool(2, 600.0, fresh=False, bytes_each=None)
    pool.submit("a", hang)
    pool.submit("b", hang)
    print("started", flush=True)
    pool.wait()
"""


def test_workers_die_with_their_parent_also_in_the_middle_of_a_task(tmp_path: Path) -> None:
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    parent = subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"started\n"
    children = family(parent.pid)
    assert len(children) >= 3
    parent.kill()
    parent.wait()
    end = time.monotonic() + 60
    while any(alive(child) for child in children):
        assert time.monotonic() < end
        time.sleep(0.05)


def family(pid: int) -> list[int]:
    """The descendants of a process."""
    try:
        own = [int(c) for c in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):  # it ended between the list and the look
        return []
    return own + [d for child in own for d in family(child)]


def alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def test_fresh_workers_are_used_once() -> None:
    pool = Pool(1, 30.0, fresh=True, bytes_each=None)
    seen = set()
    for number in range(3):
        pool.submit(number, process)
        seen.add(everything(pool)[number].result)
    assert len(seen) == 3
    pool.close()


def test_a_worker_that_died_while_idle_costs_one_task_and_no_more(pool: Pool) -> None:
    pool.submit("who", process)
    os.kill(everything(pool)["who"].result, signal.SIGKILL)
    time.sleep(0.2)
    for number in range(4):
        pool.submit(number, double, number)
        found = everything(pool)[number]
        assert found.result == 2 * number or "killed by signal 9" in found.problem
