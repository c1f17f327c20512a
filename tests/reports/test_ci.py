"""What CI gets: SARIF that points into the checkout, Markdown that nothing breaks out of, JSON that is not trusted."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from markdown_it import MarkdownIt

from cli import main
from harness.case import Audit
from reports.ci import COMMENT_CHARACTERS, MARK, comment, summary
from reports.json_report import audit_json, audits_json
from reports.result import Malformed, Results, parse
from reports.sarif import sarif


def results(*audits: Audit) -> Results:
    return parse(json.loads(json.dumps(audits_json(audits))))


def log(found: Results) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(sarif(found))
    return document["runs"][0]


@pytest.mark.parametrize("scene", ["honest", "cheat", "crash", "hostile"])
def test_results_say_what_the_audit_says(scenes: dict[str, Audit], scene: str) -> None:
    audit = scenes[scene]
    (result,) = results(audit).results
    assert (result.verdict, len(result.findings)) == (audit.verdict, len(audit.findings))
    assert [f.status for f in result.findings] == [f.status for f in audit.findings]


@pytest.mark.parametrize("scene", ["honest", "cheat", "crash", "hostile"])
def test_sarif_has_what_the_standard_wants(scenes: dict[str, Audit], scene: str) -> None:
    run = log(results(scenes[scene]))
    ids = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert len(ids) == len(set(ids))
    for row in run["results"]:
        assert ids[row["ruleIndex"]] == row["ruleId"]
        assert row["level"] in ("error", "warning")
        assert row["message"]["text"]
        for location in row["locations"] + row.get("relatedLocations", []):
            physical = location["physicalLocation"]
            assert physical["region"]["startLine"] >= 1
            assert re.fullmatch(r"[A-Za-z0-9._~%/()+-]+", physical["artifactLocation"]["uri"])


def test_a_line_of_an_unpacked_script_is_told_in_words(cheat: Audit) -> None:
    document = audit_json(cheat)
    script = document["submission"]["script"]
    script["display"] = f"{script['path']} (unpacked: lzma)"
    document["submission"]["files"] = {script["path"]: 10}
    document["findings"] = [
        {"rule": "C3", "status": "fail", "summary": "s", "category": None, "grade": "static",
         "evidence": [{"file": script["display"], "line": 77, "snippet": "loss.backward()"}]}
    ]  # fmt: skip
    (row,) = log(parse(document))["results"]
    (place,) = row["locations"]
    assert place["physicalLocation"]["artifactLocation"]["uri"].endswith(script["path"])
    assert place["physicalLocation"]["region"] == {"startLine": 1}
    assert "unpacked: lzma):77: loss.backward()" in place["message"]["text"]


def test_no_place_lies_above_the_checkout(cheat: Audit) -> None:
    document = audit_json(cheat)
    document["submission"]["folder"] = "../../etc"
    document["submission"]["files"] = {"../../../passwd": 1}
    for finding in document["findings"]:
        finding["evidence"] = [{"file": "../../../passwd", "line": 1, "snippet": ""}]
    rows = log(parse(document))["results"]
    assert rows
    assert not any(".." in r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for r in rows)


def test_links_in_a_message_are_text(cheat: Audit) -> None:
    document = audit_json(cheat)
    document["findings"][0] |= {"status": "fail", "summary": "[click](https://evil.example)"}
    rows = log(parse(document))["results"]
    assert any(r["message"]["text"].startswith("\\[click\\](") for r in rows)


@pytest.mark.parametrize(
    ("kind", "level", "suppressed"),
    [("waiver", "error", True), ("warning", "error", True), ("date", "warning", False)],
)
def test_what_policy_exempts_is_suppressed_or_a_question(
    cheat: Audit, kind: str, level: str, suppressed: bool
) -> None:
    document = audit_json(cheat)
    failed = next(f for f in document["findings"] if f["status"] == "fail")
    failed["exemption"] = {"kind": kind, "counts": "review", "why": "so it is."}
    row = next(r for r in log(parse(document))["results"] if r["ruleId"] == failed["rule"])
    assert (row["level"], "suppressions" in row) == (level, suppressed)
    assert re.search(r"\((waived|only warns here|not yet ruled then)\)", comment(parse(document)))


@pytest.mark.parametrize("scene", ["honest", "cheat", "crash", "hostile"])
@pytest.mark.parametrize("form", [comment, summary])
def test_markdown_holds_no_foreign_link_ping_or_tag(scenes: dict[str, Audit], scene: str, form: Any) -> None:
    text = form(results(scenes[scene])).removeprefix(MARK)
    tokens = [
        t
        for token in MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)
        for t in (token, *(token.children or ()))
    ]
    assert not [t for t in tokens if t.type in ("link_open", "image", "s_open")]
    html = "".join(t.content for t in tokens if t.type in ("html_inline", "html_block"))
    assert set(re.findall(r"<[^>]*>", html)) <= {"<sub>", "</sub>"}
    plain = "".join(t.content for t in tokens if t.type == "text")
    assert not re.search(r"@\w|#\d|https?://|www\.", plain)


def test_the_verdict_comes_first_and_many_submissions_stay_below_the_limit(cheat: Audit) -> None:
    text = comment(results(*[cheat] * 190), "Read in the code only.")
    assert text.startswith(f"{MARK}\n## FAIL: Parameter Golf audit\n\nRead in the code only.")
    assert len(text) < COMMENT_CHARACTERS
    assert "left out here" in text
    assert text.count("```") % 2 == 0


def _broken(document: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    document = copy.deepcopy(document)
    at: Any = document
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return document


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("schema",), 99),
        (("verdict",), "GREAT"),
        (("verdict",), ["PASS"]),
        (("submission",), None),
        (("submission", "origin"), 1),
        (("findings",), {}),
        (("findings",), [1]),
        (("findings",), [{}] * 1000),
        (("findings", 0, "status"), {}),
        (("findings", 0, "evidence"), ["x"]),
        (("submissions",), [{}] * 1000),
    ],
)
def test_what_is_no_audit_is_refused(cheat: Audit, path: tuple[Any, ...], value: Any) -> None:
    with pytest.raises(Malformed):
        parse(_broken(audit_json(cheat), path, value))


def test_the_whole_is_as_bad_as_its_worst_part_whatever_it_says(cheat: Audit, honest: Audit) -> None:
    document = audits_json([honest, cheat]) | {"verdict": "PASS"}
    assert parse(document).verdict == "FAIL"


def test_odd_values_are_dropped(honest: Audit) -> None:
    document = audit_json(honest)
    document["score"] = {"claimed_bpb": "1.2", "emulated_bpb": float("inf")}
    document["submission"]["name"] = "x" * 100_000
    (result,) = parse(document).results
    assert (result.claimed_bpb, result.measured_bpb) == (None, None)
    assert len(result.name) < 10_000


def test_render_writes_from_a_file_and_refuses_what_is_none(tmp_path: Path, cheat: Audit) -> None:
    good, bad = tmp_path / "a.json", tmp_path / "b.json"
    good.write_text(json.dumps(audit_json(cheat)))
    bad.write_text("[" * 100_000)
    written = CliRunner().invoke(
        main, ["render", str(good), "--comment", str(tmp_path / "c.md"), "--sarif", str(tmp_path / "s")]
    )
    assert (written.exit_code, written.output) == (0, "FAIL\n")
    assert (tmp_path / "c.md").read_text() == comment(results(cheat))
    refused = CliRunner().invoke(main, ["render", str(bad)])
    assert refused.exit_code == 2
    assert "is no JSON" in refused.output
