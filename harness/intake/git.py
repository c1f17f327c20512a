"""Reading a git clone without trusting it: objects only, no checkout, no filters, no hooks, no pagers."""

from __future__ import annotations

import dataclasses
import functools
import os
import re
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.intake.errors import IntakeError

_QUIET = ("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "protocol.ext.allow=never")
_OBJECT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_CONNECTION = ("GIT_SSL", "GIT_SSH", "GIT_ASKPASS", "GIT_PROXY", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM")
_FETCH_TIMEOUT_S = 300
_READ_TIMEOUT_S = 120


@dataclasses.dataclass(frozen=True)
class Entry:
    """One path of a tree or of a diff: its file mode, its object, and how it changed ("A", "M", "T", "D" or "")."""

    path: str
    mode: str
    object: str
    change: str = ""


class Repository:
    """The objects and refs of one clone (bare or not). Names reach git as whole object ids or full ref names only."""

    def __init__(self, clone: Path) -> None:
        self.clone = clone
        self.git_dir = _git_dir(clone)
        self._lines: dict[str, list[tuple[str, list[str], str]]] = {}

    def text(self, *arguments: str) -> str | None:
        """What a git command prints, or None where it fails."""
        done = self._git(arguments)
        return done.stdout.decode("utf-8", "surrogateescape").strip() if done.returncode == 0 else None

    def resolve(self, ref: str) -> str | None:
        """The commit that a full ref name points to."""
        found = self.text("rev-parse", "--verify", "--quiet", "--end-of-options", ref + "^{commit}")
        return found if found and _OBJECT.fullmatch(found) else None

    def resolve_all(self, refs: Sequence[str]) -> dict[str, str]:
        """The commits that those of the full ref names that exist point to."""
        out = self._must("for-each-ref", "--format=%(refname) %(objectname) %(objecttype)", *refs)
        rows = [line.split() for line in out.decode("utf-8", "surrogateescape").splitlines()]
        return {row[0]: row[1] for row in rows if row[0] in refs and row[2:] == ["commit"]}

    def merge_base(self, one: str, other: str) -> str | None:
        """The best common ancestor of two commits; None for unrelated histories."""
        return self.text("merge-base", one, other) or None

    def diff(self, base: str, head: str) -> list[Entry]:
        """What `head` adds, changes and deletes against `base`, renames as one deletion and one addition."""
        out = self._must(
            "diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-textconv", "--no-ext-diff", base, head
        )
        fields = out.split(b"\0")
        return [_diff_entry(fields[i], fields[i + 1]) for i in range(0, len(fields) - 1, 2)]

    def tree(self, commit: str) -> list[Entry]:
        """Every file of a commit."""
        rows = self._must("ls-tree", "-r", "-z", "--full-tree", commit).split(b"\0")
        return [_tree_entry(row) for row in rows if row]

    def file(self, commit: str, path: str) -> bytes | None:
        """A file of a commit; None where there is none."""
        done = self._git(("cat-file", "blob", f"{commit}:{path}"))
        return done.stdout if done.returncode == 0 else None

    def sizes(self, objects: Iterable[str]) -> dict[str, int]:
        """Sizes in bytes of those objects that the clone has."""
        out = self._must("cat-file", "--batch-check", feed="".join(f"{o}\n" for o in objects).encode())
        rows = (line.split() for line in out.decode().splitlines())
        return {row[0]: int(row[2]) for row in rows if len(row) == 3 and row[2].isdigit()}

    def blobs(self, objects: Sequence[str]) -> dict[str, bytes]:
        """Contents of those objects that the clone has."""
        out = self._must("cat-file", "--batch", feed="".join(f"{o}\n" for o in objects).encode())
        contents: dict[str, bytes] = {}
        at = 0
        for wanted in objects:
            end = out.index(b"\n", at)
            header = out[at:end].split()
            at = end + 1
            if len(header) == 3 and header[2].isdigit():
                contents[wanted] = out[at : at + int(header[2])]
                at += int(header[2]) + 1
        return contents

    def first_parents(self, commit: str) -> list[tuple[str, list[str], str]]:
        """The main line from `commit` back: (commit, parents, subject), newest first; read once."""
        if commit not in self._lines:
            out = self._must(
                "log", "--first-parent", "--no-show-signature", "-z", "--format=%H%x1f%P%x1f%s", commit
            )
            rows = [row.decode("utf-8", "replace").split("\x1f", 2) for row in out.split(b"\0") if row]
            self._lines[commit] = [(row[0].strip(), row[1].split(), row[2]) for row in rows]
        return self._lines[commit]

    def descendants(self, ancestor: str, tip: str) -> set[str]:
        """Commits after `ancestor` on the way to `tip`."""
        return set(self._must("rev-list", "--ancestry-path", f"{ancestor}..{tip}").decode().split())

    def fetch_pull_request(self, number: int) -> None:
        """Fetch refs/pull/N/head from the clone's remotes, the first that has it. IntakeError where none has."""
        names = [n for n in (self.text("remote") or "").split() if re.fullmatch(r"[A-Za-z0-9_][\w.-]*", n)]
        ref = f"refs/pull/{int(number)}/head"
        reasons = []
        for name in sorted(
            names, key=lambda n: ("upstream", "origin").index(n) if n in ("upstream", "origin") else 2
        ):
            try:
                done = self._git(
                    ("fetch", "--quiet", "--no-tags", "--", name, f"+{ref}:{ref}"), _FETCH_TIMEOUT_S
                )
            except IntakeError as error:
                reasons.append(f"{name}: {error}")
                continue
            if done.returncode == 0:
                return
            lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
            reasons.append(f"{name}: {lines[0] if lines else 'git fetch failed'}")
        why = "; ".join(reasons) if reasons else "it has no remote to fetch it from"
        raise IntakeError(f"The clone {self.clone} does not have pull request {number} ({ref}): {why}.")

    def _must(self, *arguments: str, feed: bytes = b"") -> bytes:
        done = self._git(arguments, feed=feed)
        if done.returncode != 0:
            lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
            raise IntakeError(
                f"git {arguments[0]} failed in {self.clone}: {lines[0] if lines else 'no message'}."
            )
        return done.stdout

    def _git(
        self, arguments: Sequence[str], timeout_s: int = _READ_TIMEOUT_S, feed: bytes = b""
    ) -> subprocess.CompletedProcess[bytes]:
        return _run(("--git-dir", str(self.git_dir), *_QUIET, *arguments), timeout_s, feed)


def opened(clone: Path) -> Repository:
    """The clone at that place, looked for once. Raises IntakeError where there is none."""
    return _opened(clone, Path.cwd())


@functools.lru_cache(maxsize=4)
def _opened(clone: Path, below: Path) -> Repository:
    return Repository(clone)


def _run(arguments: Sequence[str], timeout_s: int, feed: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    # Only the clone named is read: no other repository by environment, no replacement objects, no questions asked.
    environment = {
        k: v for k, v in os.environ.items() if not k.startswith("GIT_") or k.startswith(_CONNECTION)
    }
    environment |= {"GIT_TERMINAL_PROMPT": "0", "GIT_NO_REPLACE_OBJECTS": "1", "GIT_OPTIONAL_LOCKS": "0"}
    environment |= {"GIT_NO_LAZY_FETCH": "1", "LC_ALL": "C"}
    try:
        return subprocess.run(
            ("git", *arguments),
            input=feed,
            capture_output=True,
            timeout=timeout_s,
            env=environment,
            check=False,
        )
    except FileNotFoundError as error:
        raise IntakeError("git is not installed; it is needed to read pull requests.") from error
    except subprocess.TimeoutExpired as error:
        raise IntakeError(f"git gave no answer within {timeout_s} s.") from error


def _git_dir(clone: Path) -> Path:
    if not clone.is_dir():
        raise IntakeError(f"{clone} is not a folder; a git clone is needed.")
    done = _run(
        ("-C", str(clone), "-c", "safe.directory=*", "rev-parse", "--absolute-git-dir"), _READ_TIMEOUT_S
    )
    if done.returncode == 0:
        return Path(done.stdout.decode("utf-8", "surrogateescape").strip())
    if (clone / "HEAD").is_file() and (clone / "objects").is_dir():
        return clone.resolve()
    inside = clone / ".git"
    if inside.is_dir() and (inside / "HEAD").is_file():
        return (
            inside.resolve()
        )  # git refuses to look for clones of other owners, not to read one that is named
    raise IntakeError(f"{clone} is not a git clone.")


def _diff_entry(facts: bytes, path: bytes) -> Entry:
    _, mode, _, object, change = facts.decode("ascii").split()
    return Entry(path.decode("utf-8", "surrogateescape"), mode, object, change[0])


def _tree_entry(row: bytes) -> Entry:
    facts, path = row.split(b"\t", 1)
    mode, _, object = facts.decode("ascii").split()
    return Entry(path.decode("utf-8", "surrogateescape"), mode, object)
