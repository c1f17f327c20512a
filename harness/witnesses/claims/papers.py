"""The papers of a submission: its logs, submission.json and texts, read within bounds, never through a link."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from pathlib import PurePosixPath
from typing import Any

from harness.case import Submission
from harness.witnesses.claims.log import Log, is_log_name, read_log
from harness.witnesses.claims.submission_json import parse_submission_json

MAX_LOGS = 64
_MAX_TEXT = 4_000_000
_MOST_HELD = 16_000_000  # bytes of logs; as text by line they take four times as much


def read_logs(submission: Submission) -> list[Log]:
    """The logs of a submission that state a score, in name order."""
    names = sorted(n for n in submission.files if is_log_name(n))[:MAX_LOGS]
    logs = [_READ.log(submission, n) for n in names if _is_own_file(submission, n)]
    return [log for log in logs if log.scores]


class KeptLogs:
    """The logs read last, by their bytes and name: every witness asks for them, and so does every script of a folder."""

    def __init__(self) -> None:
        self._logs: OrderedDict[tuple[bytes, str], tuple[Log, int]] = OrderedDict()
        self._held = 0

    def log(self, submission: Submission, name: str) -> Log:
        """The log of that name, read once; nobody may change it."""
        file = submission.root / name
        with file.open("rb") as stream:
            key = (hashlib.file_digest(stream, "sha256").digest(), name)
        known = self._logs.get(key)
        if known is None:
            known = self._logs[key] = (read_log(file, name), file.stat().st_size)
            self._held += known[1]
        self._logs.move_to_end(key)
        while self._held > _MOST_HELD and len(self._logs) > 1:
            _, (_, size) = self._logs.popitem(last=False)
            self._held -= size
        return known[0]


_READ = KeptLogs()


def is_paper(name: str) -> bool:
    """Whether a file is README, submission.json or a log, by its name without folders."""
    low = name.lower()
    stated = low.startswith("submission") and low.endswith(".json")
    return low.startswith("readme") or stated or is_log_name(low)


def read_text(submission: Submission, name: str) -> str:
    """The text of one of the submission's files, cut at a bound."""
    if not _is_own_file(submission, name):
        return ""
    with (submission.root / name).open("rb") as stream:
        return stream.read(_MAX_TEXT).decode("utf-8", errors="replace")


def _is_own_file(submission: Submission, name: str) -> bool:
    """Whether the name is a file of the submission itself, not a link out of it."""
    file = submission.root / name
    return (
        file.is_file() and not file.is_symlink() and file.resolve().is_relative_to(submission.root.resolve())
    )


def read_submission_json(submission: Submission) -> tuple[str | None, Any]:
    """(name, value) of submission.json or the file nearest to that name; None where it does not parse."""
    names = [
        n for n in submission.files if n.endswith(".json") and "submission" in PurePosixPath(n).name.lower()
    ]
    if not names:
        return None, None
    name = min(names, key=lambda n: (PurePosixPath(n).name != "submission.json", n.count("/"), n))
    return name, parse_submission_json(read_text(submission, name))
