"""JSON report: the audit as data, the same bytes for the same audit."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.case import SCHEMA, Audit, Case, Finding, Submission, to_json, worst
from harness.version import VERSION

DIGITS = 6
BULK = ("events", "losses")
"""Fields of a trace that are too long for a report; the analysis sums them up."""


def audit_json(audit: Audit, generated: str | None = None) -> dict[str, Any]:
    """One audit as plain data. `generated` (a time, in ISO 8601) alone may vary, and can be left out."""
    case = audit.case
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "submission": submission_json(case.submission),
        "verdict": audit.verdict.value,
        "why": audit.why,
        "findings": [_finding(f) for f in audit.findings],
        "score": audit.score,
        "claim": case.claim,
        "run": _run(case),
        "trace": _trace(case),
        "analysis": _analysis(case),
        "probes": case.probes,
        "rerun": case.rerun,
        "static_only": case.static_only,
        "auditor": {"version": VERSION},
    }
    if generated is not None:
        document["generated"] = generated
    return {key: _clean(to_json(value)) for key, value in document.items()}


def audits_json(audits: Sequence[Audit], generated: str | None = None) -> dict[str, Any]:
    """One audit as itself; several under the worst verdict."""
    if len(audits) == 1:
        return audit_json(audits[0], generated)
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "verdict": worst([a.verdict for a in audits]).value,
        "submissions": [audit_json(a) for a in audits],
    }
    return document if generated is None else {**document, "generated": generated}


def nothing_json(why: str) -> dict[str, Any]:
    """A change that holds nothing to audit: `why` says so in a sentence."""
    empty = {
        "schema": SCHEMA,
        "verdict": "PASS",
        "why": why,
        "submissions": [],
        "auditor": {"version": VERSION},
    }
    return {key: _clean(value) for key, value in empty.items()}


def dump(document: dict[str, Any]) -> str:
    """The bytes of a report: ASCII, sorted keys, no NaN, a line feed at the end."""
    return json.dumps(document, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=True) + "\n"


def submission_json(submission: Submission) -> dict[str, Any]:
    """The part of the document that says what was submitted, and where."""
    script = submission.script
    facts = {"path", "display", "shipped_bytes", "sha256", "stages", "notes"}
    document = {
        "name": submission.name,
        "folder": submission.folder,
        "track": submission.track,
        "origin": submission.origin,
        "script": {k: getattr(script, k) for k in sorted(facts)} if script else None,
        "files": submission.files,
        "notes": submission.notes,
    }
    return {key: _clean(to_json(value)) for key, value in document.items()}


def _finding(finding: Finding) -> dict[str, Any]:
    exemption = {} if finding.exemption is None else {"exemption": finding.exemption}
    return exemption | {
        "rule": finding.rule,
        "status": finding.status,
        "category": finding.category,
        "grade": finding.grade,
        "summary": finding.summary,
        "evidence": [{"file": e.file, "line": e.line, "snippet": e.snippet} for e in finding.evidence],
    }


def _run(case: Case) -> dict[str, Any] | None:
    run = case.run
    if run is None:
        return None
    overrides = [{"name": n, "claimed": claimed, "used": used} for n, claimed, used in run.overrides]
    return {
        "outcome": run.outcome,
        "reason": run.reason,
        "overrides": overrides,
        "missing": run.missing,
        "notes": run.notes,
        "world": run.world,
    }


def _trace(case: Case) -> dict[str, Any] | None:
    trace = case.trace
    if trace is None:
        return None
    facts = {f.name: getattr(trace, f.name) for f in dataclasses.fields(trace) if f.name not in BULK}
    return {**facts, "events": len(trace.events)}


def _analysis(case: Case) -> dict[str, Any] | None:
    analysis = case.analysis
    if analysis is None:
        return None
    frontier: dict[str, Any] | None = to_json(analysis.frontier)
    for drawing in ("cells", "coverage", "column_events", "columns", "rows"):
        if frontier is not None:
            del frontier[drawing]
    return {"tokens": analysis.tokens, "frontier": frontier, "events": analysis.events}


def _clean(value: Any) -> Any:
    """JSON's own types only: numbers rounded, what is not finite null, lone surrogates replaced."""
    if isinstance(value, dict):
        return {_clean(k): _clean(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_clean(v) for v in value]
    if isinstance(value, np.generic):
        return _clean(value.item())
    if isinstance(value, float):
        return round(value, DIGITS) if math.isfinite(value) else None
    if isinstance(value, str):
        return value.encode("utf-8", errors="replace").decode("utf-8")
    if value is None or isinstance(value, bool | int):
        return value
    raise TypeError(f"a report cannot hold a {type(value).__name__}")
