"""A vocabulary that no miniature world has: nothing is run, and the verdict says so instead of an error of ours."""

from __future__ import annotations

from pathlib import Path

from harness.audit import Options, audit
from harness.case import Status, Verdict
from harness.intake import load_target
from harness.sandbox import default_sandbox
from tests.static import scripts


def test_a_vocabulary_that_no_world_has_is_a_question(tmp_path: Path) -> None:
    folder = tmp_path / "tiny"
    folder.mkdir()
    source = scripts.script(scripts.PLAIN, adapt=0).replace(
        "    seq = 1024\n", "    seq = 1024\n    vocab_size = 40\n"
    )
    assert "vocab_size = 40" in source
    (folder / "train_gpt.py").write_text(source)
    (submission,) = load_target(folder, tmp_path / "work")
    result = audit(submission, Options(default_sandbox(), tmp_path / "cache"))
    assert result.verdict is Verdict.REVIEW, result.why
    assert result.case.run is not None
    assert result.case.run.outcome == "refused"
    assert "no miniature world has 40 tokens" in result.case.run.reason
    uncovered = {f.rule for f in result.findings if f.status is Status.NOT_COVERED}
    assert {"C3", "D1", "B1"} & uncovered or "40 tokens" in result.why
