"""Audits many targets, a few at a time, each in a process of its own; resumes where it was stopped."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from harness.bench.targets import Target

CLI = Path(__file__).parents[2] / "cli.py"


@dataclasses.dataclass(frozen=True)
class Row:
    """One submission of one target, as its audit ended. `rules` maps rule ids to statuses, `categories` to words."""

    target: str
    name: str
    script: str
    verdict: str
    why: str
    outcome: str
    reason: str
    run_s: float
    audit_s: float
    rules: dict[str, str]
    categories: dict[str, str]


def run_batch(
    targets: Sequence[Target], folder: Path, processes: int, extra: Sequence[str] = (), limit_s: float = 1800
) -> list[Row]:
    """Audit every target; each result lies in folder/<key>.json. Targets that have one already are not audited again."""
    folder.mkdir(parents=True, exist_ok=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns) as progress, concurrent.futures.ThreadPoolExecutor(processes) as pool:
        task = progress.add_task("auditing", total=len(targets))
        waiting = [pool.submit(_one, t, folder, extra, limit_s) for t in targets]
        try:
            for done in concurrent.futures.as_completed(waiting):
                progress.advance(task)
                progress.update(task, description=f"auditing (last: {done.result()})")
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
            raise
    return [row for t in targets for row in read_rows(folder, t.key)]


def _one(target: Target, folder: Path, extra: Sequence[str], limit_s: float) -> str:
    """Audit one target in its own process; a crash or a timeout of the audit becomes an ERROR row."""
    place = folder / f"{target.key}.json"
    if place.exists():
        return target.key
    aside = place.with_suffix(".part")
    started = time.monotonic()
    command = [sys.executable, str(CLI), "audit", *target.arguments, "--json", str(aside), *extra]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            timeout=limit_s,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            check=False,
        )
        message = done.stderr.decode("utf-8", "replace").strip()[-600:]
    except subprocess.TimeoutExpired:
        message = f"the audit took longer than {limit_s:.0f} s"
    data: dict[str, Any] = {
        "schema": 1,
        "verdict": "ERROR",
        "why": message,
        "submission": {"name": target.key},
        "findings": [],
    }
    if aside.exists():
        data = json.loads(aside.read_text())
        aside.unlink()
    data["audit_s"] = round(time.monotonic() - started, 2)
    partial = place.with_suffix(".new")
    partial.write_text(json.dumps(data))
    partial.rename(place)
    return target.key


def read_rows(folder: Path, key: str) -> list[Row]:
    """The rows of one audited target; none where it has no result yet."""
    place = folder / f"{key}.json"
    if not place.exists():
        return []
    data = json.loads(place.read_text())
    parts = data.get("submissions") or [data]
    return [row_of(key, part, float(data.get("audit_s", 0.0)) / len(parts)) for part in parts]


def row_of(key: str, part: dict[str, Any], audit_s: float = 0.0) -> Row:
    """The row of one submission's JSON."""
    run = part.get("run") or {}
    submission = part.get("submission") or {}
    script = submission.get("script")
    findings = part.get("findings") or []
    return Row(
        key, str(submission.get("name", "")), str(script.get("path") if isinstance(script, dict) else script or ""),
        str(part.get("verdict")), str(part.get("why", "")), str(run.get("outcome", "")), str(run.get("reason", "")),
        float(run.get("wall_s") or 0.0), audit_s,
        {f["rule"]: f["status"] for f in findings},
        {f["rule"]: f["category"] for f in findings if f.get("category") and f["status"] in ("fail", "review")},
    )  # fmt: skip
