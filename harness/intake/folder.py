"""A folder in the challenge's layout, or a single script, becomes submissions."""

from __future__ import annotations

import os
from pathlib import Path

from harness.case import Origin, Submission
from harness.intake import layout
from harness.intake.assemble import Folder, submissions
from harness.intake.errors import IntakeError
from harness.intake.needs import needed

_IGNORED = {
    ".git",
    "__pycache__",
    ".venv",
    "venv",
    ".mypy_cache",
    ".ruff_cache",
    ".pytest_cache",
    "node_modules",
}
_MAX_FILES = 5_000


def load_target(target: Path, workspace: Path) -> list[Submission]:
    """Submissions of a folder (one for each script that scores) or of a single script.

    Raises IntakeError where `target` cannot be read or is a whole clone of the challenge.
    """
    if target.is_file():
        return _load_script(target.absolute(), workspace)
    if not target.is_dir():
        raise IntakeError(f"{target} is neither a folder nor a script.")
    if (target / "records").is_dir() and any((target / "records").glob("track_*")):
        raise IntakeError(
            f"{target} is a whole clone of the challenge; name one folder below its records/, or use --repo and --pr."
        )
    return _load_folder(target.absolute(), workspace)


def _load_folder(target: Path, workspace: Path) -> list[Submission]:
    skipped = layout.Skipped()
    sizes = _walk(target, skipped)
    chosen = layout.within_bounds(sorted(sizes.items()), skipped)
    place, origin = _place(target), Origin(location=str(target))
    contents = _read(target, chosen, skipped)
    return submissions(Folder(place, contents), origin, workspace, skipped)


def _load_script(target: Path, workspace: Path) -> list[Submission]:
    skipped = layout.Skipped()
    size = target.stat().st_size
    if size > layout.MAX_SCRIPT:
        raise IntakeError(
            f"{target} is too large for a script ({size:,} bytes; the limit is {layout.MAX_SCRIPT:,})."
        )
    try:
        data = target.read_bytes()
    except OSError as error:
        raise IntakeError(f"{target} cannot be read: {error.strerror}.") from error
    beside = {p.name for p in target.parent.iterdir() if p.is_file() and not p.is_symlink() and p != target}
    wanted = sorted(needed({target.name: data}, beside))
    small = layout.within_bounds([(name, (target.parent / name).stat().st_size) for name in wanted], skipped)
    contents = {target.name: data} | _read(target.parent, small, skipped)
    notes = (f"Files beside it that it names were taken along: {layout.listed(small)}.",) if small else ()
    folder = Folder(_place(target.parent), contents, candidates=[target.name], named=target.name, notes=notes)
    return submissions(folder, Origin(location=str(target)), workspace, skipped)


def _walk(target: Path, skipped: layout.Skipped) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for folder, folders, names in os.walk(target, followlinks=False):
        folders[:] = sorted(f for f in folders if f not in _IGNORED and not (Path(folder) / f).is_symlink())
        for name in sorted(names):
            path = Path(folder) / name
            relative = path.relative_to(target).as_posix()
            if path.is_symlink():
                skipped.add("Left out because it is a symbolic link", relative)
            elif not path.is_file():
                skipped.add("Left out because it is not a regular file", relative)
            elif len(sizes) >= _MAX_FILES:
                skipped.add(f"Left out because the folder holds more than {_MAX_FILES:,} files", relative)
            else:
                sizes[relative] = path.stat().st_size
    return sizes


def _read(root: Path, paths: list[str], skipped: layout.Skipped) -> dict[str, bytes]:
    contents: dict[str, bytes] = {}
    for path in paths:
        try:
            data = (root / path).read_bytes()
        except OSError:
            skipped.add("Left out because it cannot be read", path)
            continue
        if layout.is_lfs_pointer(data):
            skipped.add("Left out because only a Git LFS pointer is here, not the file", path)
        else:
            contents[path] = data
    return contents


def _place(folder: Path) -> str:
    """Where the folder lies in the challenge's layout; its own name where that cannot be seen."""
    parts = folder.parts
    if "records" in parts:
        return "/".join(parts[len(parts) - 1 - parts[::-1].index("records") :])
    return "/".join(parts[-2:]) if parts[-2:-1] and parts[-2].startswith("track_") else folder.name
