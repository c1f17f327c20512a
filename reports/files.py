"""Files of a report: written whole or not at all, under names that stay inside their folder."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path


def write_atomically(path: Path, text: str) -> Path:
    """Write UTF-8 text to a neighbour and rename it, so that a reader never sees half a report."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        draft.write_bytes(text.encode("utf-8", errors="replace"))
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return path


def folder_names(names: Iterable[str]) -> list[str]:
    """A folder name for each: no separator, no leading dot, at most 80 characters, all different."""
    taken: set[str] = set()
    folders = []
    for name in names:
        stem = re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip("._")[-80:] or "submission"
        unique, count = stem, 2
        while unique.lower() in taken:
            unique, count = f"{stem}-{count}", count + 1
        taken.add(unique.lower())
        folders.append(unique)
    return folders
