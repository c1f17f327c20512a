"""The files of one folder become its submissions: one for each script that scores."""

from __future__ import annotations

import dataclasses
import posixpath
import re
from collections.abc import Collection, Mapping
from pathlib import Path

from harness.case import Origin, Script, Submission
from harness.intake import layout
from harness.intake.duplicates import without_duplicates
from harness.intake.scoring import scoring
from harness.intake.unpack import unpack_with_files

_RECORD_TRACKS = {"track_10min_16mb": "record", "track_non_record_16mb": "non_record"}


@dataclasses.dataclass(frozen=True)
class Folder:
    """One submission folder as found: where it lies in the repository, its files, and which scripts are new."""

    place: str
    contents: Mapping[str, bytes]
    candidates: Collection[str] | None = None  # None: every script of the folder
    named: str | None = None  # a script that the user named is a submission whatever it looks like
    notes: tuple[str, ...] = ()


def track_of(place: str) -> str:
    """The track that a folder's place in the repository says: "record", "non_record" or "unknown"."""
    parts = place.split("/")
    tracks = [_RECORD_TRACKS[p] for p in parts if p in _RECORD_TRACKS]
    return tracks[0] if tracks else "unknown"


def submissions(folder: Folder, origin: Origin, workspace: Path, skipped: layout.Skipped) -> list[Submission]:
    """Lay the folder out and return one submission for each script that scores; none of them where none does."""
    root = layout.fresh_folder(workspace, posixpath.basename(folder.place) or "submission")
    sizes = layout.write(root, folder.contents, skipped)
    scripts, notes = _scripts(folder, sizes, root, skipped)
    common = Submission(
        name=posixpath.basename(folder.place) or folder.place or "submission",
        folder=folder.place,
        root=root,
        origin=origin,
        script=None,
        files=sizes,
        track=track_of(folder.place),
        notes=(*folder.notes, *notes, *skipped.sentences()),
    )
    return [
        dataclasses.replace(common, name=f"{common.name}/{script.path}", script=script) for script in scripts
    ]


def without_script(name: str, folder: str, origin: Origin, workspace: Path, notes: list[str]) -> Submission:
    """The submission that stands for input in which nothing scores."""
    root = layout.fresh_folder(workspace, name)
    return Submission(name, folder, root, origin, None, {}, track_of(folder), tuple(notes))


def _scripts(
    folder: Folder, sizes: dict[str, int], root: Path, skipped: layout.Skipped
) -> tuple[list[Script], list[str]]:
    """The scripts that score, as programs, and sentences on those that were passed over."""
    unpacked: dict[str, Script] = {}
    for path in [p for p in sizes if p.endswith(".py") or p == folder.named]:
        if sizes[path] > layout.MAX_SCRIPT:
            skipped.add(f"Not read because a script is larger than {layout.MAX_SCRIPT:,} bytes", path)
            continue
        unpacked[path], files = unpack_with_files(
            folder.contents[path], path, lambda name, path=path: folder.contents.get(_beside(path, name))
        )
        produced = {_beside(path, name): data for name, data in files.items()}
        new = {name: data for name, data in produced.items() if name not in sizes}
        sizes.update(layout.write(root, new, skipped))
        for name, data in new.items():
            if name.endswith(".py") and name in sizes:
                unpacked.setdefault(name, unpack_with_files(data, name)[0])
    found = scoring({path: script.runnable for path, script in unpacked.items()})
    candidates = set(folder.contents) if folder.candidates is None else set(folder.candidates)
    chosen = {path: unpacked[path] for path in sorted(found & candidates)}
    if folder.named is not None:
        chosen = {folder.named: unpacked[folder.named]} if folder.named in unpacked else {}
    kept, notes = without_duplicates(chosen, unpacked)
    return sorted(kept.values(), key=lambda s: _rank(s.path)), notes


def _beside(path: str, name: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), name))


def _rank(path: str) -> tuple[int, int, str]:
    """The main script first: train_gpt.py at the top of the folder, then other names."""
    name = posixpath.basename(path)
    by_name = 0 if name == "train_gpt.py" else 1 if re.match(r"train_gpt", name) else 2
    return path.count("/"), by_name, path
