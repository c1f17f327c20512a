"""What a pull request is compared with: the main line just before it was merged, or where it left it."""

from __future__ import annotations

import dataclasses
import re

from harness.intake.errors import IntakeError
from harness.intake.git import Repository

_REMOTE_LINES = [
    f"{remote}/{name}" for remote in ("upstream", "origin") for name in ("HEAD", "main", "master")
]
_MAIN_LINES = (*(f"refs/remotes/{line}" for line in _REMOTE_LINES), "refs/heads/main", "refs/heads/master")
_EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


@dataclasses.dataclass(frozen=True)
class Base:
    """`commit`: where the pull request left the main line; `before`: the main line just before its merge, or now."""

    commit: str
    before: str
    merged: bool
    notes: tuple[str, ...] = ()


def find_base(repository: Repository, head: str, number: int) -> Base:
    """What to compare the head of pull request `number` with. Raises IntakeError where there is no main line."""
    main = main_tip(repository)
    if main is None:
        raise IntakeError(
            f"The clone {repository.clone} has no main line (main, master or origin/HEAD) to compare with."
        )
    line = repository.first_parents(main)
    common = repository.merge_base(main, head)
    merge = _merge_of_head(repository, head, main, line) if common == head else _squash(line, number)
    if merge is not None:
        parents = merge[1]
        before = parents[0] if parents else _EMPTY_TREE
        base = repository.merge_base(before, head) if parents else None
        return Base(base or before, before, merged=True)
    if common is None:
        note = "Its history has nothing in common with the main line; it is compared with the main line as it is now."
        return Base(main, main, merged=False, notes=(note,))
    return Base(common, main, merged=False)


def main_tip(repository: Repository) -> str | None:
    """The newest commit of the main line that the clone holds: upstream's before origin's before its own."""
    tips = repository.resolve_all(_MAIN_LINES)
    return next((tips[ref] for ref in _MAIN_LINES if ref in tips), None) or repository.resolve("HEAD")


Commit = tuple[str, list[str], str]


def _merge_of_head(repository: Repository, head: str, main: str, line: list[Commit]) -> Commit | None:
    """The commit of the main line that brought the head in: the oldest that descends from it."""
    if any(commit == head for commit, _, _ in line):
        return None  # the head lies on the main line itself: nothing was merged
    after = repository.descendants(head, main)
    return next((commit for commit in reversed(line) if commit[0] in after), None)


def _squash(line: list[Commit], number: int) -> Commit | None:
    """The commit of the main line that carries the pull request's number, as GitHub writes it when it squashes."""
    pattern = re.compile(rf"\(#{number}\)$|^Merge (?:pull request|PR) #{number}\b")
    return next((commit for commit in line if pattern.search(commit[2].strip())), None)
