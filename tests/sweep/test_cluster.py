"""A sweep over Ray: the rows of one process, also where workers die; without Ray, one sentence."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cli import main
from harness.intake import IntakeError
from harness.policy import Policy
from harness.sweep import Plan, sweep
from harness.sweep.cluster import TRIES, Cluster
from harness.sweep.content import auditor_of
from harness.sweep.parcel import Parcel, examine_parcel, pack
from harness.sweep.plan import heads
from harness.sweep.pool import Done
from harness.sweep.store import Audited
from harness.sweep.work import Part, examine, read
from tests.intake.test_pull_request import Clone, R, train
from tests.sweep.test_pool import die, double
from tests.sweep.test_sweep import CHEAT, held

with_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="Ray is not installed (the extra `ray`)"
)


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    made = Clone(tmp_path / "clone")
    for number in range(1, 7):
        made.pull_request(
            number, {f"{R}/n{number}/train_gpt.py": CHEAT if number % 3 == 0 else train(number)}
        )
    return made


def plan(clone: Clone, ray: str | None) -> Plan:
    return Plan(clone.path, clone.path / "cache", static_only=True, processes=2, ray=ray)


def part(clone: Clone, scratch: Path, number: int = 3) -> Part:
    scratch.mkdir()
    return read(plan(clone, None), auditor_of(Policy()), number, scratch).parts[0]


def test_a_parcel_needs_neither_the_clone_nor_the_files(clone: Clone, tmp_path: Path) -> None:
    own = part(clone, tmp_path / "scratch")
    here = examine(plan(clone, None), own)
    parcel = pack(own)
    clone.path.rename(tmp_path / "away")
    (tmp_path / "scratch").rename(tmp_path / "gone")
    there = examine_parcel(plan(clone, None), parcel)
    assert (there.content, there.document) == (here.content, here.document)
    assert there.document["verdict"] == "FAIL"


def test_the_leaderboard_of_the_clone_travels_along(clone: Clone, tmp_path: Path) -> None:
    table = (
        "# Leaderboard\n\n| a | 0.5000 | b | c | 2026-03-18 | [x](https://github.com/o/p/pull/1) |\n\n# End\n"
    )
    clone.commit({"README.md": table}, "Rows")
    rows = pack(part(clone, tmp_path / "scratch")).rows
    assert [r.bpb for r in rows if r.listed == "2026-03-18" and r.bpb == 0.5] == [0.5]


def test_another_auditor_does_not_answer(
    clone: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parcel = pack(part(clone, tmp_path / "scratch"))
    monkeypatch.setattr("harness.sweep.parcel.code_of_auditor", lambda: "another")
    with pytest.raises(RuntimeError, match="not the one that runs the sweep"):
        examine_parcel(plan(clone, None), parcel)


def test_without_ray_it_is_one_sentence_and_exit_code_2(
    clone: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    base = ["sweep", "--repo", str(clone.path), "--db", str(tmp_path / "s.db"), "--static-only"]
    for arguments, words in ((["--engine", "ray"], "pip install"), (["--address", "a:1"], "--engine ray")):
        result = CliRunner().invoke(main, [*base, *arguments])
        assert result.exit_code == 2
        assert words in result.output
        assert "Traceback" not in result.output


@with_ray
def test_no_cluster_at_the_address(clone: Clone, tmp_path: Path) -> None:
    with pytest.raises(IntakeError, match=r"no Ray cluster could be had at 127\.0\.0\.1:1"):
        sweep(plan(clone, "127.0.0.1:1"), heads(clone.path, None), tmp_path / "s.db")


@with_ray
def test_two_workers_give_the_rows_of_one_process_also_where_one_is_killed(
    clone: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone, spread = tmp_path / "alone.db", tmp_path / "spread.db"
    sweep(plan(clone, None), heads(clone.path, None), alone)
    monkeypatch.setattr("harness.sweep.run.examine_parcel", struck_once)
    spread_plan = plan(clone, "local")
    done = sweep(spread_plan, heads(clone.path, None), spread)
    assert mark_of(spread_plan).exists()
    assert (done.audited, done.shared, done.problems) == (5, 1, 0)
    assert held(spread) == held(alone)


def struck_once(plan: Plan, parcel: Parcel) -> Audited:
    """The audit of a parcel; the first of all begins, and the Ray worker above it is killed, as its machine might die."""
    try:
        mark_of(plan).touch(exist_ok=False)
    except FileExistsError:
        return examine_parcel(plan, parcel)
    pid = os.getpid()
    while not command_of(pid).startswith(b"ray::"):
        pid = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
        assert pid > 1
    os.kill(pid, signal.SIGKILL)
    time.sleep(600.0)  # it dies with its worker long before
    raise AssertionError("it outlived its Ray worker")


def mark_of(plan: Plan) -> Path:
    return plan.clone.parent / "struck"


def command_of(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    made = Cluster(Plan(Path(), tmp_path_factory.mktemp("cache"), True, 2, ray="local"))
    yield made
    made.close()


def everything(cluster: Cluster) -> dict[object, Done]:
    found: dict[object, Done] = {}
    while cluster.busy:
        found |= {done.key: done for done in cluster.wait(1.0)}
    return found


@with_ray
def test_what_always_dies_becomes_a_row_with_its_reason(cluster: Cluster) -> None:
    cluster.submit("below", die)
    cluster.submit("worker", double, Deadly())
    cluster.submit("well", double, 3)
    cluster.submit("wrong", double, None)
    found = everything(cluster)
    assert found["well"].result == 6
    assert "TypeError" in found["wrong"].problem
    assert "killed by signal 9" in found["below"].problem
    assert f"died, the last of {TRIES} times" in found["worker"].problem


class Deadly:
    """Kills whoever unpacks it."""

    def __reduce__(self) -> tuple[Any, tuple[()]]:
        return die, ()
