"""Whether a submission's own papers call it a non-record, wherever its folder lies."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from harness.case import Evidence, Submission
from harness.witnesses.claims.papers import read_text

_KINDS = {"track", "type", "submission_type", "record_type", "category", "status", "name", "title"}
"""Fields of submission.json that say what the submission is; its prose may speak of others' non-records."""

_NAMED = re.compile(r"(?i)(?<!not a )(?<!no )\bnon[-_ ]?record|\bunlimited[-_ ]compute")
_CALLED = re.compile(
    r"(?i)^\W{0,6}(?:type: |track: )?non[-_ ]?record\b|(?:\bis|\bas) an? \W{0,3}non[-_ ]?record\b"
    r"|\bnon[-_ ]?record\W{0,3}(?: \w{1,20}){0,2} (?:submission|study|idea)\b|[|(]\s?non[-_ ]?record\b"
)
_DENIED = re.compile(
    r"(?i)\b(?:not|isn't|never|no longer|beats?|above|over|than|prior|previous|earlier|another|other|last)"
    r" (?:an? |the |all |any )?\W{0,3}non[-_ ]?record"
)
_PROSE = ("blurb", "summary", "notes", "description")
_HEAD = 30


def called_non_record(submission: Submission, json_file: str | None, data: Any) -> Evidence | None:
    """The field of submission.json, or the line at the head of the README, that calls it a non-record; None without."""
    held: Mapping[str, Any] = data if isinstance(data, dict) else {}
    for key, value in held.items():
        low = str(key).lower()
        if isinstance(value, str) and (
            (low in _KINDS and _NAMED.search(value[:300])) or (low in _PROSE and _calls(value[:300]))
        ):
            return Evidence(json_file or "", 0, f'"{key}": "{value[:120]}"')
    for name in sorted(submission.files):
        if "/" in name or not PurePosixPath(name).name.lower().startswith("readme"):
            continue
        for number, line in enumerate(read_text(submission, name).split("\n")[:_HEAD], 1):
            heading = line.startswith("#") and number <= _HEAD // 2 and _NAMED.search(line[:300])
            if heading or _calls(line[:300]):
                return Evidence(name, number, line.strip()[:300])
    return None


def _calls(text: str) -> bool:
    return _CALLED.search(text) is not None and _DENIED.search(text) is None
