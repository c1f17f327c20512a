"""Several nodes: two on one machine give the bits of one process; who does not come, and what is asked for wrongly."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.case import Submission
from harness.intake.claim import claimed_configuration
from harness.sandbox import default_sandbox
from harness.witnesses.rerun import scoring
from harness.witnesses.rerun.nodes import Nodes, Orders, nodes
from harness.witnesses.rerun.process import Place, obey
from harness.witnesses.rerun.steps import StepFailed
from harness.worlds.fineweb import OfficialData
from tests.rerun.conftest import Made
from tests.rerun.test_command import say


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
