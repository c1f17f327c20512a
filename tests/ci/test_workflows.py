"""Workflows and action: everything pinned, no stranger's text in a shell, no write permission beside a stranger's code."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from reports.ci import COMMENT_CHARACTERS, MARK

ROOT = Path(__file__).parents[2]
FILES = sorted(
    [*ROOT.glob(".github/**/*.yml"), *(p for p in ROOT.glob("docs/ci/*.yml") if "gitlab" not in p.name)]
)
REPORT = ROOT / ".github/actions/audit/report.js"
node = pytest.mark.skipif(
    shutil.which("node") is None, reason="node is not installed; GitHub's runners have it"
)


def text(name: str) -> str:
    return (ROOT / name).read_text()


def test_there_are_workflows() -> None:
    assert {p.name for p in FILES} >= {
        "action.yml",
        "audit.yml",
        "audit-report.yml",
        "gpu-rerun.yml",
        "gpu.yml",
    }


@pytest.mark.parametrize("file", FILES, ids=lambda p: p.name)
def test_actions_are_pinned_by_hash_and_the_version_is_named(file: Path) -> None:
    for used, rest in re.findall(r"uses: (\S+)(.*)", file.read_text()):
        if used.startswith("OWNER/parameter-golf-auditor/"):
            assert used.endswith("@COMMIT")  # the reader's own choice; docs/ci.md says how
        else:
            assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", used), used
            assert re.fullmatch(r" # v\d+\.\d+\.\d+", rest), rest


@pytest.mark.parametrize("file", FILES, ids=lambda p: p.name)
def test_no_expression_stands_in_a_script(file: Path) -> None:
    lines = file.read_text().splitlines()
    script: int | None = None
    for line in lines:
        indent = len(line) - len(line.lstrip())
        if script is not None and line.strip() and indent <= script:
            script = None
        if re.match(r"\s*(- )?(run|script):", line):
            script = indent
        if script is not None:
            assert "${{" not in line, line


@pytest.mark.parametrize("file", FILES, ids=lambda p: p.name)
def test_checkouts_leave_no_token_behind(file: Path) -> None:
    source = file.read_text()
    assert source.count("actions/checkout@") == source.count("persist-credentials: false")
    assert "${{ secrets" not in source
    assert "pull_request_target" not in source


def test_what_runs_a_strangers_code_may_only_read() -> None:
    for name in ("docs/ci/audit.yml", ".github/workflows/gpu-rerun.yml", "docs/ci/gpu.yml"):
        assert re.findall(r"^\s+([\w-]+): (?:read|write)\b", text(name), re.M) == ["contents"]
        assert "contents: read" in text(name)


def test_what_may_write_runs_nothing_of_the_pull_request() -> None:
    source = text("docs/ci/audit-report.yml")
    assert "permissions: {}" in source
    assert "head_sha }}" not in source
    assert "refs/pull" not in source
    assert re.findall(r"^ +repository: (\S+)", source, re.M) == ["OWNER/parameter-golf-auditor"]


def test_script_and_report_agree_on_the_mark() -> None:
    assert f"const MARK = '{MARK}'" in REPORT.read_text()
    assert COMMENT_CHARACTERS < 65_536


HARNESS = """
const { find, report } = require(process.argv[1])
const given = JSON.parse(process.argv[2])
const calls = [], out = {}
const record = (name, answer) => async (a) => { calls.push([name, a]); return answer }
const github = {
  paginate: async (f, a) => f(a),
  rest: {
    pulls: { list: async () => given.pulls, listFiles: async () => given.files.map((f) => ({ filename: f })) },
    issues: {
      listComments: async () => given.comments || [],
      createComment: record('create'), updateComment: record('update'),
    },
    checks: { create: record('check') },
    codeScanning: { uploadSarif: record('sarif') },
  },
}
const context = { repo: { owner: 'o', repo: 'r' }, payload: { workflow_run: {
  head_sha: 'a'.repeat(40), head_branch: 'b',
  head_repository: given.gone ? null : { owner: { login: 'fork' } }, html_url: 'u',
} } }
const core = { setOutput: (k, v) => { out[k] = v }, notice: () => {}, warning: () => {} }
;(async () => {
  if (given.step === 'find') await find({ github, context, core })
  else await report({ github, context, core })
  console.log(JSON.stringify({ calls, out }))
})()
"""


def call(
    tmp_path: Path, environment: dict[str, str] | None = None, **given: object
) -> dict[str, dict[str, str]]:
    done = subprocess.run(
        ["node", "-e", HARNESS, str(REPORT), json.dumps(given)],
        capture_output=True,
        check=True,
        text=True,
        env={"PATH": "/usr/bin:/bin:/usr/local/bin", "RUNNER_TEMP": str(tmp_path), **(environment or {})},
    )
    told = json.loads(done.stdout)
    return {"out": told["out"], **dict(told["calls"])}


HEAD = {"number": 7, "head": {"sha": "a" * 40}}


@node
def test_the_pull_request_is_found_by_its_head_alone(tmp_path: Path) -> None:
    files = ["records/x/train_gpt.py"]
    other = {"number": 6, "head": {"sha": "b" * 40}}
    found = call(tmp_path, step="find", pulls=[other, HEAD], files=files)["out"]
    assert (found["number"], found["trusted"]) == ("7", "yes")
    assert call(tmp_path, step="find", pulls=[other], files=files)["out"] == {}
    assert call(tmp_path, step="find", pulls=[HEAD], files=files, gone=True)["out"] == {}


@node
def test_a_changed_workflow_makes_the_result_worth_nothing(tmp_path: Path) -> None:
    found = call(tmp_path, step="find", pulls=[HEAD], files=["a", ".github/workflows/audit.yml"])["out"]
    assert found["trusted"] == "no"
    assert found["say"].startswith("Not to be trusted")
    (tmp_path / "comment.md").write_text(f"{MARK}\n## PASS")
    told = call(tmp_path, {"NUMBER": "7", "TRUSTED": "no", "VERDICT": "PASS"}, step="report")
    assert told["check"]["conclusion"] == "action_required"
    assert "sarif" not in told


@node
def test_one_comment_is_updated_and_only_our_own(tmp_path: Path) -> None:
    (tmp_path / "comment.md").write_text(f"{MARK}\n## FAIL")
    (tmp_path / "audit.sarif").write_text("{}")
    environment = {"NUMBER": "7", "TRUSTED": "yes", "VERDICT": "FAIL"}
    forged = {"id": 1, "user": {"login": "stranger"}, "body": f"{MARK} PASS"}
    ours = {"id": 2, "user": {"login": "github-actions[bot]"}, "body": f"{MARK} old"}
    first = call(tmp_path, environment, step="report", comments=[forged])
    assert first["create"]["body"] == f"{MARK}\n## FAIL"
    assert first["check"]["conclusion"] == "failure"
    assert first["sarif"]["ref"] == "refs/pull/7/head"
    again = call(tmp_path, environment, step="report", comments=[forged, ours])
    assert again["update"]["comment_id"] == 2
    assert "create" not in again


@node
@pytest.mark.parametrize("verdict", ["", "constructor", "GREAT"])
def test_without_a_readable_result_the_check_does_not_pass(tmp_path: Path, verdict: str) -> None:
    told = call(tmp_path, {"NUMBER": "7", "TRUSTED": "yes", "VERDICT": verdict}, step="report")
    assert told["check"]["conclusion"] == "action_required"
    assert "no result that can be read" in told["create"]["body"]
    assert "sarif" not in told
