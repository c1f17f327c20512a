"""What a worker of a sweep does: read a pull request, or audit one submission."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.audit import Options, audit
from harness.case import Submission
from harness.intake import IntakeError, load_pull_request
from harness.sandbox import default_sandbox
from harness.sweep.content import content_of
from harness.sweep.plan import Plan
from harness.sweep.store import Audited
from reports.html import audit_html
from reports.json_report import audit_json, submission_json
from rules.registry import all_rules

all_rules()  # loaded before workers are forked: all of them judge by the same rules, whatever is edited meanwhile


@dataclasses.dataclass(frozen=True)
class Part:
    """One submission of a pull request, laid out on disk: the hash of its content, how it is to be audited, and the part of
    the JSON that belongs to this pull request alone."""

    submission: Submission
    document: dict[str, Any]
    content: str
    static_only: bool


@dataclasses.dataclass(frozen=True)
class Reading:
    """What a pull request holds; `problem` says why nothing could be read."""

    parts: tuple[Part, ...]
    merged: bool | None
    problem: str = ""


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """Without looking for garbage meanwhile: trees and values by the 100,000 are made, and dropped at once at the end."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@_no_collection()
def read(plan: Plan, auditor: str, number: int, scratch: Path) -> Reading:
    """The submissions of a pull request, laid out below `scratch`."""
    try:
        found = load_pull_request(plan.clone, number, scratch)
    except IntakeError as error:
        return Reading((), None, str(error))
    parts = []
    for position, submission in enumerate(found):
        static_only = plan.static_only or position >= plan.most
        content = content_of(submission, auditor, plan.policy, static_only=static_only)
        parts.append(Part(submission, submission_json(submission), content, static_only))
    return Reading(tuple(parts), found[0].origin.merged)


@_no_collection()
def examine(plan: Plan, part: Part) -> Audited:
    """The audit of one submission. Raises SandboxUnavailable."""
    started = time.process_time()
    sandbox = None if part.static_only else default_sandbox()
    found = audit(part.submission, Options(sandbox, plan.cache, probes=plan.probes, policy=plan.policy))
    page = None if part.static_only else audit_html(found)
    document = audit_json(found)
    del document["submission"]
    return Audited(part.content, document, time.process_time() - started, page)
