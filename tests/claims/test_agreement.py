"""Tables of seeds in README and submission.json beside the logs of those seeds."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from harness.case import Case, Claim, Origin, Status, Submission
from harness.intake.claim import claimed_configuration
from harness.witnesses import claims
from rules.P2 import papers_agree

HEAD = "| Seed | Pre-quant BPB | **BPB** | Artifact | Steps |\n|---|---|---|---|---|\n"


def log(seed: int, bpb: float, total: int = 15_950_123) -> str:
    return (
        f"seed: {seed}\nstep:6800/9000 train_loss:2.1 train_time:582000ms step_avg:85.6ms\n"
        f"stopping_early: wallclock_cap train_time:600038ms step:7000/9000\n"
        f"pre_quant val_loss:1.9 val_bpb:{bpb - 0.01:.8f}\nCode size: 50123 bytes\n"
        f"Serialized model int6+zstd: {total - 50_123} bytes\nTotal submission size int6+zstd: {total} bytes\n"
        f"final_exact val_loss:1.9 val_bpb:{bpb:.8f} eval_time:412345ms\n"
    )


def judge(folder: Path, table: str, seeds: dict[str, dict[str, object]], total: int = 15_950_123) -> Case:
    """A submission of two seeds, 1.1200 and 1.1300, with this README table and these entries of submission.json."""
    stated = {"author": "a", "name": "n", "val_bpb": 1.1250, "seed_results": seeds}
    files = {
        "README.md": f"val_bpb 1.1250\n\n{table}",
        "submission.json": json.dumps(stated),
        "train_seed1.log": log(1, 1.12, total),
        "train_seed2.log": log(2, 1.13),
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    sizes = {n: len(t) for n, t in files.items()}
    submission = Submission("t", "records/x/t", folder, Origin("t"), None, sizes, "record")
    return Case(submission, Claim(), claims=claims.examine(submission, claimed_configuration(submission)))


@pytest.mark.parametrize(
    ("row", "kinds"),
    [
        ("| 1 | 1.1100 | 1.12000 | 15,950,123 | 7,000 |", []),
        ("| 1 | 1.11 | **1.1200** | 15,900,000 | 7,000 |", []),
        ("| 1 | 1.1100 | 1.1203 | 15,950,123 | 7,000 |", ["score"]),
        ("| 1 | 1.1100 | 1.1200 | 15,950,321 | 7,000 |", ["bytes"]),
        ("| 1 | 1.1100 | 1.1200 | 15.95 MB | 7,000 |", []),
        ("| 3 | 1.9999 | 1.9999 | 15,111,111 | 7,000 |", []),
    ],
)
def test_cells_that_no_log_of_the_seed_prints(tmp_path: Path, row: str, kinds: list[str]) -> None:
    facts = judge(tmp_path, HEAD + row + "\n", {}).claims
    assert facts is not None
    assert [d.kind for d in facts.disagreements] == kinds


@pytest.mark.parametrize(
    ("title", "cell", "kinds"),
    [
        ("Steps", "7,000", []),
        ("steps", "6800", []),
        ("Stop step", "7200", ["steps"]),
        ("Steps", "~7.2k", []),
        ("Train time", "600s", []),
        ("train ms", "600,038", []),
        ("Train time", "593.2s", ["train time"]),
        ("Eval time", "412.3s \u2705", []),
        ("TTT time", "390s", ["eval time"]),
        ("Total eval time", "390s", []),
    ],
)
def test_steps_and_times_that_no_log_of_the_seed_prints(
    tmp_path: Path, title: str, cell: str, kinds: list[str]
) -> None:
    case = judge(tmp_path, f"| Seed | {title} |\n|---|---|\n| 1 | {cell} |\n", {})
    assert case.claims is not None
    assert [d.kind for d in case.claims.disagreements] == kinds
    assert papers_agree(case).status is Status.PASS


@pytest.mark.parametrize(
    ("seeds", "total", "status"),
    [
        ({"1": {"val_bpb": 1.12, "artifact_bytes": 15950123}}, 15_950_123, Status.PASS),
        ({"1": {"val_bpb": 1.1204}}, 15_950_123, Status.PASS),
        ({"1": {"val_bpb": 1.1154}}, 15_950_123, Status.REVIEW),
        ({"1": {"artifact_bytes": 15990000}}, 16_050_123, Status.REVIEW),
        ({"1": {"artifact_bytes": 15990000}}, 15_950_123, Status.PASS),
        ({"1": {"train_time_s": 500, "steps": 9}}, 15_950_123, Status.PASS),
    ],
)
def test_what_bears_on_the_claim_is_a_question(
    tmp_path: Path, seeds: dict[str, dict[str, object]], total: int, status: Status
) -> None:
    case = judge(tmp_path, "", seeds, total)
    found = papers_agree(case)
    assert found.status is status
    other = dataclasses.replace(case, submission=dataclasses.replace(case.submission, track="non_record"))
    assert papers_agree(other).status is Status.PASS
