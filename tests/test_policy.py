"""The host's policy: what gates, what only warns, which date's rules hold, what is waived; and nothing else is taken."""

from __future__ import annotations

import dataclasses
import datetime
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli import main
from harness.case import Finding, Status
from harness.intake import IntakeError
from harness.policy import Policy, exempted, policy_of_base, read_policy
from rules.dates import BY_CATEGORY, ruled
from rules.precedents import precedents
from rules.registry import all_rules
from tests.intake.test_pull_request import Clone, R

TODAY = datetime.date(2026, 6, 1)
FOLDER = f"{R}/mine"
EXAMPLES = Path(__file__).parents[1] / "submissions"
WAIVER = f"""
[[waiver]]
rule = "A1"
folder = "{FOLDER}"
reason = "agreed with the author"
expires = 2026-06-01
"""


def policy(tmp_path: Path, text: str, name: str = "auditor.toml") -> Policy:
    path = tmp_path / name
    path.write_text(text)
    found = read_policy(path)
    return dataclasses.replace(found, today=TODAY)


def failing(rule: str, category: str | None = None) -> Finding:
    return Finding(rule, Status.FAIL, "Broken.", category)


def judged(found: Finding, given: Policy, folder: str = FOLDER) -> Finding:
    (finding,) = exempted([found], given, folder)
    return finding


def test_a_waiver_holds_for_its_rule_and_folder_up_to_its_last_day(tmp_path: Path) -> None:
    given = policy(tmp_path, WAIVER)
    waived = judged(failing("A1"), given)
    assert (waived.status, waived.counts) == (Status.FAIL, Status.NOT_APPLICABLE)
    assert waived.summary == "Broken. Waived until 2026-06-01: agreed with the author."
    assert judged(failing("C1"), given).counts is Status.FAIL
    assert judged(failing("A1"), given, f"{R}/other").counts is Status.FAIL


def test_an_expired_waiver_is_named_and_does_nothing(tmp_path: Path) -> None:
    given = policy(tmp_path, WAIVER.replace("2026-06-01", "2026-05-31"))
    found = judged(failing("A1"), given)
    assert found.counts is Status.FAIL
    assert found.summary == "Broken. A waiver of it expired on 2026-05-31."


def test_rules_that_only_warn(tmp_path: Path) -> None:
    given = policy(tmp_path, 'warn = ["A1"]')
    assert judged(failing("A1"), given).counts is Status.NOT_APPLICABLE
    assert judged(failing("C3"), given).counts is Status.FAIL
    only = policy(tmp_path, 'gate = ["C3"]')
    assert judged(failing("A1"), only).counts is Status.NOT_APPLICABLE
    assert judged(failing("C3"), only).counts is Status.FAIL


def test_before_it_was_ruled_a_pattern_is_at_most_a_question(tmp_path: Path) -> None:
    given = policy(tmp_path, "rules-as-of = 2026-03-26")
    early = judged(failing("C1", "ngram_target_in_key"), given)
    assert (early.status, early.counts) == (Status.FAIL, Status.REVIEW)
    assert "it became one on 2026-03-27 (#779)" in early.summary
    assert judged(failing("C3", "train_on_val_before_score"), given).counts is Status.FAIL
    assert judged(failing("A1", "artifact_size"), given).counts is Status.FAIL
    on_the_day = policy(tmp_path, "rules-as-of = 2026-03-27")
    assert judged(failing("C1", "ngram_target_in_key"), on_the_day).counts is Status.FAIL


def test_what_passes_is_left_alone(tmp_path: Path) -> None:
    given = policy(tmp_path, 'warn = ["A1"]\n' + WAIVER)
    found = Finding("A1", Status.PASS, "Fine.")
    assert judged(found, given) is found


def test_every_category_of_a_rule_is_a_word_of_the_rulings() -> None:
    words = {ruling.category for ruling in precedents()} | {
        "eval_time",
        "other",
        "packaging",
        "val_calibration",
    }
    for rule in all_rules():
        assert set(rule.categories) <= words, rule.id


