"""Other people's checkers run in the sandbox and are read as the mapping says: with a small checker of our own."""

from __future__ import annotations

import base64
import lzma
import subprocess
from pathlib import Path

import pytest

from harness.bench import checkers_table
from harness.bench.checkers import (
    Checker,
    Said,
    answers_of,
    compared,
    read_checkers,
    read_said,
    run_checkers,
)
from harness.bench.rulings import Ruling
from harness.intake import IntakeError
from harness.sandbox import Sandbox, default_sandbox

SCORE = """
import torch.nn.functional as F
def main():
    val_bpb = F.cross_entropy(model(val_tokens), val_tokens)
    print("val_bpb", val_bpb)
main()
"""

FAKE = """
import pathlib, sys
text = pathlib.Path(sys.argv[1]).read_text()
if "crash" in text:
    raise ValueError("no idea")
print("verdict:", "illegal" if "train_on_val" in text else "unsure" if "ttt" in text else "fine")
print(sorted(p.name for p in pathlib.Path(sys.argv[1]).parent.iterdir()))
"""

MAPPING = ["fake=fail:^verdict: illegal", "fake=review:^verdict: unsure", "fake=pass:^verdict: fine"]


def ruling(pr: int, verdict: str, category: str = "slot", judge: str = "organizer") -> Ruling:
    return Ruling(pr, judge, verdict, category, (category,), "words")


@pytest.fixture
def sandbox() -> Sandbox:
    return default_sandbox()


