"""An artifact made again where quantization depends on how far training came: one step is not enough, all of them are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from harness.case import Submission
from harness.intake.claim import claimed_configuration
from harness.sandbox import default_sandbox
from harness.witnesses.rerun import runs
from harness.witnesses.rerun.process import Place
from harness.worlds.fineweb import OfficialData
from tests.rerun.conftest import changed

DRAWS = {
    "        muon.step()\n": "        muon.step()\n        torch.rand(1)\n",
    ".round().clamp(-32, 31)": ".add(0.1 * torch.rand(1)).round().clamp(-32, 31)",
}
"""What is drawn at the end follows from the number of steps, as calibration batches do."""


def test_quantization_that_depends_on_training_is_made_again_after_all_its_steps(
    data: OfficialData, example: Callable[[str], Submission], tmp_path: Path
) -> None:
    subject = changed(example("sliding_window"), tmp_path, DRAWS)
    assert subject.script is not None
    claim = claimed_configuration(subject)
    place = Place(subject, subject.script, claim, data, default_sandbox(), "cpu", 1, tmp_path, 300.0)
    out = tmp_path / "run" / "out"
    assert runs.run(place, tmp_path / "run", give=None)["outcome"] == "scored"

    given = out / "float.safetensors", out / "artifact.bin"
    assert runs.again(place, tmp_path / "again", *given)["told"].startswith("another artifact")
    assert runs.again(place, tmp_path / "whole", *given, whole=True)["told"] == "identical"


NEEDS_STEPS = {
    "        muon.step()\n": "        muon.step()\n        SEEN.append(1)\n",
    "def load(net, path):\n": "def load(net, path):\n    SEEN[1]\n",
    "def main():\n": "SEEN = []\n\n\ndef main():\n",
}


def test_a_process_that_never_reached_the_artifact_says_nothing_of_its_weights(
    data: OfficialData, example: Callable[[str], Submission], tmp_path: Path
) -> None:
    """It ended with weights of its own training, which were taken for those of the artifact."""
    subject = changed(example("sliding_window"), tmp_path, NEEDS_STEPS)
    assert subject.script is not None
    claim = claimed_configuration(subject)
    place = Place(subject, subject.script, claim, data, default_sandbox(), "cpu", 1, tmp_path, 300.0)
    out = tmp_path / "run" / "out"
    assert runs.run(place, tmp_path / "run", give=None)["outcome"] == "scored"

    given = out / "artifact.bin", "final_model.int6.ptz", out / "decoded.safetensors"
    found = runs.load(place, tmp_path / "load", *given)
    assert found["same"] is None
    assert found["told"].startswith("not loaded again: process 0 failed: IndexError")
    assert runs.load(place, tmp_path / "load after training", *given, whole=True)["same"]
