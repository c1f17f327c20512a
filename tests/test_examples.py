"""Every worked example gets the verdict that its expected.toml names, end to end: sandbox, emulator, watch, rules."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from cli import default_cache
from harness.audit import Options, audit
from harness.case import Audit
from harness.intake import load_target
from harness.sandbox import default_sandbox

SUBMISSIONS = Path(__file__).parents[1] / "submissions"
EXAMPLES = sorted(p.parent for p in SUBMISSIONS.glob("*/*/expected.toml"))


def allowed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def audited(example: Path, workspace: Path, probes: str, *, static: bool) -> Audit:
    submissions = load_target(example, workspace)
    assert len(submissions) == 1
    sandbox = None if static else default_sandbox()
    return audit(submissions[0], Options(sandbox, default_cache(), probes=probes))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda p: f"{p.parent.name}-{p.name}")
def test_example(example: Path, tmp_path: Path) -> None:
    expected = tomllib.loads((example / "expected.toml").read_text())
    result = audited(example, tmp_path, expected.get("probes", "none"), static=expected.get("static", False))
    said = "\n".join(f"{f.rule} {f.status} {f.category}: {f.summary}" for f in result.findings)
    reason = result.case.run.reason if result.case.run else ""
    told = f"{result.verdict}: {result.why}\n{said}\n{reason}"
    assert result.verdict in expected.get("verdicts", [expected.get("verdict")]), told
    found = {f.rule: f for f in result.findings}
    for rule, status in expected.get("rules", {}).items():
        assert found[rule].status in allowed(status), f"{rule}\n{told}"
    for rule, category in expected.get("categories", {}).items():
        if found[rule].status in ("fail", "review"):
            assert found[rule].category in allowed(category), f"{rule}\n{told}"
    for rule, lines in expected.get("lines", {}).items():
        if found[rule].status == "fail":
            shown = {e.line for e in found[rule].evidence}
            assert set(lines) <= shown, f"{rule} shows {sorted(shown)}\n{told}"
