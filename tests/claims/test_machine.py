"""The machine that a log names, beside what submission.json says of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.case import Case, Origin, Status, Submission
from harness.intake.claim import claimed_configuration
from harness.witnesses import claims
from rules.P2 import papers_agree
from rules.T2 import evaluation_time
from tests.claims.test_papers import log

SMI = """Running Python 3.12.3 (main)
Running PyTorch 2.9.1+cu128
| NVIDIA-SMI 580.126.09             Driver Version: 580.126.09     CUDA Version: 13.0     |
|   0  NVIDIA {gpu}          On  |   00000000:18:00.0 Off |                    0 |
|   1  NVIDIA {gpu}          On  |   00000000:2A:00.0 Off |                    0 |
|    0   N/A  N/A      123      C   python   512MiB |
"""


def case(folder: Path, text: str, **stated: str) -> Case:
    data = {"author": "a", "name": "n", "val_bpb": 1.1234, **stated}
    files = {"README.md": "val_bpb 1.1234", "submission.json": json.dumps(data), "a.log": text}
    for name, content in files.items():
        (folder / name).write_text(content)
    sizes = {n: len(t) for n, t in files.items()}
    where = Submission("t", "records/x/t", folder, Origin("t"), None, sizes, "record")
    claim = claimed_configuration(where)
    return Case(where, claim, claims=claims.examine(where, claim))


def test_gpus_and_versions_are_read_with_their_line(tmp_path: Path) -> None:
    facts = case(tmp_path, SMI.format(gpu="H100 80GB HBM3") + log()).claims
    assert facts is not None
    assert facts.claimed is not None
    found = facts.claimed.machine
    assert found is not None
    assert found.name == "2 \u00d7 NVIDIA H100 80GB HBM3"
    assert dict(found.versions) == {
        "Python": "3.12.3",
        "PyTorch": "2.9.1+cu128",
        "CUDA": "13.0",
        "driver": "580.126.09",
    }
    assert (found.evidence.line, found.foreign) == (4, "")


@pytest.mark.parametrize("text", ["", "device: cuda\nmodel_params: 17059912\n", "gpu_memory: 80 GB\n"])
def test_a_log_that_names_no_machine(tmp_path: Path, text: str) -> None:
    facts = case(tmp_path, text + log()).claims
    assert facts is not None
    assert facts.claimed is not None
    assert facts.claimed.machine is None


@pytest.mark.parametrize(
    ("text", "hardware", "status"),
    [
        (SMI.format(gpu="A100-SXM4-80GB"), "8xH100 80GB SXM", Status.REVIEW),
        (SMI.format(gpu="A100-SXM4-80GB"), "8xA100", Status.PASS),
        (SMI.format(gpu="H100 80GB HBM3"), "8xH100 80GB SXM", Status.PASS),
        ("GPU name: NVIDIA GeForce RTX 4090\n", "8xH100", Status.REVIEW),
    ],
)
def test_other_gpus_than_submission_json_names(
    tmp_path: Path, text: str, hardware: str, status: Status
) -> None:
    found = papers_agree(case(tmp_path, text + log(), hardware=hardware))
    assert found.status is status
    assert ("other GPUs" in found.summary) == (status is Status.REVIEW)


@pytest.mark.parametrize(("gpu", "status"), [("H100 80GB HBM3", Status.FAIL), ("L40S", Status.REVIEW)])
def test_a_clock_on_other_gpus_proves_nothing(tmp_path: Path, gpu: str, status: Status) -> None:
    found = evaluation_time(case(tmp_path, SMI.format(gpu=gpu) + log(eval_ms=700_000)))
    assert found.status is status
    assert ("NVIDIA L40S, as the log says" in found.summary) == (gpu == "L40S")
