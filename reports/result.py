"""The JSON of an audit read back as plain records, trusting nothing in it: what CI reports, the site and compare print."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

from harness.case import SCHEMA, Grade, Status, Verdict, worst

MOST_BYTES = 50_000_000
"""Largest document that is read."""

MOST_SUBMISSIONS, MOST_FINDINGS, MOST_EVIDENCE, MOST_TEXT = 200, 100, 100, 4_000
"""More than these are refused (submissions, findings) or cut (lines of evidence, characters of a text)."""


class Malformed(ValueError):
    """The document is no audit; the message says in one sentence what is wrong."""


@dataclasses.dataclass(frozen=True)
class Place:
    """A line of evidence; `line` is 1-based, 0 for the file as a whole."""

    file: str
    line: int
    snippet: str


@dataclasses.dataclass(frozen=True)
class Found:
    """A finding. `exempt` is "" or how the host's policy exempts it: "waiver", "warning" or "date"."""

    rule: str
    status: Status
    summary: str
    category: str
    grade: Grade
    evidence: tuple[Place, ...]
    exempt: str = ""


@dataclasses.dataclass(frozen=True)
class Result:
    """One audited submission. `script` is the path of its script below `folder`, `display` what evidence calls it; both are
    empty where there is none. Scores are bits per byte."""

    name: str
    folder: str
    track: str
    script: str
    display: str
    sha256: str
    verdict: Verdict
    why: str
    findings: tuple[Found, ...]
    files: tuple[str, ...]
    notes: tuple[str, ...]
    claimed_bpb: float | None
    measured_bpb: float | None
    static_only: bool
    pull_request: int | None
    head: str
    version: str

    def loud(self) -> list[Found]:
        """Findings that fail or ask for review."""
        return [f for f in self.findings if f.status in (Status.FAIL, Status.REVIEW)]


@dataclasses.dataclass(frozen=True)
class Results:
    """Everything that one audit found; `why` says why there is nothing where there is nothing."""

    verdict: Verdict
    results: tuple[Result, ...]
    why: str = ""


def read(path: Path) -> Results:
    """The results in a JSON file. Raises Malformed where it is none, OSError where it cannot be read."""
    with path.open("rb") as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise Malformed(f"{path} is larger than {MOST_BYTES:,} bytes.")
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"{path} is no JSON.") from error
    return parse(document)


def parse(document: Any) -> Results:
    """The results in the document that `cli.py audit --json` writes. Raises Malformed.

    The verdict of the whole is worked out from those of the parts, never taken over.
    """
    document = _object(document, "the document")
    if document.get("schema") != SCHEMA:
        raise Malformed(f"the document has not the schema {SCHEMA} of this auditor.")
    parts = document.get("submissions", [document])
    if not isinstance(parts, list) or len(parts) > MOST_SUBMISSIONS:
        raise Malformed("submissions is no list, or too long.")
    results = tuple(_result(_object(part, "a submission")) for part in parts)
    if not results:
        return Results(Verdict.PASS, (), _text(document.get("why")))
    return Results(worst([r.verdict for r in results]), results)


def _result(part: dict[str, Any]) -> Result:
    submission = _object(part.get("submission"), "submission")
    script = _optional(submission.get("script"))
    origin = _object(submission.get("origin"), "origin")
    score = _optional(part.get("score"))
    auditor = _optional(part.get("auditor"))
    findings = part.get("findings")
    if not isinstance(findings, list) or len(findings) > MOST_FINDINGS:
        raise Malformed("findings is no list, or too long.")
    files = submission.get("files")
    pull_request = origin.get("pull_request")
    try:
        verdict = Verdict(_text(part.get("verdict")))
    except ValueError as error:
        raise Malformed("the verdict is none of PASS, FAIL, REVIEW and ERROR.") from error
    return Result(
        name=_text(submission.get("name")),
        folder=_text(submission.get("folder")),
        track=_text(submission.get("track")),
        script=_text(script.get("path")),
        display=_text(script.get("display")),
        sha256=_text(script.get("sha256")),
        verdict=verdict,
        why=_text(part.get("why")),
        findings=tuple(_found(_object(f, "a finding")) for f in findings),
        files=tuple(_text(f) for f in files) if isinstance(files, dict) else (),
        notes=tuple(_text(n) for n in _list(submission.get("notes"))),
        claimed_bpb=_number(score.get("claimed_bpb")),
        measured_bpb=_number(score.get("emulated_bpb")),
        static_only=part.get("static_only") is True,
        pull_request=pull_request if isinstance(pull_request, int) else None,
        head=_text(origin.get("head_sha")),
        version=_text(auditor.get("version")),
    )


def _found(finding: dict[str, Any]) -> Found:
    try:
        status, grade = Status(_text(finding.get("status"))), Grade(_text(finding.get("grade")))
    except ValueError as error:
        raise Malformed("a finding has an unknown status or grade.") from error
    return Found(
        rule=_text(finding.get("rule"))[:20],
        status=status,
        summary=_text(finding.get("summary")),
        category=_text(finding.get("category"))[:60],
        grade=grade,
        evidence=tuple(
            _place(_object(e, "evidence")) for e in _list(finding.get("evidence"))[:MOST_EVIDENCE]
        ),
        exempt=_text(_optional(finding.get("exemption")).get("kind"))[:20],
    )


def _place(evidence: dict[str, Any]) -> Place:
    line = evidence.get("line")
    if not isinstance(line, int) or isinstance(line, bool) or not 0 <= line < 10_000_000:
        line = 0
    return Place(_text(evidence.get("file")), line, _text(evidence.get("snippet")))


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Malformed(f"{what} is no JSON object.")
    return value


def _optional(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value[:MOST_TEXT] if isinstance(value, str) else ""


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < 1e12 and math.isfinite(value) else None
