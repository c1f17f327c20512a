"""The challenge's leaderboard as a table of facts: which row was the state of the art before a pull request was opened.

`leaderboard.csv` holds the rows of the maintainers' last README (pull request 2146, 2026-05-02): the pull request, the
row's date, the day of the README in which it first stands, the score, the scores of its seeds as its own papers state them,
and its folder; then the records that were merged without a row. `cli.py bench leaderboard` prints it anew. The order in
time is that of the pull requests' numbers.
"""

from __future__ import annotations

import csv
import dataclasses
import functools
import re
from collections.abc import Iterable
from importlib import resources
from pathlib import PurePosixPath

from harness.case import Submission

_TABLE = re.compile(r"(?ms)^#+ Leaderboard[^\n]*\n(.*?)(?=^#)")
_SCORE = re.compile(r"\d\.\d{3,8}")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_PULL = re.compile(r"/pull/(\d{1,6})\b")
_FOLDER = re.compile(r"\((records/[^)\n]{1,300}?)/README\.md\)")


@dataclasses.dataclass(frozen=True)
class Row:
    """One row: `pr` is None where only a folder is known, `seeds` hold a BPB each and are empty where nothing states them,
    `listed` is the date (YYYY-MM-DD) of the README that first holds the row; empty for a record that was merged and never
    listed."""

    pr: int | None
    date: str
    listed: str
    bpb: float
    seeds: tuple[float, ...] = ()
    folder: str = ""

    @property
    def mean(self) -> float:
        """The mean of its seeds where there are several, else the score that the leaderboard prints."""
        return sum(self.seeds) / len(self.seeds) if len(self.seeds) > 1 else self.bpb

    @property
    def name(self) -> str:
        """What a sentence calls it."""
        return f"#{self.pr}" if self.pr is not None else PurePosixPath(self.folder).name


@functools.cache
def known_rows() -> tuple[Row, ...]:
    """The rows of leaderboard.csv."""
    text = resources.files("harness.witnesses.claims").joinpath("leaderboard.csv").read_text(encoding="utf-8")
    return tuple(
        Row(
            int(r["pr"]) if r["pr"] else None,
            r["date"],
            r["listed"],
            float(r["bpb"]),
            tuple(float(s) for s in r["seeds"].split()),
            r["folder"],
        )
        for r in csv.DictReader(text.splitlines())
    )


def rows_of_readme(text: str) -> list[Row]:
    """The rows of the leaderboard in a README of the challenge; those of other tables, and what is no row, are left."""
    table = _TABLE.search(text)
    found = []
    for line in table[1].split("\n") if table else ():
        cells = [c.strip() for c in line.strip().strip("|").split("|")]
        if len(cells) < 6 or not _SCORE.fullmatch(cells[1]) or not _DATE.fullmatch(cells[-2]):
            continue
        pull, folder = _PULL.search(cells[-1]), _FOLDER.search(cells[-1])
        if pull or folder:
            number = int(pull[1]) if pull else None
            found.append(Row(number, cells[-2], cells[-2], float(cells[1]), (), folder[1] if folder else ""))
    return found


def joined(known: Iterable[Row], read: Iterable[Row]) -> tuple[Row, ...]:
    """The known rows, and those of a README that are none of them."""
    rows = tuple(known)
    pulls = {r.pr for r in rows if r.pr is not None}
    folders = {r.folder for r in rows if r.folder}
    return (*rows, *(r for r in read if r.pr not in pulls and (not r.folder or r.folder not in folders)))


def own_row(rows: Iterable[Row], submission: Submission) -> Row | None:
    """The row that the submission itself is: by the number of its pull request where that is known, else by its folder."""
    number = submission.origin.pull_request
    name = PurePosixPath(submission.folder.rstrip("/")).name
    named = [r for r in rows if name and PurePosixPath(r.folder).name == name]
    if number is None:
        return named[0] if named else None
    numbered = [r for r in rows if r.pr == number]
    return next((r for r in named if r in numbered), numbered[0] if numbered else None)


def state_of_the_art(
    rows: Iterable[Row], own: Row | None, number: int | None, date: str | None
) -> Row | None:
    """The best row opened before pull request `number`; dated before `date` where one of the numbers is not known."""
    number = number if number is not None else own.pr if own is not None else None
    before = [r for r in rows if r is not own and r.listed and _earlier(r, number, date)]
    return min(before, key=lambda r: r.mean, default=None)


def chain_before(
    rows: Iterable[Row], own: Row | None, number: int | None, date: str | None
) -> tuple[Row, ...]:
    """The rows opened before pull request `number` that were the best of their day, in the order of their numbers."""
    number = number if number is not None else own.pr if own is not None else None
    before = [r for r in rows if r is not own and r.listed and _earlier(r, number, date)]
    found: list[Row] = []
    for row in sorted(before, key=lambda r: (r.pr or 0, r.date)):
        if not found or row.mean < found[-1].mean:
            found.append(row)
    return tuple(found)


def _earlier(row: Row, number: int | None, date: str | None) -> bool:
    if row.pr is not None and number is not None:
        return row.pr < number
    return date is not None and row.date < date
