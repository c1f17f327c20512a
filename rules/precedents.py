"""Rulings already made, so that a finding can name them: facts from precedents.csv, none of the judges' sentences."""

from __future__ import annotations

import csv
import dataclasses
import functools
from importlib import resources

_RANK = {"organizer": 0, "leaderboard": 0, "author": 1, "community": 2}


@dataclasses.dataclass(frozen=True)
class Precedent:
    """One ruling on one pull request; `date` is empty where it is not known."""

    pr: int
    date: str
    judge: str
    verdict: str
    category: str
    link: str


@functools.cache
def precedents() -> tuple[Precedent, ...]:
    """Every ruling of precedents.csv, strongest judge first, dated ones first."""
    text = resources.files("rules").joinpath("precedents.csv").read_text(encoding="utf-8")
    rows = [
        Precedent(int(r["pr"]), r["date"], r["judge"], r["verdict"], r["category"], r["link"])
        for r in csv.DictReader(text.splitlines())
    ]
    return tuple(sorted(rows, key=lambda p: (_RANK[p.judge], not p.date, p.date, p.pr)))


def cite(category: str, own: int | None = None) -> str:
    """A sentence that names rulings of the same category, for the end of a finding; empty where there is none.

    `own` is the pull request under audit: a ruling on itself is no precedent for it.
    """
    same = [p for p in precedents() if p.category == category and p.verdict == "invalid" and p.pr != own]
    named = [f"#{p.pr}" + (f" ({p.judge}, {p.date})" if p.date else f" ({p.judge})") for p in same[:2]]
    return f" Same pattern as {' and '.join(named)}, ruled invalid." if named else ""
