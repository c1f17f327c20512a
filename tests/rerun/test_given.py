"""`rerun --weights`: an artifact that is cut, of another model, or never read: one sentence, and no score stands for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import zstandard

from harness.case import Submission
from harness.worlds import World
from tests.rerun.conftest import EXAMPLES, Made, Rerun, changed
from tests.rerun.test_command import say

Load = Callable[[str], Submission]


def say_of(world: World, weights: Path, out: Path) -> tuple[int, str]:
    code, said = say(
        "rerun", EXAMPLES / "sliding_window", "--data", world.root, "--tokenizer", world.tokenizer(),
        "--weights", weights, "--out", out,
    )  # fmt: skip
    assert "Traceback" not in said
    return code, " ".join(said.split())


def test_a_given_artifact_is_loaded_and_scored_without_training(
    sliding: Made, rerun_of: Rerun, example: Load, tmp_path: Path
) -> None:
    facts, folder = sliding
    artifact = tmp_path / "artifact.bin"
    artifact.write_bytes((folder / "run" / "out" / "artifact.bin").read_bytes())
    given, _ = rerun_of(example("sliding_window"), weights=artifact)
    assert given.outcome.loss == facts.outcome.loss
    scores = [{m.weights: m.loss for m in f.measured}["decoded"] for f in (given, facts)]
    assert scores[0] == scores[1]
    assert given.quantization is None


def test_a_cut_artifact(sliding: Made, world: World, tmp_path: Path) -> None:
    cut = tmp_path / "cut.ptz"
    cut.write_bytes((sliding[1] / "run" / "out" / "artifact.bin").read_bytes()[:5_000])
    code, said = say_of(world, cut, tmp_path / "out")
    assert code == 3
    assert "with the weights of cut.ptz: process 0 failed: ZstdError at line" in said


def test_an_artifact_of_another_model(world: World, tmp_path: Path) -> None:
    other = tmp_path / "other.ptz"
    matrix = np.random.default_rng(0).integers(0, 256, 768, dtype=np.uint8).tobytes()
    body = b"".join(len(part).to_bytes(4, "little") + part for part in [matrix] * 4)
    other.write_bytes(zstandard.ZstdCompressor().compress(body))
    code, said = say_of(world, other, tmp_path / "out")
    assert code == 3
    assert "with the weights of other.ptz: process 0 failed: RuntimeError at line" in said
    assert said.startswith("Rerun Nothing was measured: ")


def test_an_empty_file_is_no_artifact(world: World, tmp_path: Path) -> None:
    empty = tmp_path / "empty.ptz"
    empty.touch()
    code, said = say_of(world, empty, tmp_path / "out")
    assert (code, said) == (2, "Error: empty.ptz is empty: --weights needs an artifact of this script.")


def test_weights_that_the_script_never_reads(rerun_of: Rerun, example: Load, tmp_path: Path) -> None:
    """Its score would be that of an untrained model, under the name of the given one."""
    artifact = tmp_path / "some.ptz"
    artifact.write_bytes(b"some bytes")
    deaf = changed(example("sliding_window"), tmp_path, {'    load(net, "final_model.int6.ptz")\n': ""})
    facts, _ = rerun_of(deaf, weights=artifact)
    assert facts.outcome.outcome == "no_score"
    assert facts.outcome.reason.startswith("with the weights of some.ptz: it read no file back")
    assert not facts.measured


@pytest.mark.parametrize("name", ["absent.ptz", "."])
def test_no_such_file(world: World, tmp_path: Path, name: str) -> None:
    code, said = say_of(world, tmp_path / name, tmp_path / "out")
    assert code == 2
    assert "--weights" in said
