"""Other hardware than the challenge's, as submission.json names it, and what the clocks of such a run are worth."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.case import Case, Origin, Script, Status, Submission
from harness.intake.claim import claimed_configuration
from harness.intake.hardware import other_hardware
from harness.witnesses import claims
from rules.T1 import training_time
from rules.T2 import evaluation_time

SOURCE = 'import torch\nprint(f"final_exact val_loss:{1.0} val_bpb:{1.0} eval_time:{1}ms")\n'
LOG = """world_size:8 grad_accum_steps:1
step:6202/20000 val_loss:1.9263 val_bpb:1.1409 train_time:1200006ms step_avg:193.49ms
stopping_early: wallclock_cap train_time:1200006ms step:6202/20000
final_exact val_loss:1.89841262 val_bpb:1.12434986 eval_time:700000ms
"""


@pytest.mark.parametrize(
    ("data", "found"),
    [
        ({"hardware": "8xA800-SXM4-80GB"}, "8xA800-SXM4-80GB"),
        ({"gpu_config": "4x RTX 4090"}, "4x RTX 4090"),
        ({"hardware": "8xH100 SXM"}, ""),
        ({"gpu": "developed on A100, run on 8xH100"}, ""),
        ({"blurb": "tuned on 1xA100"}, ""),
        ({"gpu_count": 8}, ""),
        (None, ""),
    ],
)
def test_the_field_that_names_other_hardware(data: object, found: str) -> None:
    assert other_hardware(data) == found


@pytest.mark.parametrize(
    ("readme", "found"),
    [
        ("Trained on 8x A100 80GB.\n", "8x A100"),
        ("Hardware: 4\u00d7RTX 4090\n", "4\u00d7RTX 4090"),
        ("Tuned on 1xA100, trained on 8xH100.\n", ""),
        ("Runs on an A100 as well; see below.\n", ""),
        ("Faster than the A100 kernels.\n", ""),
        ("", ""),
    ],
)
def test_the_readme_that_names_other_hardware(readme: str, found: str) -> None:
    assert other_hardware({}, readme) == found
    assert other_hardware({"hardware": "8xA800"}, readme) == "8xA800"


@pytest.mark.parametrize(("machine", "status"), [("8xA800", Status.REVIEW), ("8xH100", Status.FAIL)])
@pytest.mark.parametrize("rule", [training_time, evaluation_time])
def test_a_clock_on_other_hardware_is_a_question(
    tmp_path: Path, rule: Callable[[Case], object], machine: str, status: Status
) -> None:
    data = json.dumps({"val_bpb": 1.12434986, "hardware": machine})
    files = {"train_gpt.py": SOURCE, "train.log": LOG, "submission.json": data}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    script = Script("train_gpt.py", len(SOURCE), "", SOURCE, SOURCE, "train_gpt.py")
    sizes = {name: len(text) for name, text in files.items()}
    made = Submission("t", "records/x/t", tmp_path, Origin("t"), script, sizes, "record")
    claim = claimed_configuration(made)
    finding = rule(Case(made, claim, claims=claims.examine(made, claim)))
    assert finding.status is status  # type: ignore[attr-defined]
