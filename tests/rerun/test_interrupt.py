"""A rerun that is stopped in the middle of a step: what was finished stays, the rest is done by the next call."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from click.testing import CliRunner

from harness.case import Submission
from harness.command_line import Commands
from harness.worlds import World
from tests.rerun.conftest import EXAMPLES, Made, Rerun

CLI = Path(__file__).parents[2] / "cli.py"
PATIENCE_S = 300.0


def test_a_command_that_is_stopped_does_not_end_like_a_fail() -> None:
    group = Commands("some")

    @group.command("wait")
    def wait() -> None:
        raise KeyboardInterrupt

    result = CliRunner().invoke(group, ["wait"])
    assert (result.exit_code, result.output.strip()) == (130, "Stopped.")


def begun(folder: Path, name: str) -> Path:
    """A copy of a finished rerun in which only `run` is done: what follows does not take long."""
    shutil.copytree(folder, folder.with_name(name), symlinks=True)
    state = folder.with_name(name) / "state.json"
    state.write_text(json.dumps({"run": json.loads(state.read_text())["run"]}))
    shutil.rmtree(folder.with_name(name) / "again")
    return folder.with_name(name)


def test_an_interrupted_step_is_done_again_and_finished_ones_are_not(
    sliding: Made, world: World, rerun_of: Rerun, example: Callable[[str], Submission], tmp_path: Path
) -> None:
    facts, folder = sliding
    work = begun(folder, "interrupted")
    asked = [
        "--data",
        world.root,
        "--tokenizer",
        world.tokenizer(),
        "--work",
        work,
        "--out",
        tmp_path / "out",
    ]
    command = [sys.executable, CLI, "rerun", EXAMPLES / "sliding_window", *asked]
    with subprocess.Popen(
        [str(c) for c in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        until = time.monotonic() + PATIENCE_S
        while not (work / "again" / "out" / "calls-0.bin").exists():
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGINT)
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in said
    assert said.replace("\n", "").startswith(f"The same command goes on from {work}.")
    assert said.rstrip().endswith("Stopped.")
    assert json.loads((work / "state.json").read_text()).keys() == {"run"}
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())

    again, _ = rerun_of(example("sliding_window"), work)
    kept = [s.name for s in again.steps if s.told.endswith("(kept from an earlier call)")]
    assert kept == ["run"]
    assert [(m.weights, m.loss) for m in again.measured] == [(m.weights, m.loss) for m in facts.measured]
    assert again.artifact == facts.artifact
