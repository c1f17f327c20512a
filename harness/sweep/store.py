"""The database of a sweep: SQLite in WAL mode; what was committed survives a kill, and nothing is ever half there.

A pull request's row, its submissions and what they refer to are written in one transaction. An audit belongs to a content
(see content.py), so submissions with the same content share one. `problem` is not empty where the pull request could not
be audited; such rows are tried again by the next sweep.
"""

from __future__ import annotations

import dataclasses
import json
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from harness.intake.errors import IntakeError

APPLICATION = 0x70676F6C
"""SQLite's application_id of our databases ("pgol")."""

MIGRATIONS = (
    """
    CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
    CREATE TABLE pull_requests (
        number INTEGER PRIMARY KEY, head TEXT NOT NULL, date TEXT NOT NULL, merged INTEGER, auditor TEXT NOT NULL,
        problem TEXT NOT NULL, seconds REAL NOT NULL
    );
    CREATE TABLE audits (
        content TEXT PRIMARY KEY, verdict TEXT NOT NULL, why TEXT NOT NULL, claimed_bpb REAL, measured_bpb REAL,
        seconds REAL NOT NULL, document BLOB NOT NULL, page BLOB
    );
    CREATE TABLE submissions (
        pull_request INTEGER NOT NULL REFERENCES pull_requests (number) ON DELETE CASCADE, position INTEGER NOT NULL,
        content TEXT NOT NULL REFERENCES audits (content), document BLOB NOT NULL, PRIMARY KEY (pull_request, position)
    );
    CREATE INDEX submissions_by_content ON submissions (content);
    """,
)
"""One script for each version of the schema, applied in order; `user_version` says how many are in."""


@dataclasses.dataclass(frozen=True)
class Audited:
    """The audit of one content: the JSON without the part on the submission, and the HTML page of a full audit."""

    content: str
    document: dict[str, Any]
    seconds: float
    page: str | None = None


@dataclasses.dataclass(frozen=True)
class Head:
    """A pull request as it stands: `date` is that of its newest commit, ISO 8601."""

    number: int
    commit: str
    date: str


@dataclasses.dataclass(frozen=True)
class Row:
    """One pull request with the JSON of its submissions, as `cli.py audit --json` would write them."""

    number: int
    head: str
    date: str
    merged: bool | None
    problem: str
    contents: tuple[str, ...]
    documents: tuple[dict[str, Any], ...]


