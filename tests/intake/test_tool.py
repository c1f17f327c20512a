"""A script that is only a tool beside the one behind the claimed score, and what a rule then makes of what it breaks."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from harness.case import Case, Claim, Finding, Origin, Script, Status, Submission
from harness.intake.claim import claimed_configuration
from rules.tools import asked_of_tools

MAIN = 'import torch\nprint(f"final_exact val_loss:{1.0} val_bpb:{1.0}")\n'
TRIED = 'import torch\nprint(f"adapted_exact val_loss:{0.9} val_bpb:{0.9}")\n'
LOG = "step:9/9 val_loss:1.99 val_bpb:1.1900\nfinal_exact val_loss:1.95 val_bpb:1.16593150\n"


def submission(root: Path, path: str, **texts: str) -> Submission:
    files = {"train_gpt.py": MAIN, "adapt.py": TRIED, "train.log": LOG, **texts}
    files.setdefault("submission.json", '{"val_bpb": 1.16593150}')
    for name, text in files.items():
        (root / name).write_text(text)
    source = files[path]
    script = Script(path, len(source), "", source, source, path)
    sizes = {name: len(text) for name, text in files.items()}
    return Submission("mine", "mine", root, Origin("here"), script, sizes, "record")


def test_a_script_that_nothing_names_beside_the_one_that_prints_the_score(tmp_path: Path) -> None:
    assert "train_gpt.py" in claimed_configuration(submission(tmp_path, "adapt.py")).tool
    assert claimed_configuration(submission(tmp_path, "train_gpt.py")).tool == ""


@pytest.mark.parametrize(
    "texts",
    [
        {"README.md": "Then run `python adapt.py`."},
        {"run.sh": "python adapt.py\n"},
        {"train.log": LOG + "adapted_exact val_loss:1.90 val_bpb:1.15000000\n", "submission.json": '{"val_bpb": 1.15}'},
        {"train.log": ""},
    ],
)  # fmt: skip
def test_a_script_that_may_be_behind_the_score(tmp_path: Path, texts: dict[str, str]) -> None:
    assert claimed_configuration(submission(tmp_path, "adapt.py", **texts)).tool == ""


def test_what_a_tool_breaks_is_a_question(tmp_path: Path) -> None:
    case = Case(submission(tmp_path, "adapt.py"), Claim())
    failed = asked_of_tools(
        lambda case: Finding("C3", Status.FAIL, "Trained first.", "train_on_val_before_score")
    )
    assert failed(case).status is Status.FAIL
    beside = dataclasses.replace(case, claim=Claim(tool="another script prints the claimed line"))
    assert failed(beside).status is Status.REVIEW
    assert failed(beside).summary == "Trained first. But another script prints the claimed line."
    passed = asked_of_tools(lambda case: Finding("C3", Status.PASS, "Nothing."))
    assert passed(beside).status is Status.PASS
