"""The JSON report: what was agreed, valid, the same bytes each time."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from harness.case import Audit, Evidence, Finding, Status
from harness.version import VERSION
from reports.json_report import audit_json, audits_json, dump


def strict(text: str) -> Any:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    return json.loads(text, parse_constant=refuse)


def test_the_agreed_keys(cheat: Audit) -> None:
    data = strict(dump(audit_json(cheat)))
    assert data["schema"] == 1
    assert data["verdict"] == "FAIL"
    assert data["submission"]["name"] == "2026-03-21_XSA_EMA_TTT"
    finding = data["findings"][0]
    assert set(finding) == {"rule", "status", "category", "grade", "summary", "evidence"}
    assert (finding["rule"], finding["status"], finding["grade"]) == ("C3", "fail", "trace")
    assert finding["evidence"][1] == {"file": "train_gpt.py", "line": 1094, "snippet": "optimizer.step()"}
    assert data["score"]["claimed_bpb"] == 1.1188


def test_the_extra_keys(cheat: Audit) -> None:
    data = strict(dump(audit_json(cheat)))
    assert data["run"]["overrides"][0] == {"name": "MODEL_DIM", "claimed": "512", "used": "64"}
    assert data["trace"]["leak"]["update"][0]["line"] == 1094
    assert data["trace"]["events"] == len(cheat.case.trace.events)
    assert data["analysis"]["frontier"]["leaked_positions"] == 4095
    assert data["claim"]["settings"][0]["evidence"]["line"] == 12
    assert data["auditor"] == {"version": VERSION}
    assert data["probes"]["incompressibility"]["runs"][0]["claimed"] == 39896.0
    assert data["probes"]["future"]["first_position"] == 2241


def test_nothing_varies_but_the_time_that_is_asked_for(cheat: Audit) -> None:
    assert dump(audit_json(cheat)) == dump(audit_json(cheat))
    dated = audit_json(cheat, "2026-05-01T00:00:00Z")
    assert dated.pop("generated") == "2026-05-01T00:00:00Z"
    assert dated == audit_json(cheat)


@pytest.mark.parametrize("scene", ["honest", "cheat", "crash", "hostile"])
def test_always_strict_ascii_json(scenes: dict[str, Audit], scene: str) -> None:
    text = dump(audit_json(scenes[scene]))
    assert strict(text)["schema"] == 1
    assert text.isascii()
    assert "\\ud800" not in text


def test_what_is_not_finite_is_null(hostile: Audit) -> None:
    data = audit_json(hostile)
    assert data["score"]["emulated_bpb"] is None
    assert data["trace"]["balance"]["printed_loss"] is None


def test_several_under_the_worst_verdict(scenes: dict[str, Audit]) -> None:
    data = strict(dump(audits_json([scenes["honest"], scenes["crash"]])))
    assert set(data) == {"schema", "verdict", "submissions"}
    assert data["verdict"] == "REVIEW"
    assert data["submissions"][0] == strict(dump(audit_json(scenes["honest"])))


def test_an_array_in_a_report_is_a_bug(honest: Audit) -> None:
    odd = Finding("C3", Status.PASS, "x", evidence=(Evidence(honest.case.trace.losses.position, 1, ""),))
    with pytest.raises(TypeError, match="ndarray"):
        audit_json(dataclasses.replace(honest, findings=(odd,)))


def test_the_version_is_the_one_of_the_package() -> None:
    project = Path(__file__).parents[2] / "pyproject.toml"
    assert tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"] == VERSION