@pytest.fixture
def fake(tmp_path: Path) -> Checker:
    place = tmp_path / "tools" / "fake.py"
    place.parent.mkdir()
    place.write_text(FAKE)
    (checker,) = read_checkers([f"fake=python {place} {{script}}"], MAPPING)
    return checker


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A repository with pull requests 1 to 4, whose scripts hold one telling word each."""
    place = tmp_path / "clone"
    place.mkdir()
    git(place, "init", "-q", "-b", "main")
    (place / "README.md").write_text("challenge\n")
    commit(place)
    for number, word in enumerate(("clean", "train_on_val", "ttt", "crash"), 1):
        git(place, "checkout", "-q", "-b", f"b{number}", "main")
        folder = place / "records" / "track_10min_16mb" / f"2026-01-0{number}_Mine"
        folder.mkdir(parents=True)
        (folder / "train_gpt.py").write_text(f"# {word}\n{SCORE}")
        (folder / "README.md").write_text("mine\n")
        commit(place)
        git(place, "update-ref", f"refs/pull/{number}/head", "HEAD")
    git(place, "checkout", "-q", "main")
    return place


def git(place: Path, *arguments: str) -> None:
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments]
    subprocess.run(command, cwd=place, check=True, capture_output=True)


def commit(place: Path) -> None:
    git(place, "add", "-A")
    git(place, "commit", "-q", "-m", "change")


def test_answers_of_a_run(clone: Path, fake: Checker, tmp_path: Path, sandbox: Sandbox) -> None:
    """Each answer is read as mapped, a crash is none, and the files beside the script are there."""
    work = tmp_path / "work"
    rulings = [ruling(n, "valid") for n in range(1, 5)]
    run_checkers(clone, rulings, [1, 2, 3, 4], [fake], work, sandbox, 1)
    assert answers_of(work, fake, [1, 2, 3, 4]) == {1: "pass", 2: "fail", 3: "review", 4: "none"}
    (said,) = read_said(work, fake, 1) or []
    assert said.end == "exit 0"
    assert "['README.md', 'train_gpt.py']" in said.output


def test_a_second_call_resumes(clone: Path, fake: Checker, tmp_path: Path, sandbox: Sandbox) -> None:
    """What is there is kept; another command under the same name is run anew."""
    work = tmp_path / "work"
    run_checkers(clone, [], [1], [fake], work, sandbox, 1)
    place = work / "checkers" / "fake" / "pr-1.json"
    place.write_text(place.read_text().replace("verdict: fine", "verdict: illegal"))
    run_checkers(clone, [], [1], [fake], work, sandbox, 1)
    assert answers_of(work, fake, [1]) == {1: "fail"}
    changed = Checker(fake.name, (*fake.command, "--more"), fake.answers)
    assert read_said(work, changed, 1) is None
    run_checkers(clone, [], [1], [changed], work, sandbox, 1)
    assert answers_of(work, changed, [1]) == {1: "pass"}


def test_a_packed_script_can_be_handed_over_unpacked(
    clone: Path, fake: Checker, tmp_path: Path, sandbox: Sandbox
) -> None:
    """As shipped the word is hidden in the payload; unpacked it is read."""
    payload = base64.b85encode(lzma.compress(f"# train_on_val\n{SCORE}".encode())).decode()
    packed = f"import base64, lzma\nexec(lzma.decompress(base64.b85decode({payload!r})).decode())\n"
    git(clone, "checkout", "-q", "-b", "b5", "main")
    (clone / "train_gpt.py").write_text(packed)
    commit(clone)
    git(clone, "update-ref", "refs/pull/5/head", "HEAD")
    command = tuple(w.replace("{script}", "{unpacked}") for w in fake.command)
    plain = Checker("plain", command, fake.answers)
    run_checkers(clone, [], [5], [fake, plain], tmp_path / "work", sandbox, 1)
    assert answers_of(tmp_path / "work", fake, [5]) == {5: "pass"}
    assert answers_of(tmp_path / "work", plain, [5]) == {5: "fail"}


def test_a_checker_sees_no_other_file_and_no_network(clone: Path, tmp_path: Path, sandbox: Sandbox) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    spy = tmp_path / "spy.py"
    spy.write_text(
        f"import os, socket, sys\nprint('file', os.path.exists({str(secret)!r}))\n"
        "try:\n    open(sys.argv[1], 'a')\nexcept OSError:\n    print('read-only')\n"
        "try:\n    socket.create_connection(('1.1.1.1', 80), 3)\nexcept OSError:\n    print('no network')\n"
    )
    (checker,) = read_checkers([f"spy=python {spy} {{script}}"], [])
    run_checkers(clone, [], [1], [checker], tmp_path / "work", sandbox, 1)
    (said,) = read_said(tmp_path / "work", checker, 1) or []
    assert said.output.split("\n")[:3] == ["file False", "read-only", "no network"]


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (Said("a", "exit 0", ""), "pass"),
        (Said("a", "exit 1", "three problems"), "fail"),
        (Said("a", "exit 3", ""), "review"),
        (Said("a", "exit 2", "usage"), "none"),
        (Said("a", "timeout", ""), "none"),
        (Said("a", "exit 1", "Traceback (most recent call last):\n  ..."), "none"),
    ],
)
def test_usual_mapping(said: Said, answer: str) -> None:
    assert Checker("c", ("python", "{script}")).answer(said) == answer


def test_the_worst_answer_counts() -> None:
    checker = Checker("c", ("x", "{script}"), (("pass", "^ok"), ("review", "^hm"), ("fail", "^bad")))
    assert checker.answer(Said("a", "exit 0", "ok\nhm\nok")) == "review"
    assert checker.answer(Said("a", "exit 0", "hm\nbad\nok")) == "fail"
    assert checker.answer(Said("a", "exit 0", "not ok")) == "none"


@pytest.mark.parametrize(
    ("commands", "answers", "message"),
    [
        (["python x.py"], [], "NAME=COMMAND"),
        (["a=python x.py"], [], "{script} or"),
        (["a=x {script}", "a=y {script}"], [], "each name once"),
        (["a=x {script}"], ["b=fail:x"], "no answer of a named checker"),
        (["a=x {script}"], ["a=maybe:x"], "no answer of a named checker"),
        (["a=x {script}"], ["a=fail:("], "does not compile"),
    ],
)
def test_bad_options(commands: list[str], answers: list[str], message: str) -> None:
    with pytest.raises(IntakeError, match=message.replace("{", r"\{")):
        read_checkers(commands, answers)


def test_rows_that_are_compared() -> None:
    """Invalid for a reason in the code, or valid; ruled both by the same judges: left out."""
    rulings = [
        ruling(1, "invalid"), ruling(2, "invalid", "artifact_size"), ruling(3, "valid"), ruling(4, "unclear"),
        ruling(5, "invalid"), ruling(5, "valid"), ruling(3, "invalid", judge="community"),
    ]  # fmt: skip
    assert compared(rulings, ("organizer",)) == ({1: "slot"}, [3], [5])
    assert compared(rulings, ("community",)) == ({3: "slot"}, [], [])


def test_confusion() -> None:
    """Two of three invalid and one of two valid fail: precision 2 of 3, recall 2 of 3."""
    answers = {
        "a": {1: "fail", 2: "fail", 3: "review", 4: "fail", 5: "pass"},
        "b": dict.fromkeys(range(1, 6), "review"),
    }
    lines = checkers_table.confusion(answers, [1, 2, 3], [4, 5]).split("\n")
    assert lines[2] == "| a | 2 | 1 | 0 | 0 | 1 | 0 | 1 | 0 | 67% | 67% | 100% | 50% | 50 |"
    assert lines[3] == "| b | 0 | 3 | 0 | 0 | 0 | 2 | 0 | 0 | – | 0% | 100% | 0% | 0 |"
    table = checkers_table.by_category(answers, {1: "slot", 2: "slot", 3: "byte_count"})
    assert table.split("\n")[2:] == ["| slot | 2 | 2 + 0 | 0 + 2 |", "| byte_count | 1 | 0 + 1 | 0 + 1 |"]


def test_whole_comparison(clone: Path, fake: Checker, tmp_path: Path, sandbox: Sandbox) -> None:
    """Labels in, tables out, this auditor beside the checker on the same rows."""
    labels = tmp_path / "labels.csv"
    labels.write_text(
        "pr,judge,verdict,category,categories_all,evidence\n"
        "1,organizer,valid,,,fine\n2,organizer,invalid,slot,slot,trains\n3,community,valid,,,fine\n"
    )
    text = checkers_table.measure(clone, labels, [fake], tmp_path / "work", sandbox)
    first, second = text.split("## Community")
    assert "1 invalid for a reason in the code, 1 valid." in first
    assert "| fake | 1 | 0 | 0 | 0 | 0 | 0 | 1 | 0 | 100% | 100% | 100% | 100% | 100 |" in first
    assert "| fake | 0 | 0 | 0 | 0 | 0 | 1 | 0 | 0 | – | – | – | 0% | – |" in second
    assert first.count("\n| this auditor, verdict |") == 1
