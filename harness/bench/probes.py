"""The table of the probes: what each experiment showed on each pull request, from the JSON of its audit."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.bench.targets import Target

_HEAD = (
    "target", "random tokens", "claimed bits", "bound", "evidence", "repeating tokens", "claimed bits", "bound", "evidence",
    "changed future", "moved", "largest", "artifact", "again", "transplant", "why",
)  # fmt: skip


def probe_table(folder: Path, targets: Sequence[Target]) -> str:
    """A line for each submission of the targets that was audited, in their order."""
    lines = ["| " + " | ".join(_HEAD) + " |", "|" + "---|" * len(_HEAD)]
    for target in targets:
        place = folder / f"{target.key}.json"
        if place.exists():
            data = json.loads(place.read_text(encoding="utf-8"))
            lines += [_line(target.key, part) for part in data.get("submissions") or [data]]
    return "\n".join(lines)


def _line(key: str, audit: dict[str, Any]) -> str:
    probes = audit.get("probes") or {}
    cells = [
        key,
        *_bounded(probes.get("incompressibility")),
        *_bounded(probes.get("repeating")),
        *_future(probes.get("future")),
        *(_bold(found["status"]) if (found := probes.get(name)) else "" for name in ("again", "transplant")),
        _why(audit, probes),
    ]
    return "| " + " | ".join(cells) + " |"


def _bounded(found: dict[str, Any] | None) -> list[str]:
    """Status, claimed bits and bound of the run that shows most, evidence of all in bits."""
    if found is None:
        return ["", "", "", ""]
    counted = [r for r in found["runs"] if r["claimed"] is not None]
    if not counted:
        return [_bold(found["status"]), "", "", "the same number for other data" if found["invented"] else ""]
    best = max(counted, key=lambda r: float(r["bound"] - r["claimed"]))
    return [
        _bold(found["status"]), f"{best['claimed']:,.0f}", f"{best['bound']:,.0f}", f"{math.floor(found['evidence']):,}",
    ]  # fmt: skip


def _future(found: dict[str, Any] | None) -> list[str]:
    if found is None:
        return ["", "", "", ""]
    moved = f"{found['moved']:,} of {found['compared']:,}" if found["compared"] else ""
    largest = f"{found['largest']:.4f}" if found["moved"] else ""
    return [_bold(found["status"]), moved, largest, found["artifact"].replace("_", " ")]


def _bold(status: str) -> str:
    return f"**{status}**" if status == "proved" else status.replace("_", " ")


def _why(audit: dict[str, Any], probes: dict[str, Any]) -> str:
    """Why an experiment says nothing, or what makes it a question."""
    run = audit.get("run") or {}
    if run.get("outcome") not in (None, "scored"):
        return _cell(str(run.get("reason", "")))
    open_ones = [p for p in probes.values() if p and p["status"] in ("not_covered", "doubtful")]
    return _cell(" ".join(str(p["reason"]) for p in open_ones))


def _cell(text: str) -> str:
    plain = " ".join(text.replace("|", "/").replace("`", "'").split())
    return plain if len(plain) <= 220 else plain[:219] + "…"
