"""The commands `rerun` and `data fetch`: what is asked for in vain is one sentence and exit code 2."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from cli import main
from harness.worlds import World
from tests.rerun.conftest import EXAMPLES


def say(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    return result.exit_code, result.output


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_without_a_gpu_cuda_is_one_sentence(world: World) -> None:
    target = EXAMPLES / "sliding_window"
    code, said = say(
        "rerun", target, "--data", world.root, "--tokenizer", world.tokenizer(), "--device", "cuda"
    )
    assert code == 2
    assert said.strip().startswith("Error: --device cuda needs an NVIDIA GPU")
    assert len(said.strip().splitlines()) == 1


def test_data_that_is_not_there(world: World, tmp_path: Path) -> None:
    code, said = say(
        "rerun", EXAMPLES / "sliding_window", "--data", tmp_path / "absent", "--tokenizer", world.tokenizer()
    )
    assert code == 2
    assert "there is no folder" in said


def test_one_submission_at_a_time(world: World) -> None:
    code, said = say("rerun", EXAMPLES, "--data", world.root, "--tokenizer", world.tokenizer())
    assert code == 2
    assert said.startswith("Error: ")


def test_a_variant_that_is_not_there(tmp_path: Path) -> None:
    code, said = say("data", "fetch", "--variant", "gpt2", "--out", tmp_path)
    assert code == 2
    assert "no variant 'gpt2'" in said


@pytest.mark.parametrize(
    "options",
    [
        ["--device", "cuda"],
        ["--nproc", "2"],
        ["--data", "shards"],
        ["--tokenizer", "some.model"],
        ["--data", "no/such/folder", "--tokenizer", "some.model"],
    ],
)
def test_an_audit_reruns_only_with_data_and_tokenizer(options: list[str]) -> None:
    code, said = say("audit", EXAMPLES / "sliding_window", *options)
    assert code == 2
    assert "Error: " in said
    assert "Traceback" not in said


def test_an_audit_with_data_has_the_rerun_in_its_report(world: World, tmp_path: Path) -> None:
    file = tmp_path / "audit.json"
    code, said = say(
        "audit", EXAMPLES / "sliding_window", "--data", world.root, "--tokenizer", world.tokenizer(),
        "--json", file, "--probes", "none",
    )  # fmt: skip
    assert code == 0, said
    data = json.loads(file.read_text())
    assert data["verdict"] == "PASS"
    assert data["trace"] is not None
    assert {m["weights"] for m in data["rerun"]["measured"]} >= {"decoded", "float"}
