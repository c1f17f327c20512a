"""Folders and single scripts: which scripts are submissions, what is laid out, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.intake import IntakeError, load_target
from harness.intake.layout import Skipped, fresh_folder, is_safe, write
from tests.intake.test_pull_request import EVAL, PREPARE, train
from tests.intake.test_unpack import b85


def lay(folder: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content)
    return folder


def chosen(folder: Path, tmp_path: Path) -> list[str | None]:
    return [s.script.path if s.script else None for s in load_target(folder, tmp_path / "workspace")]


def test_every_script_that_scores_is_a_submission(tmp_path: Path) -> None:
    folder = lay(
        tmp_path / "records" / "track_10min_16mb" / "2026-01-01_Mine",
        {
            "train_gpt.py": train(1),
            "eval_ttt.py": EVAL,
            "train_gpt_mlx.py": train(2).replace("torch", "mlx"),
            "prepare_data.py": PREPARE,
            "model.py": "import torch\ndef val_loss(x):\n    return torch.nn.functional.cross_entropy(x, x)\n",
            "test_model.py": train(3),
            "plot.py": "import matplotlib\nval_bpb = [1.1]\nprint(val_bpb)\n",
            "sweep.py": "import subprocess\nfor lr in (1, 2):\n    subprocess.run(['torchrun', 'train_gpt.py'])\n",
            "README.md": "hello",
        },
    )
    found = load_target(folder, tmp_path / "workspace")
    assert [s.script.path for s in found if s.script] == ["train_gpt.py", "train_gpt_mlx.py", "eval_ttt.py"]
    assert {s.folder for s in found} == {"records/track_10min_16mb/2026-01-01_Mine"}
    assert {s.track for s in found} == {"record"}
    assert found[0].files["README.md"] == 5
    assert (found[0].root / "model.py").is_file()


def test_a_main_script_may_leave_its_work_to_a_module(tmp_path: Path) -> None:
    folder = lay(
        tmp_path / "mine",
        {
            "train_gpt.py": "from lib.core import main\nmain()\n",
            "lib/__init__.py": "",
            "lib/core.py": train(1).replace('if __name__ == "__main__":', "def main():"),
        },
    )
    assert chosen(folder, tmp_path) == ["train_gpt.py"]


def test_a_readable_copy_of_a_packed_script_is_named_and_passed_over(tmp_path: Path) -> None:
    import zlib

    source = train(1)
    packed = f"import zlib,base64\nexec(zlib.decompress(base64.b85decode('{b85(zlib.compress(source.encode()))}')))\n"
    folder = lay(tmp_path / "mine", {"train_gpt.py": packed, "train_gpt_human.py": "# Readable.\n" + source})
    found = load_target(folder, tmp_path / "workspace")
    assert [s.script.display for s in found if s.script] == ["train_gpt.py (unpacked: base85, zlib)"]
    assert "train_gpt_human.py is a copy of train_gpt.py; it is not audited a second time." in found[0].notes


def test_another_variant_is_no_copy(tmp_path: Path) -> None:
    folder = lay(tmp_path / "mine", {"train_gpt.py": train(1), "train_gpt_v2.py": train(2)})
    assert chosen(folder, tmp_path) == ["train_gpt.py", "train_gpt_v2.py"]


def test_a_script_that_does_not_parse_is_still_a_submission(tmp_path: Path) -> None:
    folder = lay(tmp_path / "mine", {"train_gpt.py": train(1) + "\nimport io import math\n"})
    found = load_target(folder, tmp_path / "workspace")
    assert found[0].script is not None
    assert "line 10" in found[0].script.notes[0]


def test_a_script_that_hides_its_program_is_still_a_submission(tmp_path: Path) -> None:
    folder = lay(
        tmp_path / "mine",
        {"train_gpt.py": "import lzma\nexec(lzma.decompress(open('gone.xz','rb').read()))\n"},
    )
    found = load_target(folder, tmp_path / "workspace")
    assert found[0].script is not None
    assert found[0].script.notes[0].startswith("It looks self-extracting")
    lay(folder, {"eval_ttt.py": train(2), "tool.py": "exec(open('gone.py').read())\n"})
    found = load_target(folder, tmp_path / "workspace")
    assert [s.script.path for s in found if s.script] == ["train_gpt.py", "eval_ttt.py"]
    assert "tool.py runs a program that could not be unpacked; it is not audited." in found[0].notes


def test_a_folder_without_a_script_says_so(tmp_path: Path) -> None:
    folder = lay(tmp_path / "mine", {"README.md": "hello", "tool.py": "print(1)\n"})
    (found,) = load_target(folder, tmp_path / "workspace")
    assert found.script is None
    assert found.notes[0].startswith("No script in mine computes a loss")
    assert set(found.files) == {"README.md", "tool.py"}


def test_links_are_never_followed(tmp_path: Path) -> None:
    secret = lay(tmp_path / "elsewhere", {"secret.txt": "secret", "inner/train_gpt.py": train(1)})
    folder = lay(tmp_path / "mine", {"train_gpt.py": train(1)})
    (folder / "secret.txt").symlink_to(secret / "secret.txt")
    (folder / "inner").symlink_to(secret / "inner")
    (found,) = load_target(folder, tmp_path / "workspace")
    assert set(found.files) == {"train_gpt.py"}
    assert any("symbolic link: secret.txt" in note for note in found.notes)
    assert not list((tmp_path / "workspace").rglob("secret.txt"))


def test_a_payload_outside_the_folder_is_not_read(tmp_path: Path) -> None:
    lay(tmp_path, {"secret.py": train(5)})
    folder = lay(tmp_path / "mine", {"train_gpt.py": "exec(open(__file__ + '/../../secret.py').read())\n"})
    (found,) = load_target(folder, tmp_path / "workspace")
    assert found.script is not None
    assert found.script.notes[0].startswith("It looks self-extracting")


def test_a_single_script_takes_along_what_it_names(tmp_path: Path) -> None:
    folder = lay(
        tmp_path / "mine",
        {"run_me.py": "import helper\nprint(1)\n", "helper.py": "X = 1\n", "diary.txt": "mine"},
    )
    (found,) = load_target(folder / "run_me.py", tmp_path / "workspace")
    assert found.script is not None
    assert found.script.path == "run_me.py"
    assert set(found.files) == {"run_me.py", "helper.py"}


def test_bad_targets_are_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(IntakeError, match="neither a folder nor a script"):
        load_target(tmp_path / "absent", tmp_path / "workspace")
    lay(tmp_path / "clone", {"records/track_10min_16mb/x/train_gpt.py": train(1)})
    with pytest.raises(IntakeError, match="whole clone"):
        load_target(tmp_path / "clone", tmp_path / "workspace")
    big = tmp_path / "big.py"
    big.write_bytes(bytes(2_000_001))
    with pytest.raises(IntakeError, match="too large for a script"):
        load_target(big, tmp_path / "workspace")


@pytest.mark.parametrize(
    "path",
    [
        "../x",
        "/etc/x",
        "a/../../x",
        "a//x",
        "",
        ".git/config",
        "a/.GIT/x",
        "a\nb",
        "a\0b",
        "a\\b",
        "x" * 300,
        "\udcff",
    ],
)
def test_unsafe_names_are_not_created(tmp_path: Path, path: str) -> None:
    skipped = Skipped()
    assert not is_safe(path)
    assert write(fresh_folder(tmp_path, "root"), {path: b"x"}, skipped) == {}
    assert skipped.sentences()[0].startswith("Left out because of an unsafe name")
    assert skipped.sentences()[0].isprintable()


def test_names_that_clash_are_said(tmp_path: Path) -> None:
    skipped = Skipped()
    sizes = write(fresh_folder(tmp_path, "root"), {"a": b"file", "a/b": b"below a file"}, skipped)
    assert sizes == {"a": 4}
    assert "clashes" in skipped.sentences()[0]


def test_scripts_that_only_use_the_trainer_are_no_submissions(tmp_path: Path) -> None:
    folder = lay(
        tmp_path / "mine",
        {
            "train_gpt.py": train(1),
            "save_model.py": "import train_gpt as t\nif __name__ == '__main__':\n    print(t.Model)\n",
            "score_shards.py": "import torch\nprint(torch.nn.functional.cross_entropy('fineweb_train_000001.bin'))\n",
        },
    )
    assert chosen(folder, tmp_path) == ["train_gpt.py"]


def test_a_main_script_that_nothing_is_known_of_is_not_passed_over(tmp_path: Path) -> None:
    folder = lay(tmp_path / "mine", {"train_gpt.py": "import sys\nfrom elsewhere import main\nmain()\n"})
    assert chosen(folder, tmp_path) == ["train_gpt.py"]
