"""What a submission brings: its README, submission.json, logs and script, as plain facts."""

from __future__ import annotations

import ast
import dataclasses
from decimal import Decimal
from pathlib import PurePosixPath

from harness.case import Submission
from harness.witnesses.claims.log import is_log_name

FIELDS = ("author", "name", "val_bpb")
_NUMBERS = ("val_bpb", "val_loss", "bytes_total", "bytes_code", "bytes_model", "artifact_bytes")
_TEXTS = ("author", "github_id", "name", "blurb", "date", "track")


@dataclasses.dataclass(frozen=True)
class Packaging:
    """Files present. `submission_json` names the file; `fields_missing` are fields that it lacks, `fields_mistyped` those
    that hold text where a number belongs, or a number where text does. `parses` says that Python reads the script."""

    readme: bool
    submission_json: str | None
    json_valid: bool
    fields_missing: tuple[str, ...]
    log_names: tuple[str, ...]
    logs_with_score: int
    parses: bool
    fields_mistyped: tuple[str, ...] = ()


def packaging(submission: Submission, json_value: object, logs_with_score: int) -> Packaging:
    """The packaging facts. `json_value` is submission.json's content, None where it is missing or does not parse."""
    names = {n: PurePosixPath(n).name.lower() for n in submission.files}
    json_name = next(
        (n for n, low in sorted(names.items()) if low.startswith("submission") and low.endswith(".json")),
        None,
    )
    held = {str(k).lower() for k in json_value} if isinstance(json_value, dict) else set()
    return Packaging(
        readme=any(low.startswith("readme") for low in names.values()),
        submission_json=json_name,
        json_valid=isinstance(json_value, dict),
        fields_missing=tuple(f for f in FIELDS if f not in held) if isinstance(json_value, dict) else FIELDS,
        log_names=tuple(sorted(n for n in names if is_log_name(n))),
        logs_with_score=logs_with_score,
        parses=_parses(submission),
        fields_mistyped=_mistyped(json_value) if isinstance(json_value, dict) else (),
    )


def _mistyped(value: dict[str, object]) -> tuple[str, ...]:
    """Fields of the wrong type; a missing or empty one is not."""
    held = {str(k).lower(): v for k, v in value.items() if v is not None}
    numbers = [
        f for f in _NUMBERS if f in held and (not isinstance(held[f], int | Decimal) or held[f] is True)
    ]
    return (*numbers, *(f for f in _TEXTS if f in held and not isinstance(held[f], str)))


def _parses(submission: Submission) -> bool:
    """Whether Python reads the script (newer syntax already rewritten)."""
    if submission.script is None:
        return False
    try:
        ast.parse(submission.script.runnable)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
