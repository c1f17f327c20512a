"""The command line: usage errors, exit codes, and the files it writes, without a run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli import main

EXAMPLES = Path(__file__).parents[1] / "submissions"


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, list(arguments))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


@pytest.mark.parametrize(
    "arguments",
    [
        ["audit"],
        ["audit", "no/such/folder"],
        ["audit", ".", "--pr", "1"],
        ["audit", "--pr", "1"],
        ["audit", "--repo", "/tmp", "--pr", "1"],
        ["audit", "--repo", "/tmp", "--pr", "0"],
        ["audit", str(EXAMPLES / "pass" / "plain_eval"), "--device", "cuda"],
        ["rules", "C9"],
        ["nothing"],
    ],
)
def test_bad_usage_is_one_sentence_and_exit_code_2(arguments: list[str]) -> None:
    code, output = run(*arguments)
    assert code == 2
    assert "Error: " in output
    assert "Traceback" not in output


@pytest.mark.parametrize("option", ["--out", "--json", "--sarif"])
def test_where_results_cannot_be_written_is_said_before_anything_runs(tmp_path: Path, option: str) -> None:
    taken = tmp_path / "taken"
    taken.write_text("a file")
    place = taken if option == "--out" else taken / "audit.json"
    code, output = run("audit", str(EXAMPLES / "pass" / "plain_eval"), option, str(place))
    assert code == 2
    assert "results cannot be written to" in output
    assert taken.read_text() == "a file"


def test_static_only_writes_json_and_says_so(tmp_path: Path) -> None:
    file = tmp_path / "audit.json"
    code, _ = run("audit", str(EXAMPLES / "pass" / "plain_eval"), "--static-only", "--json", str(file))
    data = json.loads(file.read_text())
    assert data["schema"] == 1
    assert code == {"PASS": 0, "FAIL": 1, "REVIEW": 3, "ERROR": 4}[data["verdict"]]
    assert data["verdict"] != "FAIL"
    if data["verdict"] == "PASS":
        assert "Static only" in data["why"]
    assert {"C1", "C2", "C3", "C4", "D1", "B1"} <= {f["rule"] for f in data["findings"]}
    assert all(f["grade"] in ("static", "claim") for f in data["findings"])


@pytest.mark.parametrize("folder", [False, True])
def test_code_without_papers_is_judged_by_the_code(tmp_path: Path, folder: bool) -> None:
    script = tmp_path / "mine" / "train_gpt.py"
    script.parent.mkdir()
    script.write_text((EXAMPLES / "pass" / "plain_eval" / "train_gpt.py").read_text())
    file = tmp_path / "audit.json"
    code, _ = run("audit", str(script.parent if folder else script), "--static-only", "--json", str(file))
    data = json.loads(file.read_text())
    assert (code, data["verdict"]) == (0, "PASS")
    assert {f["rule"]: f["status"] for f in data["findings"]}["P1"] == "not_applicable"


def test_a_record_folder_without_papers_is_a_question(tmp_path: Path) -> None:
    folder = tmp_path / "records" / "track_10min_16mb" / "2026-01-01_Mine"
    folder.mkdir(parents=True)
    (folder / "train_gpt.py").write_text((EXAMPLES / "pass" / "plain_eval" / "train_gpt.py").read_text())
    file = tmp_path / "audit.json"
    code, _ = run("audit", str(folder), "--static-only", "--json", str(file))
    data = json.loads(file.read_text())
    assert (code, data["verdict"]) == (3, "REVIEW")
    assert {f["rule"]: f["status"] for f in data["findings"]}["P1"] == "review"


def test_empty_folder_is_review_with_json(tmp_path: Path) -> None:
    folder = tmp_path / "submission"
    folder.mkdir()
    (folder / "README.md").write_text("nothing here")
    file = tmp_path / "audit.json"
    code, _ = run("audit", str(folder), "--static-only", "--json", str(file))
    assert code == 3
    assert json.loads(file.read_text())["verdict"] == "REVIEW"


def test_rules_are_documented() -> None:
    code, output = run("rules")
    assert code == 0
    for line in output.strip().split("\n"):
        rule = line.split()[0]
        code, text = run("rules", rule)
        assert code == 0
        for heading in (
            "What it does",
            "Why it breaks the score",
            "Example",
            "Legal alternative",
            "Rulings",
            "Since",
        ):
            assert heading in text, f"{rule} lacks {heading}"
