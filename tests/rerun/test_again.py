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