class Store:
    """One open database. Raises IntakeError where the file is another program's, a newer auditor's, or unreadable."""

    def __init__(self, path: Path, *, create: bool = True) -> None:
        if not create and not path.is_file():
            raise IntakeError(f"there is no database {path}; `sweep` makes one.")
        try:
            self._db = sqlite3.connect(path, isolation_level=None, timeout=30)
            self._db.execute("PRAGMA foreign_keys = ON")
            self._migrate(path)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute(
                "PRAGMA synchronous = NORMAL"
            )  # a kill loses nothing; a power cut may lose the last rows
        except sqlite3.Error as error:
            raise IntakeError(f"{path} cannot be used as a database: {error}.") from error

    def close(self) -> None:
        """Close the database; what was written is kept."""
        self._db.close()

    def _migrate(self, path: Path) -> None:
        version = self._number("PRAGMA user_version")
        if self._number("PRAGMA application_id") != APPLICATION:
            if self._number("SELECT count(*) FROM sqlite_master"):
                raise IntakeError(f"{path} is the database of another program.")
            self._db.execute(f"PRAGMA application_id = {APPLICATION}")
        if version > len(MIGRATIONS):
            raise IntakeError(
                f"{path} was made by a newer auditor (schema {version}, here {len(MIGRATIONS)})."
            )
        for number, script in enumerate(MIGRATIONS[version:], version + 1):
            self._db.executescript(f"BEGIN IMMEDIATE; {script}; PRAGMA user_version = {number}; COMMIT;")

    def _number(self, query: str) -> int:
        return int(self._db.execute(query).fetchone()[0])

    def claim(self, name: str, value: str) -> str:
        """The fact of that name: the one that stands there, else this one, which then stands there."""
        self._db.execute("INSERT OR IGNORE INTO facts VALUES (?, ?)", (name, value))
        return str(self._db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()[0])

    def fact(self, name: str) -> str | None:
        """The fact of that name."""
        row = self._db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def finished(self, auditor: str) -> dict[int, str]:
        """The head of every pull request that this auditor has audited without a problem."""
        rows = self._db.execute(
            "SELECT number, head FROM pull_requests WHERE auditor = ? AND problem = ''", (auditor,)
        )
        return {int(number): str(head) for number, head in rows}

    def contents(self) -> set[str]:
        """Every content that has an audit."""
        return {str(row[0]) for row in self._db.execute("SELECT content FROM audits")}

    def add(self, audited: Audited) -> None:
        """Keep an audit."""
        document = audited.document
        score = document.get("score") or {}
        self._db.execute(
            "INSERT OR REPLACE INTO audits VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                audited.content, document["verdict"], document["why"], score.get("claimed_bpb"), score.get("emulated_bpb"),
                audited.seconds, _packed(document), None if audited.page is None else zlib.compress(audited.page.encode()),
            ),
        )  # fmt: skip

    def finish(
        self,
        head: Head,
        auditor: str,
        merged: bool | None,
        parts: Sequence[tuple[str, dict[str, Any]]],
        seconds: float,
        problem: str = "",
    ) -> None:
        """Keep a pull request, with (content, JSON of the submission) of its parts, in place of what was there of it."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.execute("DELETE FROM pull_requests WHERE number = ?", (head.number,))
            self._db.execute(
                "INSERT INTO pull_requests VALUES (?, ?, ?, ?, ?, ?, ?)",
                (head.number, head.commit, head.date, merged, auditor, problem, seconds),
            )
            rows = [
                (head.number, n, content, _packed(document)) for n, (content, document) in enumerate(parts)
            ]
            self._db.executemany("INSERT INTO submissions VALUES (?, ?, ?, ?)", rows)
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def tidy(self) -> None:
        """Drop audits that no pull request refers to any more."""
        self._db.execute("DELETE FROM audits WHERE content NOT IN (SELECT content FROM submissions)")

    def counts(self) -> dict[str, int]:
        """How many submissions have each verdict, and how many pull requests have a problem ("problem")."""
        query = "SELECT verdict, count(*) FROM submissions JOIN audits USING (content) GROUP BY verdict ORDER BY verdict"
        found = {str(verdict): int(n) for verdict, n in self._db.execute(query)}
        problems = self._number("SELECT count(*) FROM pull_requests WHERE problem != ''")
        return found | ({"problem": problems} if problems else {})

    def rows(self) -> Iterator[Row]:
        """Every pull request, ascending, with its submissions."""
        parts: dict[int, list[tuple[str, dict[str, Any]]]] = {}
        query = (
            "SELECT pull_request, content, submissions.document, audits.document FROM submissions "
            "JOIN audits USING (content) ORDER BY pull_request, position"
        )
        for number, content, submission, audit in self._db.execute(query):
            parts.setdefault(number, []).append(
                (content, _unpacked(audit) | {"submission": _unpacked(submission)})
            )
        query = "SELECT number, head, date, merged, problem FROM pull_requests ORDER BY number"
        for number, head, date, merged, problem in self._db.execute(query):
            own = parts.get(number, [])
            whole = None if merged is None else bool(merged)
            yield Row(number, head, date, whole, problem, tuple(c for c, _ in own), tuple(d for _, d in own))

    def page(self, content: str) -> str | None:
        """The HTML page of a full audit."""
        row = self._db.execute("SELECT page FROM audits WHERE content = ?", (content,)).fetchone()
        return None if row is None or row[0] is None else zlib.decompress(row[0]).decode()


def _packed(document: dict[str, Any]) -> bytes:
    return zlib.compress(json.dumps(document, sort_keys=True, separators=(",", ":")).encode(), 6)


def _unpacked(data: bytes) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(zlib.decompress(data))
    return document
