"""A pull request of a git clone becomes submissions: what its head adds or changes against the main line."""

from __future__ import annotations

import dataclasses
import posixpath
from collections.abc import Iterable
from pathlib import Path

from harness.case import Change, Origin, Submission
from harness.intake import layout
from harness.intake.assemble import Folder, submissions
from harness.intake.errors import IntakeError
from harness.intake.git import Entry, Repository, opened
from harness.intake.mainline import Base, find_base
from harness.intake.needs import needed
from harness.witnesses.claims.papers import is_paper

_REGULAR = ("100644", "100755", "100664")
_LISTED = 20


def load_pull_request(clone: Path, number: int, workspace: Path) -> list[Submission]:
    """Submissions of pull request `number` in a clone of the challenge, bare or not.

    Files come from git's objects at refs/pull/N/head, which is fetched where the clone lacks it. One submission for
    each script that scores, wherever it lies; one without a script where the pull request brings none. Raises
    IntakeError where the clone or the pull request cannot be read.
    """
    if isinstance(number, bool) or number < 1:
        raise IntakeError(f"{number} is not the number of a pull request.")
    repository = opened(clone)
    ref = f"refs/pull/{number:d}/head"
    head = repository.resolve(ref)
    if head is None:
        repository.fetch_pull_request(number)
        head = repository.resolve(ref)
    if head is None:
        raise IntakeError(f"The clone {clone} has {ref}, but it does not point to a commit.")
    base = find_base(repository, head, number)
    origin = Origin(str(clone), number, head, base.commit, base.merged)
    return Reader(repository, base, origin, workspace).load()


