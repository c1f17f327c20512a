"""The artifact of a run: the file that the script wrote and read back last, hashed outside the sandbox."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path, PurePosixPath

from harness.case import Submission
from harness.emulate import Run
from harness.sandbox import ResultError, read_result
from harness.witnesses.trace import LedgerError
from harness.witnesses.trace.record import OpenEvent, read_record

_MOST_BYTES = 512 << 20


@dataclasses.dataclass(frozen=True)
class Artifact:
    """Name below the work folder, and SHA-256 of its bytes."""

    name: str
    sha256: str


def artifact_of(run: Run, submission: Submission) -> Artifact | None:
    """The artifact of a run; None where no file was written and then read back, or it is gone.

    Which file it is, the ledger says; what it holds is read from outside.
    """
    try:
        opens = read_record(run.out / "trace").opens
    except LedgerError:
        return None
    name = read_back(opens)
    return None if name is None else _hashed(run, name, submission)


def read_back(opens: list[OpenEvent]) -> str | None:
    """The path of the file that was read back last, of those that the run itself wrote before."""
    written: set[str] = set()
    last = None
    for event in opens:
        if event.writes:
            written.add(_plain(event.path))
        elif _plain(event.path) in written:
            last = _plain(event.path)
    return last


def _plain(path: str) -> str:
    return str(PurePosixPath(path))


def _hashed(run: Run, name: str, submission: Submission) -> Artifact | None:
    folder = submission.folder.strip("/") or submission.name
    places = [name.removeprefix("/work/")] if name.startswith("/") else [f"{folder}/{name}", name]
    for place in places:
        try:
            data = read_result(Path(run.out / "work"), place, max_bytes=_MOST_BYTES)
        except ResultError:
            continue
        return Artifact(place, hashlib.sha256(data).hexdigest())
    return None
