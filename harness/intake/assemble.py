"""The files of one folder become its submissions: one for each script that scores."""

from __future__ import annotations

import dataclasses
import functools
import posixpath
import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from harness.case import Origin, Script, Submission
from harness.intake import layout
from harness.intake.duplicates import without_duplicates
from harness.intake.scoring import Features, features, scoring
from harness.intake.unpack import STILL_PACKED, unpack_with_files

_RECORD_TRACKS = {"track_10min_16mb": "record", "track_non_record_16mb": "non_record"}
_NON_RECORD = re.compile(r"(?i)(?:track[-_])?non[-_]?records?(?:[-_]|$)")


@dataclasses.dataclass(frozen=True)
class Folder:
    """One submission folder as found: where it lies in the repository, its files, and which scripts are new."""

    place: str
    contents: Mapping[str, bytes]
    candidates: Collection[str] | None = None  # None: every script of the folder
    named: str | None = None  # a script that the user named is a submission whatever it looks like
    outside: Callable[[str], bytes | None] | None = None  # the repository's other files, by path
    notes: tuple[str, ...] = ()
    script_from: str | None = None  # the place of the scripts, where it is another than that of the papers


def track_of(place: str) -> str:
    """The track that a folder's place in the repository says: "record", "non_record" or "unknown"."""
    parts = place.split("/")
    tracks = [_RECORD_TRACKS[p] for p in parts if p in _RECORD_TRACKS]
    if tracks:
        return tracks[0]
    return "non_record" if any(_NON_RECORD.match(p) for p in parts[:2]) else "unknown"


def submissions(folder: Folder, origin: Origin, workspace: Path, skipped: layout.Skipped) -> list[Submission]:
    """Lay the folder out and return one submission for each script that scores, or one without a script."""
    name = layout.shown(posixpath.basename(folder.place)) or "top level"
    root = layout.fresh_folder(workspace, name)
    sizes = layout.write(root, folder.contents, skipped)
    scripts, notes = _scripts(folder, sizes, root, skipped)
    if not scripts:
        notes.append(_nothing_to_run(folder))
    place = layout.shown(folder.place)
    said = (*folder.notes, *notes, *skipped.sentences())
    common = Submission(
        name,
        place,
        root,
        origin,
        None,
        sizes,
        track_of(place),
        said,
        alone=bool(folder.named),
        left_out=skipped.paths(),
        script_from=folder.script_from,
    )
    if not scripts:
        return [common]
    return [dataclasses.replace(common, name=f"{name}/{s.path}", script=s) for s in scripts]


def _nothing_to_run(folder: Folder) -> str:
    here = f"in {layout.shown(folder.place)}" if folder.place else "at the top level"
    empty = [layout.shown(p) for p, data in folder.contents.items() if p.endswith(".py") and not data.strip()]
    empty_ones = f" ({layout.listed(empty)} is empty)" if empty else ""
    return f"No script {here} computes a loss on validation tokens{empty_ones}, so there is nothing to run."


def _scripts(
    folder: Folder, sizes: dict[str, int], root: Path, skipped: layout.Skipped
) -> tuple[list[Script], list[str]]:
    """The scripts that score, as programs, and sentences on those that were passed over."""
    scripts: dict[str, Script] = {}
    known: dict[str, Features] = {}
    waiting = {path: folder.contents[path] for path in sizes if path.endswith(".py") or path == folder.named}
    while waiting:
        path, data = waiting.popitem()
        if len(data) > layout.MAX_SCRIPT:
            skipped.add(f"Not read because a script is larger than {layout.MAX_SCRIPT:,} bytes", path)
            continue
        scripts[path], produced = unpack_with_files(data, path, functools.partial(_read_beside, folder, path))
        known[path] = features(scripts[path].runnable, path)
        new = {_beside(path, name): content for name, content in produced.items()}
        new = {name: content for name, content in new.items() if name not in sizes}
        written = layout.write(root, new, skipped)
        sizes.update(written)
        waiting.update({name: new[name] for name in written if name.endswith(".py")})
    candidates = scripts.keys() if folder.candidates is None else set(folder.candidates)
    scoring_ones = scoring(known)
    found = scoring_ones | _still_packed(scripts, bool(scoring_ones))
    chosen = {path: scripts[path] for path in sorted(found & candidates)}
    if folder.named is not None:
        chosen = {folder.named: scripts[folder.named]} if folder.named in scripts else {}
    kept, notes = without_duplicates(chosen, {p: s for p, s in scripts.items() if p not in folder.contents})
    hidden = [p for p, s in scripts.items() if p in candidates and p not in kept and _is_hidden(s)]
    notes += [f"{path} runs a program that could not be unpacked; it is not audited." for path in hidden]
    return sorted(kept.values(), key=lambda s: _rank(s.path)), notes


def _read_beside(folder: Folder, path: str, name: str) -> bytes | None:
    beside = _beside(path, name)
    if beside.startswith("../"):
        return folder.outside(posixpath.normpath(f"{folder.place}/{beside}")) if folder.outside else None
    return folder.contents.get(beside)


def _still_packed(scripts: Mapping[str, Script], others_score: bool) -> set[str]:
    """Scripts that hide what they run: no one can say that they do not score, least of all the main one."""
    packed = {
        path for path, script in scripts.items() if any(n.startswith(STILL_PACKED) for n in script.notes)
    }
    return {p for p in packed if not others_score or posixpath.basename(p).startswith("train_gpt")}


def _is_hidden(script: Script) -> bool:
    return any(note.startswith(STILL_PACKED) for note in script.notes)


def _beside(path: str, name: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), name))


def _rank(path: str) -> tuple[int, int, str]:
    """The main script first: train_gpt.py at the top of the folder, then other names."""
    name = posixpath.basename(path)
    by_name = 0 if name == "train_gpt.py" else 1 if re.match(r"train_gpt", name) else 2
    return path.count("/"), by_name, path
