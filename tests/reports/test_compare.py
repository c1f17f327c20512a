"""Two audits side by side: a legal script and its illegal child, from scripts and from JSON."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from cli import main
from harness.case import Audit
from harness.compare import Side, compare
from reports.comparison import print_comparison
from reports.json_report import audit_json, audits_json

EXAMPLES = Path(__file__).parents[2] / "submissions"
LEGAL, CHILD = EXAMPLES / "pass" / "score_first_ttt", EXAMPLES / "fail" / "prequant_ttt"


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["compare", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def side(audit: Audit, source: str | None = None) -> Side:
    return Side(audit.case.submission.name, audit_json(audit), source)


def printed(one: Side, other: Side, lines: int = 50) -> str:
    out = io.StringIO()
    print_comparison(compare(one, other), lines, Console(file=out, width=200))
    return out.getvalue()


def test_a_legal_submission_and_its_illegal_child() -> None:
    code, output = run(str(LEGAL), str(CHILD), "--static-only", "--lines", "20")
    assert code == 0
    for words in (
        "PASS",
        "FAIL",
        "C3 Score before update",
        "train_on_val_before_score",
        "PREQUANT_TTT_EPOCHS",
    ):
        assert words in output
    assert "the same: C1, C2" in output
    assert "Code, unpacked" in output
    assert "more (--lines)" in output


def test_audits_from_json_lack_the_code(tmp_path: Path, honest: Audit, cheat: Audit) -> None:
    for name, audit in (("a", honest), ("b", cheat)):
        (tmp_path / f"{name}.json").write_text(json.dumps(audit_json(audit)))
    code, output = run(str(tmp_path / "a.json"), str(tmp_path / "b.json"))
    assert code == 0
    assert "Code: not compared" in output
    assert "trained on before scored" in output


def test_the_same_twice_has_no_difference(cheat: Audit) -> None:
    text = printed(side(cheat, "x = 1\n"), side(cheat, "x = 1\n"))
    assert "Rules: no difference" in text
    assert "Code: the same, line for line" in text
    assert "Claimed settings that differ" not in text


def test_strangers_text_is_shown_as_text(hostile: Audit, honest: Audit) -> None:
    text = printed(side(hostile, "\x1b[31m[red]x[/red]\n"), side(honest, "x\n"))
    assert "\x1b[31m" not in text
    assert "[red]x[/red]" in text


@pytest.mark.parametrize("content", ["[1]", "{}", "no json", '{"schema": 1, "submissions": []}'])
def test_what_is_no_audit_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.json").write_text(content)
    code, output = run(str(tmp_path / "a.json"), str(LEGAL), "--static-only")
    assert code == 2
    assert "Traceback" not in output


def test_several_submissions_must_be_one(tmp_path: Path, honest: Audit, cheat: Audit) -> None:
    (tmp_path / "a.json").write_text(json.dumps(audits_json([honest, cheat])))
    code, output = run(str(tmp_path / "a.json"), str(LEGAL), "--static-only")
    assert code == 2
    assert "holds 2 submissions" in output
