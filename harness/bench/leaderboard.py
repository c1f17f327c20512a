"""Writes the table of the leaderboard (leaderboard.csv) from a clone: rows, pull requests, first listing, seeds."""

from __future__ import annotations

import csv
import io
import re
import statistics
import tempfile
from pathlib import Path

from harness.bench.targets import RECORDS, record_folders
from harness.case import Submission
from harness.intake import load_pull_request, load_target
from harness.intake.claim import claimed_configuration
from harness.intake.errors import IntakeError
from harness.intake.git import Repository
from harness.intake.mainline import main_tip
from harness.witnesses import claims
from harness.witnesses.claims.leaderboard import Row, rows_of_readme

LAST = "refs/pull/2146/head"
"""The maintainers' last state of the leaderboard (2026-05-02), which the main line does not hold."""

_NUMBER = re.compile(r"\(#(\d+)\)$|Merge (?:pull request|PR) #(\d+)\b")
_NEAR = 0.0008  # the leaderboard rounds, and some rows print a rerun's mean


def table(clone: Path, scratch: Path) -> str:
    """The CSV: rows of the maintainers' last README, records that were merged without a row.

    Raises IntakeError where the clone cannot be read.
    """
    repository = Repository(clone)
    tip = main_tip(repository)
    if tip is None:
        raise IntakeError(f"{clone} has no main line.")
    folders = {Path(t.arguments[0]).name: Path(t.arguments[0]) for t in record_folders(clone, scratch)}
    pulls = {name: _pull_request(repository, tip, name) for name in folders}
    last = repository.resolve(LAST) or tip
    listed = _listed(repository, last)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["pr", "date", "listed", "bpb", "seeds", "folder"])
    text = repository.text("cat-file", "blob", f"{last}:README.md") or ""
    for row in sorted(rows_of_readme(text), key=lambda r: (r.date, -r.bpb)):
        name = Path(row.folder).name if row.folder else next((n for n, p in pulls.items() if p == row.pr), "")
        number = row.pr if row.pr is not None else pulls.get(name)
        place = folders.pop(name, None)
        seeds = _of_folder(place, scratch) if place else _of_pull_request(clone, row, scratch)
        near = any(abs(s - row.bpb) <= _NEAR for s in (*seeds, statistics.fmean(seeds or (0.0,))))
        scores = " ".join(f"{s:.8g}" for s in seeds) if near else ""
        folder = f"{RECORDS[0]}/{name}" if name else ""
        writer.writerow(
            [number or "", row.date, listed.get((row.date, row.bpb), ""), row.bpb, scores, folder]
        )
    for name, place in sorted(folders.items()):
        seeds = _of_folder(place, scratch)
        if seeds:
            score, scores = round(statistics.fmean(seeds), 4), " ".join(f"{s:.8g}" for s in seeds)
            writer.writerow([pulls[name] or "", name[:10], "", score, scores, f"{RECORDS[0]}/{name}"])
    return out.getvalue()


def _pull_request(repository: Repository, tip: str, folder: str) -> int | None:
    """The pull request whose merge brought a record folder to the main line, by the number in its subject."""
    path = f"{RECORDS[0]}/{folder}"
    log = repository.text(
        "log", "-s", "--first-parent", "--diff-merges=first-parent", "--diff-filter=A", "--format=%s", tip, "--", path
    )  # fmt: skip
    match = _NUMBER.search((log or "").split("\n")[-1])
    return int(match[1] or match[2]) if match else None


def _listed(repository: Repository, tip: str) -> dict[tuple[str, float], str]:
    """For each row (date, score) the day of the first README that holds it."""
    log = repository.text("log", "--reverse", "--format=%H %cs", tip, "--", "README.md") or ""
    first: dict[tuple[str, float], str] = {}
    for line in log.split("\n"):
        commit, _, day = line.partition(" ")
        for row in rows_of_readme(repository.text("cat-file", "blob", f"{commit}:README.md") or ""):
            first.setdefault((row.date, row.bpb), day)
    return first


def _of_folder(place: Path, scratch: Path) -> tuple[float, ...]:
    with tempfile.TemporaryDirectory(dir=scratch) as work:
        return max((_seeds(s) for s in load_target(place, Path(work))), key=len, default=())


def _of_pull_request(clone: Path, row: Row, scratch: Path) -> tuple[float, ...]:
    """The seeds of a row whose folder never reached the main line, from the head of its pull request."""
    if row.pr is None:
        return ()
    with tempfile.TemporaryDirectory(dir=scratch) as work:
        found = [_seeds(s) for s in load_pull_request(clone, row.pr, Path(work))]
    near = [s for s in found if s and abs(sum(s) / len(s) - row.bpb) <= _NEAR]
    return max(near, key=len, default=())


def _seeds(submission: Submission) -> tuple[float, ...]:
    if submission.script is None:
        return ()
    facts = claims.examine(submission, claimed_configuration(submission))
    return facts.standing.seeds.scores if facts.standing is not None else ()