@dataclasses.dataclass
class Reader:
    """Reads what the commit `origin.head_sha` adds or changes against `base`; with `whole`, record folders that it touches
    are read as they are there, with the files that it leaves alone."""

    repository: Repository
    base: Base
    origin: Origin
    workspace: Path
    whole: bool = False
    sizes: dict[str, int] = dataclasses.field(default_factory=dict)
    tree: list[Entry] = dataclasses.field(default_factory=list)

    @property
    def head(self) -> str:
        """The commit that is read."""
        assert self.origin.head_sha is not None
        return self.origin.head_sha

    def load(self) -> list[Submission]:
        """The submissions; one without a script, whose notes say why, where nothing scores."""
        found, notes = self.found()
        if not found:
            name = f"pull request {self.origin.pull_request}"
            found = [Submission(name, "", layout.fresh_folder(self.workspace, name), self.origin, None, {})]
        return [dataclasses.replace(s, notes=(*notes, *s.notes)) for s in found]

    def found(self) -> tuple[list[Submission], list[str]]:
        """The submissions, which may be none, and sentences on the change as a whole."""
        changed, notes = self._changed(self.base)
        self.origin = dataclasses.replace(self.origin, change=_change(changed))
        notes = [*self.base.notes, *notes, *_reasons(changed)]
        regular = [e for e in changed if e.mode in _REGULAR and e.change != "D"]
        if self.whole or any(_is_script(e.path) for e in regular):
            self.tree = [e for e in self.repository.tree(self.head) if e.mode in _REGULAR]
        groups = _grouped(regular)
        if self.whole:
            groups = _completed(self.tree, regular)
        self.sizes = self.repository.sizes(dict.fromkeys(e.object for g in groups.values() for e in g))
        found, more = self._load_folders(groups, self.origin)
        notes += more
        if not found:
            notes.append(_why_nothing(changed))
        elif not any(s.folder.startswith("records/") for s in found):
            notes.insert(0, "It changes scripts outside records/ only; they are audited all the same.")
        return found, notes

    def _load_folders(
        self, groups: dict[str, list[Entry]], origin: Origin
    ) -> tuple[list[Submission], list[str]]:
        """Records first. Where one of them scores, it is the submission, and scripts outside records/ (experiments, tools)
        are only counted; else they are audited, a script that was met already, byte for byte, passed over.

        Record folders in which nothing scores are returned where nothing else scores. Beside scripts outside records/ a new
        one with a submission.json is what they are for: its papers go with the scripts of the one place that has some, and
        stand before them where there are more places, or more such folders.
        """
        found: list[Submission] = []
        silent: list[Submission] = []
        met: set[str] = set()
        copies: list[str] = []
        aside = 0
        for place in sorted(groups, key=lambda p: (not p.startswith("records/"), p)):
            record = place.startswith("records/")
            scripts = [e for e in groups[place] if _is_script(e.path)]
            if not record and any(s.folder.startswith("records/") for s in found):
                aside += len(scripts)
                continue
            old = [] if record else [e for e in scripts if e.object in met]
            copies += [layout.shown(e.path) for e in old]
            met |= {e.object for e in scripts}
            if len(old) == len(scripts) and not record:
                continue
            here = self._load_folder(place, groups[place], {e.path for e in old}, origin)
            found += [s for s in here if s.script is not None]
            silent += [s for s in here if s.script is None and record and (scripts or place.count("/") == 2)]
        notes = []
        if aside:
            notes.append(
                f"{aside} Python scripts outside records/ are not audited: the record folder is the submission."
            )
        if copies:
            notes.append(
                f"Copies of scripts that are looked at elsewhere were passed over: {layout.listed(copies)}."
            )
        if not any(s.folder.startswith("records/") for s in found):
            papers = [s for s in silent if _brings_papers(groups.get(s.folder, ()))]
            places = {p for p in groups if layout.shown(p) in {s.folder for s in found}}
            if len(papers) == 1 and len(places) == 1:
                return self._joined(papers[0].folder, places.pop(), groups, origin), notes
            found = [*papers, *found] if found else silent
        said = [note for s in silent if s not in found for note in s.notes[-1:]]
        return found, [*said, *notes]

    def _joined(
        self, record: str, place: str, groups: dict[str, list[Entry]], origin: Origin
    ) -> list[Submission]:
        """The scripts of a place outside records/ with the papers of the record folder that has no script of its own."""
        skipped = layout.Skipped()
        scripts = {_relative(place, e.path): e.object for e in groups[place] if _is_script(e.path)}
        papers = {_relative(record, e.path): e.object for e in groups[record]}
        known = {path: object for path, object in (scripts | papers).items() if object in self.sizes}
        contents = self._contents(known, self.sizes, skipped)
        for path in (scripts | papers).keys() - known.keys():
            skipped.add("Left out because its content is missing in the clone", path)
        brought, notes = self._needed(place, contents, skipped)
        names = layout.listed(
            [layout.shown(f"{place}/{path}" if place else path) for path in sorted(scripts)]
        )
        told = f"The record folder holds no script that scores; what lies outside it is taken for its script: {names}."
        folder = Folder(
            record,
            brought | contents,
            candidates=scripts,
            outside=self._file,
            notes=(told, *notes),
            script_from=place,
        )
        return submissions(folder, origin, self.workspace, skipped)

    def _changed(self, base: Base) -> tuple[list[Entry], list[str]]:
        """What the pull request adds, changes or deletes, without what the main line holds already.

        A record folder that it has otherwise than the main line stays whole: its script may have got there by another pull
        request since, and no other script made its score.
        """
        entries = self.repository.diff(base.commit, self.head)
        notes: list[str] = []
        if base.before != base.commit:
            differs = {e.path for e in self.repository.diff(base.before, self.head)}
            folders = {_place(e.path) for e in entries if e.path in differs and _in_record(e)}
            own = [e for e in entries if e.path in differs or (_in_record(e) and _place(e.path) in folders)]
            if any(_is_script(e.path) for e in own) and len(own) < len(entries):
                notes.append(
                    f"{len(entries) - len(own)} files that the main line already holds unchanged are not counted."
                )
                entries = own
        return entries, notes

    def _load_folder(
        self, place: str, entries: list[Entry], passed_over: set[str], origin: Origin
    ) -> list[Submission]:
        skipped = layout.Skipped()
        objects = {}
        for entry in entries:
            if entry.object in self.sizes:
                objects[_relative(place, entry.path)] = entry.object
            else:
                skipped.add("Left out because its content is missing in the clone", entry.path)
        contents = self._contents(objects, self.sizes, skipped)
        brought, notes = self._needed(place, contents, skipped)
        papers = self._papers(place, contents, skipped)
        if papers:
            names = layout.listed([layout.shown(path) for path in sorted(papers)])
            notes.append(f"Papers that the change leaves as they are were taken from its head: {names}.")
        folder = Folder(
            place,
            papers | contents | brought,
            candidates=contents.keys() - {_relative(place, path) for path in passed_over},
            outside=self._file,
            notes=tuple(notes),
        )
        return submissions(folder, origin, self.workspace, skipped)

    def _papers(self, place: str, contents: dict[str, bytes], skipped: layout.Skipped) -> dict[str, bytes]:
        """README, submission.json and logs at the top of a record folder that the pull request leaves as they were."""
        if not _in_records(place) or not any(_is_script(path) for path in contents):
            return {}
        prefix = f"{place}/"
        beside = {e.path[len(prefix) :]: e.object for e in self.tree if e.path.startswith(prefix)}
        wanted = {p: o for p, o in beside.items() if "/" not in p and p not in contents and is_paper(p)}
        sizes = self.repository.sizes(wanted.values())
        return self._contents({p: o for p, o in wanted.items() if o in sizes}, sizes, skipped)

    def _file(self, path: str) -> bytes | None:
        """A file of the head that lies outside the folder, for scripts that run the script of another record."""
        object = next((e.object for e in self.tree if e.path == path), None)
        if object is None or self.repository.sizes([object]).get(object, layout.MAX_FILE) > layout.MAX_SCRIPT:
            return None
        return self.repository.blobs([object]).get(object)

    def _contents(
        self, objects: dict[str, str], sizes: dict[str, int], skipped: layout.Skipped
    ) -> dict[str, bytes]:
        safe = [path for path in objects if layout.is_safe(path)]
        for path in objects.keys() - set(safe):
            skipped.add("Left out because of an unsafe name", path)
        chosen = layout.within_bounds(((p, sizes[objects[p]]) for p in safe), skipped)
        blobs = self.repository.blobs(list(dict.fromkeys(objects[p] for p in chosen)))
        contents = {}
        for path in chosen:
            data = blobs.get(objects[path])
            if data is None:
                skipped.add("Left out because its content is missing in the clone", path)
            elif layout.is_lfs_pointer(data):
                skipped.add("Left out because git holds only a Git LFS pointer, not the file", path)
            else:
                contents[path] = data
        return contents

    def _needed(
        self, place: str, contents: dict[str, bytes], skipped: layout.Skipped
    ) -> tuple[dict[str, bytes], list[str]]:
        """Files of the folder that the pull request leaves as they were, where its scripts need them."""
        prefix = f"{place}/" if place else ""
        present = {e.path[len(prefix) :]: e.object for e in self.tree if e.path.startswith(prefix)}
        brought: dict[str, bytes] = {}
        while True:
            scripts = {p: d for p, d in (contents | brought).items() if p.endswith(".py")}
            wanted = needed(scripts, present.keys() - contents.keys() - brought.keys())
            wanted = {p for p in wanted if place or not p.startswith("records/")}
            if not wanted:
                break
            sizes = self.repository.sizes(present[p] for p in wanted)
            more = self._contents(
                {p: present[p] for p in sorted(wanted) if present[p] in sizes}, sizes, skipped
            )
            if not more:
                break
            brought |= more
        if not brought:
            return {}, []
        names = layout.listed([layout.shown(path) for path in sorted(brought)])
        return brought, [f"Unchanged files that its scripts need were taken from its head: {names}."]


