"""Laying files of strangers out on disk: safe names only, sizes bounded, nothing outside the folder."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

MAX_FILE = 20_000_000
"""Largest file that is laid out, in bytes: the challenge's artifacts end at 16,000,000."""

MAX_FOLDER = 400_000_000
"""Most bytes laid out for one submission folder."""

MAX_SCRIPT = 2_000_000
"""Largest script that is read, in bytes; real ones stay below 300,000."""

_LFS = b"version https://git-lfs.github.com/spec/"
_MAX_PARTS = 30
_SHOWN = 4


class Skipped:
    """Files that were left out, gathered by reason, so that each reason becomes one sentence."""

    def __init__(self) -> None:
        self._by_reason: dict[str, list[str]] = {}

    def add(self, reason: str, path: str) -> None:
        """Note that `path` was left out. `reason` completes the sentence "Left out because ..."."""
        self._by_reason.setdefault(reason, []).append(shown(path))

    def sentences(self) -> list[str]:
        """One sentence for each reason."""
        return [f"{reason}: {listed(paths)}." for reason, paths in self._by_reason.items()]

    def paths(self) -> tuple[str, ...]:
        """All files that were left out."""
        return tuple(path for paths in self._by_reason.values() for path in paths)


def listed(paths: list[str]) -> str:
    """The first few paths, and how many more there are."""
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return ", ".join(paths[:_SHOWN]) + more


def shown(path: str) -> str:
    """A path as a sentence may show it: printable characters, bounded length."""
    text = "".join(c if c.isprintable() and c not in "\u202a\u202b\u202d\u202e" else "?" for c in path)
    return text if len(text) <= 160 else text[:157] + "..."


def is_safe(path: str) -> bool:
    """Whether a path of a stranger may be created below a folder of ours."""
    parts = path.split("/")
    if not path or path.startswith("/") or len(parts) > _MAX_PARTS or "\\" in path:
        return False
    if any(ord(c) < 32 or ord(c) == 127 or 0xD800 <= ord(c) <= 0xDFFF for c in path):
        return False
    return all(
        part not in ("", ".", "..") and part.lower() != ".git" and len(part.encode()) <= 200 for part in parts
    )


def is_lfs_pointer(data: bytes) -> bool:
    """Whether git holds only a pointer to the file, which lies on another server."""
    return data.startswith(_LFS) and len(data) < 1024


def fresh_folder(workspace: Path, name: str) -> Path:
    """A new folder of that name below the workspace; characters that a shell or report might stumble over go."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip("._")[:100] or "submission"
    for attempt in range(1, 10_000):
        folder = workspace / (plain if attempt == 1 else f"{plain}-{attempt}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        return folder
    raise RuntimeError(f"the workspace {workspace} is full")


def write(root: Path, contents: Mapping[str, bytes], skipped: Skipped) -> dict[str, int]:
    """Write files below `root`; returns their sizes by path. What cannot be written is noted, not raised."""
    sizes: dict[str, int] = {}
    for path, data in contents.items():
        if not is_safe(path):
            skipped.add("Left out because of an unsafe name", path)
            continue
        target = root.joinpath(*PurePosixPath(path).parts)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as file:
                file.write(data)
        except OSError:
            skipped.add("Left out because its name clashes with another file's", path)
            continue
        sizes[path] = len(data)
    return sizes


def within_bounds(sizes: Iterable[tuple[str, int]], skipped: Skipped) -> list[str]:
    """Those paths whose files are small enough to be laid out, noting the others."""
    chosen, total = [], 0
    for path, size in sizes:
        if size > MAX_FILE:
            skipped.add(f"Left out because it is larger than {MAX_FILE:,} bytes", path)
        elif total + size > MAX_FOLDER:
            skipped.add(f"Left out because the folder holds more than {MAX_FOLDER:,} bytes", path)
        else:
            total += size
            chosen.append(path)
    return chosen
