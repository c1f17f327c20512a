"""The artifact of a run: the file of its own making that it read back last, hashed outside the sandbox."""

from __future__ import annotations

import dataclasses
import hashlib
import posixpath
from collections.abc import Collection, Sequence

from harness.case import Submission
from harness.emulate import Run
from harness.sandbox import ResultError, read_result
from harness.witnesses.trace import LedgerError
from harness.witnesses.trace.record import OpenEvent, read_record

MOST_BYTES = 512 << 20


@dataclasses.dataclass(frozen=True)
class Artifact:
    """Name below the work folder, and SHA-256 of its bytes."""

    name: str
    sha256: str


def artifact_of(run: Run, submission: Submission) -> Artifact | None:
    """The artifact of a run; None where no file that the run made was read back."""
    found = artifacts_of(run, submission)
    return found[0] if found else None


def artifacts_of(run: Run, submission: Submission) -> list[Artifact]:
    """Files of its own making that a run read back and left behind, the one read last, the artifact, first.

    Which files these are, the ledger says; what they hold is read from outside. torch.save writes without Python seeing it,
    so a file that lies in the work folder and was not brought counts as made by the run.
    """
    try:
        opens = read_record(run.out / "trace").opens
    except LedgerError:
        return []
    folder = submission.folder.strip("/") or submission.name
    found = []
    for name in read_back(opens, folder, submission.files):
        try:
            data = read_result(run.out / "work", name, max_bytes=MOST_BYTES)
        except ResultError:
            continue
        found.append(Artifact(name, hashlib.sha256(data).hexdigest()))
    return found


def read_back(opens: Sequence[OpenEvent], folder: str, brought: Collection[str]) -> list[str]:
    """Files below the work folder that were read, the last one first; none that the submission brought.

    `folder` is where in the work folder the submission lies.
    """
    names = []
    for event in reversed(opens):
        path = event.path if event.path.startswith("/") else f"/work/{folder}/{event.path}"
        plain = posixpath.normpath(path)
        if (
            event.writes
            or not plain.startswith("/work/")
            or plain.startswith(("/work/data/", "/work/.audit/"))
        ):
            continue
        name = plain.removeprefix("/work/")
        if name.removeprefix(f"{folder}/") not in brought:
            names.append(name)
    return list(dict.fromkeys(names))
