"""What is kept of a script or a log that was read before belongs to its content, and to nobody's folder."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest

from harness.case import Origin, Submission
from harness.intake import syntax
from harness.intake.scoring import features
from harness.intake.unpack import unpack, unpack_with_files
from harness.witnesses.claims import papers
from harness.witnesses.claims.papers import read_logs
from harness.witnesses.tamper import tampering

PLAIN = b"import sys\nprint(len(sys.modules))\nfor m in sys.modules.values():\n    print(m)\n"
BESIDE = (
    b"import zlib\nfrom pathlib import Path\n"
    b"exec(zlib.decompress(Path(__file__).with_name('program.bin').read_bytes()))\n"
)


def _submission(folder: Path, logs: dict[str, str]) -> Submission:
    folder.mkdir()
    for name, text in logs.items():
        (folder / name).write_text(text)
    sizes = {name: len(text) for name, text in logs.items()}
    return Submission(folder.name, f"records/{folder.name}", folder, Origin(""), None, sizes)


def test_a_script_in_another_place_keeps_its_own_name() -> None:
    first, second = unpack(PLAIN, "train_gpt.py"), unpack(PLAIN, "other/run.py")
    assert (first.path, second.path) == ("train_gpt.py", "other/run.py")
    assert first.source == second.source
    places = [[e.file for f in tampering(s) for e in f.path] for s in (first, second)]
    assert places == [["train_gpt.py"] * len(places[0]), ["other/run.py"] * len(places[0])]
    assert places[0]


def test_a_script_that_unpacks_a_file_beside_it_is_read_with_the_file_of_its_own_folder() -> None:
    for program in ("x = 1", "x = 2"):
        beside = {"program.bin": zlib.compress(program.encode())}
        script, _ = unpack_with_files(BESIDE, "train_gpt.py", beside.get)
        assert script.source.strip() == program


def test_features_of_a_test_are_not_those_of_the_same_text_elsewhere() -> None:
    source = "print(1)\n"
    assert not features(source, "run.py").test
    assert features(source, "test_run.py").test


def test_logs_of_one_name_in_two_folders_keep_their_own_scores(tmp_path: Path) -> None:
    one = _submission(tmp_path / "one", {"train.log": "final val_bpb: 1.1000\n"})
    two = _submission(tmp_path / "two", {"train.log": "final val_bpb: 1.2000\n"})
    assert [log.scores[0].bpb for s in (one, two, one) for log in read_logs(s)] == [1.1, 1.2, 1.1]


def test_one_text_under_two_names_is_two_logs(tmp_path: Path) -> None:
    text = "final val_bpb: 1.1000\n"
    found = read_logs(_submission(tmp_path / "three", {"seed_1.log": text, "seed_2.log": text}))
    assert [(log.path, log.seed) for log in found] == [("seed_1.log", 1), ("seed_2.log", 2)]


def test_the_logs_that_are_kept_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(papers, "_MOST_HELD", 100)
    kept = papers.KeptLogs()
    held = _submission(tmp_path / "four", {f"{n}.log": f"val_bpb: 1.{n}000 " + "x" * 60 for n in range(3)})
    first = [kept.log(held, f"{n}.log") for n in range(3)]
    assert kept.log(held, "2.log") is first[2]
    assert kept.log(held, "0.log") is not first[0]
    assert kept.log(held, "0.log") == first[0]


def test_one_tree_for_one_text() -> None:
    assert syntax.parse("a = 1\n") is syntax.parse("a = 1\n")
    assert syntax.all_nodes(syntax.parse("a = 1\n")) is syntax.all_nodes(syntax.parse("a = 1\n"))
