"""Why a process failed, for the outside: the first of several processes is the reason of the others."""

from __future__ import annotations

import json
import traceback
from pathlib import Path


def fail(folder: Path, rank: int, now: int, script: str, error: BaseException) -> None:
    """Leave `failure-RANK.json`: who failed, when (nanoseconds), of what, and the deepest line of the script."""
    frames = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == script]
    fact = {
        "rank": rank,
        "time": now,
        "type": type(error).__name__,
        "message": str(error)[:300],
        "line": frames[-1] if frames else 0,
    }
    (folder / f"failure-{rank}.json").write_text(json.dumps(fact), encoding="utf-8")
