"""Several nodes: two on one machine give the bits of one process; who does not come, and what is asked for wrongly."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.case import Submission
from harness.intake.claim import claimed_configuration
from harness.sandbox import default_sandbox
from harness.witnesses.rerun import runs, scoring
from harness.witnesses.rerun.nodes import Nodes, Orders, nodes
from harness.witnesses.rerun.process import Place, obey
from harness.witnesses.rerun.steps import StepFailed
from harness.worlds import World
from harness.worlds.fineweb import OfficialData
from tests.rerun.conftest import EXAMPLES, Made
from tests.rerun.test_command import say

CLI = Path(__file__).parents[2] / "cli.py"
ROUNDING = 1e-3
"""Nats: two processes sum gradients in another order than one, and a few steps of training let that grow."""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def test_two_nodes_score_with_the_bits_of_one_process(
    sliding: Made, data: OfficialData, example: Callable[[str], Submission], tmp_path: Path
) -> None:
    facts, folder = sliding
    subject = example("sliding_window")
    assert subject.script is not None
    endpoint = f"127.0.0.1:{free_port()}"

    def node(rank: int) -> Place:
        assert subject.script is not None
        return Place(
            subject, subject.script, claimed_configuration(subject), data, default_sandbox(), "cpu", 2, tmp_path, 300.0,
            nodes=Nodes(2, rank, endpoint),
        )  # fmt: skip

    orders = Orders(tmp_path)
    other = threading.Thread(target=lambda: Orders(tmp_path).follow(lambda order: obey(node(1), order)))
    other.start()
    orders.begin(2, 60.0)
    chosen = [scoring.Set("decoded", folder / "run" / "out" / "decoded.pt")]
    scoring.score(node(0), tmp_path / "two", chosen, facts.length, facts.stride, scoring.BATCH["cpu"])
    orders.end()
    other.join(60.0)
    assert not other.is_alive()
    one = np.load(folder / "score" / "out" / "losses-decoded.npy")
    two = np.load(tmp_path / "two" / "out" / "losses-decoded.npy")
    assert one.tobytes() == two.tobytes()
    assert (tmp_path / "two" / "out" / "score-1.json").is_file()


def test_a_whole_rerun_on_two_nodes_is_that_of_two_processes(
    sliding: Made, data: OfficialData, world: World, example: Callable[[str], Submission], tmp_path: Path
) -> None:
    work, endpoint = tmp_path / "nodes", f"localhost:{free_port()}"
    asked = ["--data", world.root, "--tokenizer", world.tokenizer(), "--work", work, "--nnodes", 2]
    command = [sys.executable, CLI, "rerun", EXAMPLES / "sliding_window", *asked, "--rdzv-endpoint", endpoint]
    nodes_of = [
        subprocess.Popen(
            [str(c) for c in (*command, "--node-rank", rank, "--out", tmp_path / f"out-{rank}")],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in (0, 1)
    ]
    said = [" ".join(node.communicate(timeout=600)[0].split()) for node in nodes_of]
    assert [node.returncode for node in nodes_of] == [0, 0], said
    assert "4 steps beside node 0, which reports" in said[1]
    assert "2 nodes: the sandboxes shared their machines' network" in said[0]
    rerun = json.loads((tmp_path / "out-0" / "report.json").read_text())["rerun"]
    assert [s["name"] for s in rerun["steps"] if s["done"]] == [s.name for s in sliding[0].steps]
    assert rerun["artifact"]["again"] == "identical"
    assert rerun["artifact"]["loaded"]

    subject = example("sliding_window")
    assert subject.script is not None
    claim = claimed_configuration(subject)
    place = Place(subject, subject.script, claim, data, default_sandbox(), "cpu", 2, tmp_path, 300.0)
    assert runs.run(place, tmp_path / "run", give=None)["artifact"]["sha256"] == rerun["artifact"]["sha256"]
    decoded = next(m for m in rerun["measured"] if m["weights"] == "decoded")
    one = next(m for m in sliding[0].measured if m.weights == "decoded")
    assert decoded["loss"] == pytest.approx(one.loss, abs=ROUNDING)
    assert not (tmp_path / "out-1").exists() or not list((tmp_path / "out-1").iterdir())


def test_orders_of_an_earlier_call_are_not_obeyed(tmp_path: Path) -> None:
    stale = Orders(tmp_path)
    stale.begin(1)
    stale.give({"folder": "stale"})
    obeyed: list[Any] = []
    other = threading.Thread(target=lambda: Orders(tmp_path).follow(obeyed.append, 30.0))
    other.start()
    orders = Orders(tmp_path)
    orders.begin(2, 30.0)
    orders.give({"folder": "run"})
    orders.end()
    other.join(30.0)
    assert [o["folder"] for o in obeyed] == ["run"]


def test_a_node_may_come_while_the_orders_of_an_earlier_call_are_cleared(tmp_path: Path) -> None:
    """The folder was removed and made again: where the other node made it in between, node 0 stopped."""
    came = threading.Event()

    def come() -> None:
        while not came.is_set():
            Orders(tmp_path)._come("other")
        Orders(tmp_path)._come("other")

    other = threading.Thread(target=come)
    other.start()
    try:
        for _ in range(200):
            Orders(tmp_path).begin(1)
    finally:
        came.set()
        other.join(30.0)
    assert Orders(tmp_path)._here() == ["other"]


def test_nodes_that_do_not_come(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match="1 of 2 nodes came within 0 s"):
        Orders(tmp_path).begin(2, 0.2)
    with pytest.raises(StepFailed, match="node 0 gave no order"):
        Orders(tmp_path).follow(lambda order: None, 0.2)


def test_the_arguments_are_those_of_torchrun() -> None:
    assert Nodes().arguments() == ["--standalone"]
    several = nodes(2, 1, "localhost:29500")
    assert several == Nodes(2, 1, "127.0.0.1:29500")
    assert " ".join(several.arguments()).startswith("--nnodes 2 --node-rank 1 --rdzv-backend static")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--node-rank", "1"], "go with --nnodes"),
        (["--nnodes", "2"], "needs --rdzv-endpoint"),
        (["--nnodes", "2", "--rdzv-endpoint", "nowhere"], "needs --rdzv-endpoint"),
        (["--nnodes", "2", "--rdzv-endpoint", "no.such.host.invalid:1"], "there is no host"),
        (["--nnodes", "2", "--rdzv-endpoint", "127.0.0.1:1", "--node-rank", "2"], "between 0 and 1"),
        (["--nnodes", "2", "--rdzv-endpoint", "127.0.0.1:1"], "needs --work"),
    ],
)
def test_nodes_that_are_named_wrongly(options: list[str], told: str) -> None:
    code, said = say("rerun", "some", "--data", "d", "--tokenizer", "t", *options)
    assert code == 2
    assert told in " ".join(said.split())
