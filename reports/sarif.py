"""SARIF 2.1.0: findings at their lines inside the checkout, for code scanning and editors."""

from __future__ import annotations

import hashlib
import json
import posixpath
from typing import Any
from urllib.parse import quote

from harness.case import Status
from harness.version import VERSION
from reports.result import Found, Place, Result, Results
from reports.text import clip
from rules.registry import all_rules

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
ABOUT = "https://github.com/openai/parameter-golf"
LEVEL = {Status.FAIL: "error", Status.REVIEW: "warning"}
MOST_RELATED = 20


def sarif(results: Results) -> str:
    """The log as text: one result for each finding that fails or asks for review, suppressed where policy exempts it."""
    ids = [r.id for r in all_rules()]
    rows = [
        _row(result, found, ids) for result in results.results for found in result.loud() if found.rule in ids
    ]
    driver = {
        "name": "pgolf-audit",
        "version": VERSION,
        "informationUri": ABOUT,
        "rules": [_rule(r.id, r.title, r.doc) for r in all_rules()],
    }
    run = {
        "tool": {"driver": driver},
        "originalUriBaseIds": {"%SRCROOT%": {"description": {"text": "The root of the checkout."}}},
        "results": rows,
        "columnKind": "unicodeCodePoints",
    }
    return (
        json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1, ensure_ascii=True) + "\n"
    )


def _rule(rule: str, title: str, doc: str) -> dict[str, Any]:
    return {
        "id": rule,
        "name": title.title().replace(" ", ""),
        "shortDescription": {"text": title},
        "fullDescription": {"text": doc.split("\n\n")[0].replace("\n", " ")},
        "help": {"text": doc},
    }


def _row(result: Result, found: Found, ids: list[str]) -> dict[str, Any]:
    places = found.evidence or (Place(result.display or result.script, 0, ""),)
    # Plain text: a viewer makes links of [text](1) in a message, which a submission's text must not.
    text = clip(found.summary, 1000).replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
    row: dict[str, Any] = {
        "ruleId": found.rule,
        "ruleIndex": ids.index(found.rule),
        "level": "warning" if found.exempt == "date" else LEVEL[found.status],
        "message": {"text": text or found.rule},
        "locations": [_location(result, places[0])],
        "partialFingerprints": {"pgolf/v1": _fingerprint(result, found, places[0])},
        "properties": {
            "category": found.category,
            "grade": found.grade.value,
            "submission": clip(result.name, 200),
        },
    }
    if places[1:]:
        row["relatedLocations"] = [_location(result, p) for p in places[1 : 1 + MOST_RELATED]]
    if found.exempt in ("waiver", "warning"):
        row["suppressions"] = [{"kind": "external", "justification": text}]
    return row


def _location(result: Result, place: Place) -> dict[str, Any]:
    """A line of a file of the checkout. A line of an unpacked script exists nowhere in the checkout: its packed file stands
    for it, and the message says which line was meant."""
    file, line = place.file, place.line
    note = ""
    if file not in result.files:
        note = clip(f"{file}:{line}: {place.snippet}", 300)
        file, line = result.script, 1
    uri = posixpath.normpath(posixpath.join("/", result.folder, file)).lstrip("/")  # never above the root
    physical: dict[str, Any] = {
        "artifactLocation": {"uri": quote(uri or ".", safe="/"), "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": max(line, 1)},
    }
    if place.snippet and not note:
        physical["region"]["snippet"] = {"text": clip(place.snippet, 300)}
    location: dict[str, Any] = {"physicalLocation": physical}
    if note or place.snippet:
        location["message"] = {
            "text": (note or clip(place.snippet, 300)).replace("[", "\\[").replace("]", "\\]")
        }
    return location


def _fingerprint(result: Result, found: Found, place: Place) -> str:
    parts = (found.rule, found.category, result.folder, result.script, place.snippet)
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()[:32]
