"""The worked examples have the form of a submission, and their papers agree with each other."""

from __future__ import annotations

import ast
import base64
import json
import lzma
import re
import statistics
import tomllib
from pathlib import Path
from typing import Any

import pytest

from harness.case import Status, Verdict

SUBMISSIONS = Path(__file__).parent.parent / "submissions"
EXAMPLES = sorted(p for p in SUBMISSIONS.glob("*/*") if p.is_dir())
FILES = {"train_gpt.py", "README.md", "submission.json", "train_seed1337.log", "expected.toml"}
VERDICT_OF_FOLDER = {"pass": "PASS", "fail": "FAIL", "review": "REVIEW", "hostile": "FAIL"}
CATEGORIES = {  # the words that the rulings on real pull requests use
    "artifact_size",
    "byte_count",
    "eval_time",
    "doc_boundary_leak",
    "other",
    "gptq_calibration_eval_time",
    "multi_pass_rescore",
    "packaging",
    "significance",
    "ngram_target_in_key",
    "paid_prefix",
    "partial_val",
    "slot",
    "target_gating",
    "train_on_val_before_score",
    "unnormalised_mixture",
    "val_calibration",
}
LIMIT = 16_000_000
each_example = pytest.mark.parametrize("example", EXAMPLES, ids=lambda p: f"{p.parent.name}/{p.name}")


def expected(example: Path) -> dict[str, Any]:
    return tomllib.loads((example / "expected.toml").read_text(encoding="utf-8"))


def verdicts(example: Path) -> list[str]:
    says = expected(example)
    return [says["verdict"]] if "verdict" in says else says["verdicts"]


def source(example: Path) -> str:
    """The script as a reader wants it: the packed example is unpacked by the two steps that it consists of."""
    text = (example / "train_gpt.py").read_text(encoding="utf-8")
    packed = re.search(r'b85decode\("([^"]+)"\)', text)
    return lzma.decompress(base64.b85decode(packed[1])).decode() if packed else text


def log(example: Path) -> str:
    return (example / "train_seed1337.log").read_text(encoding="utf-8")


def paper(example: Path) -> dict[str, Any]:
    return json.loads((example / "submission.json").read_text(encoding="utf-8"))


def last(pattern: str, text: str) -> float:
    """The last number that a pattern finds."""
    found = re.findall(pattern, text)
    assert found, f"nothing matches {pattern}"
    return float(found[-1])


def test_there_are_examples_of_every_verdict():
    folders = [p.parent.name for p in EXAMPLES]
    assert set(folders) == set(VERDICT_OF_FOLDER)
    assert len(folders) >= 14


def test_the_table_lists_every_example():
    table = (SUBMISSIONS / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| \[`(\w+/\w+)`\]", table, re.M)
    assert sorted(listed) == [f"{p.parent.name}/{p.name}" for p in EXAMPLES]


@each_example
def test_files(example: Path):
    names = {p.name for p in example.iterdir()}
    assert names >= FILES
    assert all(re.fullmatch(r"train_seed\d+\.log", name) for name in names - FILES)


@each_example
def test_script_compiles_and_is_of_real_size(example: Path):
    text = source(example)
    ast.parse(text)
    assert 200 <= text.count("\n") <= 500
    parts = (
        "scaled_dot_product_attention",
        "rms_norm|RMSNorm",
        "torch.compile",
        "WORLD_SIZE",
        "20240520",
        "autocast",
    )
    for needed in parts:
        assert re.search(needed, text), needed


@each_example
def test_expected_uses_known_words(example: Path):
    says = expected(example)
    assert set(says) <= {"verdict", "verdicts", "why", "probes", "static", "rules", "categories", "lines"}
    assert set(verdicts(example)) <= {v.value for v in Verdict}
    assert VERDICT_OF_FOLDER[example.parent.name] in verdicts(example)
    assert ("PASS" in verdicts(example)) == (example.parent.name == "pass")
    assert says["why"].endswith(".")
    statuses = {s.value for s in Status}
    for rule, status in says["rules"].items():
        assert re.fullmatch("[A-Z][0-9]", rule)
        assert set([status] if isinstance(status, str) else status) <= statuses
    for rule, words in says.get("categories", {}).items():
        assert rule in says["rules"]
        assert set([words] if isinstance(words, str) else words) <= CATEGORIES


@each_example
def test_expected_lines_are_code(example: Path):
    text = source(example).split("\n")
    for rule, numbers in expected(example).get("lines", {}).items():
        assert rule in expected(example)["rules"]
        for number in numbers:
            assert "step()" in text[number - 1], f"{rule} points at {text[number - 1]!r}"


@each_example
def test_a_fail_names_the_rule_that_fails(example: Path):
    if verdicts(example) == ["FAIL"]:
        assert any("fail" in status for status in expected(example)["rules"].values())


@each_example
def test_log_agrees_with_submission_json(example: Path):
    text, says = log(example), paper(example)
    logs = [p.read_text(encoding="utf-8") for p in example.glob("*.log")]
    for pattern, field in (
        (r"_exact val_loss:\S+ val_bpb:(\d+\.\d{8})", "val_bpb"),
        (r"_exact val_loss:(\d+\.\d{8})", "val_loss"),
    ):
        assert statistics.fmean(last(pattern, t) for t in logs) == pytest.approx(says[field], abs=1.1e-8)
    assert last(r"Total submission size \S+: (\d+) bytes", text) == says["bytes_total"]
    assert (says["bytes_total"] > LIMIT) == (example.name == "over_limit")
    assert max(float(t) for t in re.findall(r"train_time:(\d+)ms", text)) < 600_000
    assert (last(r"eval_time:(\d+)ms", text) > 600_000) == (example.name == "slow_eval")


@each_example
def test_code_is_counted_as_shipped(example: Path):
    size = (example / "train_gpt.py").stat().st_size
    assert paper(example)["bytes_code"] == last(r"Code size: (\d+) bytes", log(example)) == size


@each_example
def test_log_has_the_labels_that_the_script_prints(example: Path):
    label = re.findall(r"^(\w+_exact) val_loss:", log(example), re.M)[-1]
    assert f"{label} val_loss:" in source(example)


@each_example
def test_readme_says_what_it_is(example: Path):
    text = (example / "README.md").read_text(encoding="utf-8")
    assert "illustrative" in text
    assert "illustrative" in paper(example)["blurb"]
    assert "torchrun --standalone --nproc_per_node=8 train_gpt.py" in text
    named = re.search(r"^Rules: (.*?)\. Expected", text, re.M)
    assert named
    assert set(named[1].split(", ")) & (set(expected(example)["rules"]) | {"B1", "C1", "C2", "C3"})
    assert f"{paper(example)['val_bpb']:.8f}" in text
