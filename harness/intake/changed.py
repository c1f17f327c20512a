"""What a branch of a checkout changes against the main line becomes submissions: what CI audits on a pull request."""

from __future__ import annotations

from pathlib import Path

from harness.case import Origin, Submission
from harness.intake.errors import IntakeError
from harness.intake.git import Repository
from harness.intake.mainline import Base
from harness.intake.pull_request import Reader


def load_changed(
    checkout: Path, base: str, workspace: Path, head: str = "HEAD"
) -> tuple[list[Submission], list[str]]:
    """(submissions, sentences on the change) of the record folders that `head` changes against its merge base with `base`.

    A folder under records/ is read as `head` has it, with the files that the change leaves alone. Scripts elsewhere are
    read only where no record folder scores. The list is empty where the change touches neither. Files come from git's
    objects: what is not committed is not seen. Raises IntakeError where a revision is unknown or a shallow clone lacks
    the merge base.
    """
    repository = Repository(checkout)
    there = commit_of(repository, base)
    here = commit_of(repository, head)
    common = repository.merge_base(there, here)
    if common is None:
        shallow = repository.text("rev-parse", "--is-shallow-repository") == "true"
        how = " The clone is shallow: fetch more of its history (fetch-depth: 0)." if shallow else ""
        raise IntakeError(f"{base} and {head} have no common commit in {checkout}.{how}")
    origin = Origin(str(checkout), None, here, common)
    return Reader(repository, Base(common, there, merged=False), origin, workspace, whole=True).found()


def commit_of(repository: Repository, name: str) -> str:
    """The commit of a revision that the user names: a branch, a tag, a commit, or HEAD^1. Raises IntakeError."""
    commit = repository.resolve(name)
    if commit is None:
        raise IntakeError(
            f"{repository.clone} has no revision {name}; fetch it, or name another with --base."
        )
    return commit
