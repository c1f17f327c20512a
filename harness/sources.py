"""The texts that a submission brings beside its script: modules it imports, C sources it compiles, its README."""

from __future__ import annotations

from pathlib import Path

from harness.case import Submission

_SUFFIXES = (".py", ".c", ".cc", ".cpp", ".cu", ".cuh", ".h", ".hpp", ".sh")
_LARGEST = 2 << 20


def companion_sources(submission: Submission) -> dict[str, str]:
    """Source files by their path in the folder, the script itself left out; never through a link, 2 MB at most each."""
    script = submission.script.path if submission.script else None
    sources = {}
    for name in sorted(submission.files):
        path = submission.root / name
        if name == script or not name.endswith(_SUFFIXES):
            continue
        if (
            path.is_file()
            and not path.is_symlink()
            and path.stat().st_size <= _LARGEST
            and _inside(submission.root, path)
        ):
            sources[name] = path.read_text(encoding="utf-8", errors="replace")
    return sources


def _inside(root: Path, path: Path) -> bool:
    return path.resolve().is_relative_to(root.resolve())