def test_every_category_of_a_rule_has_a_date_and_no_organizer_ruled_before_it() -> None:
    for rule in all_rules():
        assert set(rule.categories) <= BY_CATEGORY.keys(), rule.id
    for ruling in precedents():
        if ruling.judge == "organizer" and ruling.verdict == "invalid" and ruling.date:
            since = ruled("C1", ruling.category).since
            assert since <= datetime.date.fromisoformat(ruling.date), ruling


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rules = 1", "unknown key rules"),
        ('warn = ["C9"]', "names no rule with 'C9'"),
        ('warn = "C1"', "names no rule with 'C1'"),
        ('warn = ["C1"]\ngate = ["C3"]', "both gate and warn"),
        ('rules-as-of = "2026-05-01"', "no date"),
        ("rules-as-of = 2026-05-01T00:00:00Z", "no date"),
        (WAIVER.replace("reason", "because"), "unknown key because"),
        (WAIVER.replace('reason = "agreed with the author"\n', ""), "lacks reason"),
        (WAIVER.replace("agreed with the author", " "), "needs a folder and a reason"),
        ("waiver = 1", "no list"),
        ("waiver = [1]", "no table"),
        ("= 1", "no TOML"),
    ],
)
def test_what_it_does_not_know_is_an_error_in_one_sentence(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "auditor.toml"
    path.write_text(text)
    with pytest.raises(IntakeError, match=words):
        read_policy(path)
    result = CliRunner().invoke(main, ["audit", ".", "--static-only", "--policy", str(path)])
    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_pyproject_has_a_table_for_us_or_says_nothing(tmp_path: Path) -> None:
    text = '[tool.other]\nx = 1\n[tool.pgolf-audit]\nwarn = ["P1"]\n'
    assert policy(tmp_path, text, "pyproject.toml").warn == {"P1"}
    assert policy(tmp_path, "[tool.other]\nx = 1\n", "pyproject.toml").warn == {"S1"}


def test_without_a_word_of_the_host_significance_only_warns(tmp_path: Path) -> None:
    question = Finding("S1", Status.REVIEW, "No record.", "significance")
    assert judged(question, Policy()).counts is Status.NOT_APPLICABLE
    assert judged(question, policy(tmp_path, 'gate = ["C1", "S1"]\n')).counts is Status.REVIEW
    assert judged(failing("C1"), Policy()).counts is Status.FAIL


def test_a_change_cannot_bring_its_own_policy(tmp_path: Path) -> None:
    clone = Clone(tmp_path / "clone")
    cheat = (EXAMPLES / "fail" / "ngram_target_in_key" / "train_gpt.py").read_bytes()
    clone.git("checkout", "-q", "-b", "work")
    clone.commit({f"{FOLDER}/train_gpt.py": cheat, "auditor.toml": 'gate = ["P1"]'}, "Work")
    arguments = ["audit", "--changed", "--base", "main", "--repo", str(clone.path), "--static-only"]
    out = tmp_path / "a.json"
    assert CliRunner().invoke(main, [*arguments, "--json", str(out)]).exit_code == 1
    clone.git("checkout", "-q", "main")
    clone.commit({"auditor.toml": 'warn = ["C1"]'}, "The host's word")
    clone.git("checkout", "-q", "work")
    assert CliRunner().invoke(main, [*arguments, "--json", str(out)]).exit_code != 1
    (found,) = [f for f in json.loads(out.read_text())["findings"] if f["rule"] == "C1"]
    assert found["status"] == "fail"
    assert found["exemption"]["kind"] == "warning"


def test_two_policies_in_one_repository_are_one_too_many(tmp_path: Path) -> None:
    clone = Clone(tmp_path / "clone")
    clone.commit({"auditor.toml": "", "pyproject.toml": "[tool.pgolf-audit]\n"}, "Both")
    with pytest.raises(IntakeError, match="keep one of them"):
        policy_of_base(clone.path, "main")


def test_the_date_can_be_named_on_the_command_line(tmp_path: Path) -> None:
    out = tmp_path / "a.json"
    folder = str(EXAMPLES / "fail" / "ngram_target_in_key")
    arguments = ["audit", folder, "--static-only", "--json", str(out), "--rules-as-of"]
    assert CliRunner().invoke(main, [*arguments, "2026-03-27"]).exit_code == 1
    assert CliRunner().invoke(main, [*arguments, "2026-03-26"]).exit_code == 3
    assert json.loads(out.read_text())["verdict"] == "REVIEW"
    assert CliRunner().invoke(main, [*arguments, "yesterday"]).exit_code == 2
