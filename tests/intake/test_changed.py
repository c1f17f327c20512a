"""What a branch changes against its merge base: whole record folders, nothing where nothing is submitted."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli import main
from harness.intake import IntakeError, load_changed
from tests.intake.test_pull_request import Clone, R, scripts, train


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path / "clone")


def branch(clone: Clone, files: dict[str, str | bytes | None]) -> None:
    clone.git("checkout", "-q", "-b", "work")
    clone.commit(files, "Work")


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, list(arguments))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def test_a_new_folder_is_audited_and_the_main_line_is_not(clone: Clone, tmp_path: Path) -> None:
    branch(clone, {f"{R}/mine/train_gpt.py": train(5), "docs/notes.md": "a"})
    clone.git("checkout", "-q", "main")
    clone.commit({f"{R}/later/train_gpt.py": train(6)}, "The main line moves on")
    clone.git("checkout", "-q", "work")
    found, _ = load_changed(clone.path, "main", tmp_path / "w")
    assert scripts(found) == [(f"{R}/mine", "train_gpt.py")]
    assert found[0].origin.head_sha == clone.git("rev-parse", "HEAD")


def test_a_folder_of_which_one_file_changed_is_read_whole(clone: Clone, tmp_path: Path) -> None:
    branch(clone, {f"{R}/base/README.md": "new words"})
    found, _ = load_changed(clone.path, "main", tmp_path / "w")
    assert scripts(found) == [(f"{R}/base", "train_gpt.py")]
    assert set(found[0].files) == {"README.md", "train_gpt.py"}


def test_folders_nested_in_a_record_are_their_own(clone: Clone, tmp_path: Path) -> None:
    two = {f"{R}/two/{part}/{name}": text for part in ("a", "b")
           for name, text in (("train_gpt.py", train(ord(part))), ("submission.json", "{}"))}  # fmt: skip
    clone.commit(two, "Two in one")
    branch(clone, {f"{R}/two/b/log.txt": "val_bpb:1.2"})
    found, _ = load_changed(clone.path, "main", tmp_path / "w")
    assert [s.folder for s in found] == [f"{R}/two/b"]


def test_a_script_in_the_wrong_place_is_audited(clone: Clone, tmp_path: Path) -> None:
    branch(clone, {"mine/train_gpt.py": train(9)})
    found, _ = load_changed(clone.path, "main", tmp_path / "w")
    assert scripts(found) == [("mine", "train_gpt.py")]


@pytest.mark.parametrize("files", [{"docs/a.md": "b"}, {f"{R}/base/train_gpt.py": None}])
def test_no_submission_is_a_pass_that_says_so(
    clone: Clone, tmp_path: Path, files: dict[str, str | bytes | None]
) -> None:
    branch(clone, files)
    out = tmp_path / "a.json"
    sarif, summary = tmp_path / "a.sarif", tmp_path / "s.md"
    code, text = run(
        *("audit", "--changed", "--base", "main", "--repo", str(clone.path), "--static-only"),
        *("--json", str(out), "--sarif", str(sarif), "--summary", str(summary)),
    )
    assert code == 0
    assert "No submission is changed" in text
    document = json.loads(out.read_text())
    assert (document["verdict"], document["submissions"]) == ("PASS", [])
    assert json.loads(sarif.read_text())["runs"][0]["results"] == []
    assert "No submission is changed" in summary.read_text()


def test_a_record_folder_without_a_script_is_a_review(clone: Clone, tmp_path: Path) -> None:
    branch(clone, {f"{R}/empty/README.md": "words"})
    code, _ = run("audit", "--changed", "--base", "main", "--repo", str(clone.path), "--static-only",
                  "--json", str(tmp_path / "a.json"))  # fmt: skip
    assert code == 3


def test_an_unknown_base_and_a_shallow_clone_are_told_plainly(clone: Clone, tmp_path: Path) -> None:
    branch(clone, {f"{R}/mine/train_gpt.py": train(5)})
    with pytest.raises(IntakeError, match="no revision nowhere"):
        load_changed(clone.path, "nowhere", tmp_path / "w")
    clone.git("checkout", "-q", "main")
    clone.commit({"a": "1"}, "On")
    shallow = tmp_path / "shallow"
    subprocess.run(
        ["git", "clone", "-q", "--depth=1", "--no-single-branch", clone.path.as_uri(), str(shallow)],
        check=True,
    )
    with pytest.raises(IntakeError, match=r"shallow.*fetch-depth"):
        load_changed(shallow, "origin/main", tmp_path / "w", head="origin/work")


def test_an_option_is_no_revision(clone: Clone, tmp_path: Path) -> None:
    with pytest.raises(IntakeError, match="no revision --output"):
        load_changed(clone.path, f"--output={tmp_path}/x", tmp_path / "w")


def test_findings_lead_into_the_checkout(clone: Clone, tmp_path: Path) -> None:
    cheat = Path(__file__).parents[2] / "submissions" / "fail"
    script = next(p for p in sorted(cheat.glob("*/train_gpt.py")) if "prequant" in p.parent.name)
    branch(clone, {f"{R}/a folder/train_gpt.py": script.read_bytes()})
    sarif = tmp_path / "a.sarif"
    code, _ = run(
        *("audit", "--changed", "--base", "main", "--repo", str(clone.path), "--static-only"),
        *("--sarif", str(sarif), "--comment", str(tmp_path / "c.md"), "--json", str(tmp_path / "a.json")),
    )
    assert code == 1
    results = json.loads(sarif.read_text())["runs"][0]["results"]
    failed = [r for r in results if r["level"] == "error"]
    place = failed[0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == f"{R}/a%20folder/train_gpt.py"
    line = script.read_text().split("\n")[place["region"]["startLine"] - 1]
    assert line.strip() == place["region"]["snippet"]["text"]
    assert (tmp_path / "c.md").read_text().startswith("<!-- pgolf-audit -->\n## FAIL")
