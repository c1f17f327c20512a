"""What a process of a rerun finds around it: settings, data under every name, no network unless there are several nodes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.case import Submission
from harness.emulate import Way
from harness.intake.claim import claimed_configuration
from harness.sandbox import Completed, Mount, Sandbox
from harness.witnesses.rerun.nodes import Nodes, Orders
from harness.witnesses.rerun.process import Ended, Place, lay_out, torchrun
from harness.worlds.fineweb import OfficialData

NAMES = """
FOLDER = "/somewhere/data/datasets/fineweb10B_sp1024"
VAL = f"{FOLDER}/../../fineweb_{split}_here.bin"
"""


class Noting(Sandbox):
    """Runs nothing and notes what it was asked for; `says` is printed, `logs` are files that it leaves behind."""

    def __init__(self, says: str = "", logs: Mapping[str, str] | None = None) -> None:
        self.says, self.logs = says, dict(logs or {})
        self.network = False
        self.env: dict[str, str] = {}
        self.mounts: dict[str, Path] = {}

    def run(
        self, command: Sequence[str], *, mounts: Sequence[Mount], workdir: str, env: Mapping[str, str],
        stdout: Path, stderr: Path, network: bool = False, **others: Any,
    ) -> Completed:  # fmt: skip
        self.network, self.env = network, dict(env)
        self.mounts = {m.target: m.source for m in mounts}
        stdout.write_text(self.says)
        stderr.write_text("")
        here = self.mounts["/work"] / workdir.removeprefix("/work/")
        for name, text in self.logs.items():
            (here / name).write_text(text)
        return Completed(0, "exit", stdout, stderr, 0.0, 0.0, 0)


Start = Callable[..., Ended]


@pytest.fixture
def start(data: OfficialData, example: Callable[[str], Submission], tmp_path: Path) -> Start:
    """Start one process of `sliding_window`, with `more` text in its script, in a sandbox that only notes."""

    def begin(sandbox: Noting, more: str = "", **options: Any) -> Ended:
        subject = example("sliding_window")
        assert subject.script is not None
        text = subject.script.source + more
        script = dataclasses.replace(subject.script, source=text, runnable=text)
        place = Place(
            subject, script, claimed_configuration(subject), data, sandbox, "cpu", 1, tmp_path, 60.0
        )
        place = dataclasses.replace(place, **options)
        path, settings = lay_out(place, tmp_path / "run")
        return torchrun(
            place, tmp_path / "run", "some.module", {"script": path}, settings, path.rpartition("/")[0]
        )

    return begin


def test_one_machine_has_no_network(start: Start) -> None:
    noting = Noting()
    for processes in (1, 2, 8):
        start(noting, processes=processes)
        assert not noting.network
        assert noting.env["GLOO_SOCKET_IFNAME"] == "lo"


def test_several_machines_have_the_network_that_they_meet_on(start: Start, tmp_path: Path) -> None:
    noting = Noting()
    Orders(tmp_path).begin(1)
    start(noting, processes=2, nodes=Nodes(2, 0, "10.1.2.3:29500"))
    assert noting.network
    assert "GLOO_SOCKET_IFNAME" not in noting.env
    start(noting, processes=2, nodes=Nodes(2, 0, "127.0.0.1:29500"))
    assert noting.network
    assert noting.env["GLOO_SOCKET_IFNAME"] == "lo"


def test_data_lies_under_every_name_that_the_script_spells(start: Start, data: OfficialData) -> None:
    noting = Noting()
    start(noting, NAMES)
    folder = noting.mounts["/somewhere/data"]
    for name in ("datasets/fineweb10B_sp1024", "tokenizers/fineweb_1024_bpe.model"):
        assert str((folder / name).readlink()).startswith("/world/")
    shard = data.val[0][0].name
    assert str((folder / "fineweb_val_here.bin").readlink()) == f"/world/{data.layout.dataset}/{shard}"


def test_a_way_of_running_reaches_the_process(start: Start) -> None:
    noting = Noting()
    start(noting)
    assert "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD" not in noting.env
    width = int(noting.env["MODEL_DIM"])
    start(noting, way=Way(keep=frozenset({"model_dim"}), least=width + 64, old_load=True))
    assert noting.env["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] == "1"
    assert int(noting.env["MODEL_DIM"]) == width + 64


def test_a_score_that_is_only_logged_is_told(start: Start, tmp_path: Path) -> None:
    line = "final val_loss:3.1 val_bpb:1.5\n"
    ended = start(Noting("nothing\n", {"run.log": line, "README.md": line}))
    assert ended.printed == f"nothing\n\n{line}"
    assert (tmp_path / "run" / "told.txt").read_text() == ended.printed
    assert start(Noting(line, {"run.log": "other\n"})).printed == line