def _why_nothing(changed: list[Entry]) -> str:
    scripts = [layout.shown(e.path) for e in changed if _is_script(e.path) and e.change != "D"]
    if not changed:
        return "The pull request changes nothing against the main line."
    if not scripts:
        return "It adds or changes no Python script, so there is nothing to run."
    listed = layout.listed(scripts)
    return f"None of its scripts computes a loss on validation tokens, so there is nothing to run: {listed}."


def _brings_papers(entries: Iterable[Entry]) -> bool:
    """Whether a folder is new and has a submission.json: its papers are to be read though no script of it scores."""
    names = [posixpath.basename(e.path) for e in entries]
    return "submission.json" in names and all(e.change == "A" for e in entries)


def _in_records(place: str) -> bool:
    return place.startswith("records/") and place.count("/") == 2


def _is_script(path: str) -> bool:
    return path.endswith(".py")


def _relative(place: str, path: str) -> str:
    return path[len(place) + 1 :] if place else path


def _place(path: str) -> str:
    """The submission folder of a path: records/TRACK/NAME, or the folder in which it lies."""
    parts = path.split("/")
    if parts[0] == "records" and len(parts) >= 4:
        return "/".join(parts[:3])
    return posixpath.dirname(path)


def _grouped(entries: Iterable[Entry]) -> dict[str, list[Entry]]:
    """Changed files by submission folder; a folder nested in a record is one of its own if it has a submission.json."""
    entries = list(entries)
    own = {posixpath.dirname(e.path) for e in entries if posixpath.basename(e.path) == "submission.json"}
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        place = _place(entry.path)
        above = posixpath.dirname(entry.path)
        while above and above != place:
            if above in own:
                place = above
                break
            above = posixpath.dirname(above)
        groups.setdefault(place, []).append(entry)
    return groups


def _change(changed: list[Entry]) -> Change:
    """What is changed as a whole: record folders, files of other records, and everything else."""
    inside = [e for e in changed if _in_record(e)]
    outside = [e.path for e in changed if not _in_record(e)]
    altered = [e.path for e in inside if e.change != "A"]
    folders = sorted({"/".join(e.path.split("/")[:3]) for e in inside if e.change != "D"})
    return Change(
        folders=tuple(layout.shown(f) for f in folders[:_LISTED]),
        altered=tuple(layout.shown(p) for p in altered[:_LISTED]),
        outside=tuple(layout.shown(p) for p in outside[:_LISTED]),
        altered_count=len(altered),
        outside_count=len(outside),
    )


def _in_record(entry: Entry) -> bool:
    return entry.path.startswith("records/") and entry.path.count("/") >= 3


def _completed(tree: list[Entry], regular: list[Entry]) -> dict[str, list[Entry]]:
    """The changed files by submission folder, those of records with the files that were left alone."""
    changed = {e.path for e in regular}
    touched = {_place(e.path) for e in regular if e.path.startswith("records/")}
    rest = [e for e in tree if e.path not in changed and _place(e.path) in touched]
    groups = _grouped([*regular, *rest])
    return {place: group for place, group in groups.items() if any(e.path in changed for e in group)}


def _reasons(changed: list[Entry]) -> list[str]:
    skipped = layout.Skipped()
    for entry in changed:
        if entry.change == "D":
            skipped.add("Deleted, so not audited", entry.path)
        elif entry.mode == "120000":
            skipped.add("Left out because it is a symbolic link", entry.path)
        elif entry.mode == "160000":
            skipped.add("Left out because it is a submodule, whose files are elsewhere", entry.path)
    return skipped.sentences()
