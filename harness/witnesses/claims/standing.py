"""Where a score stands: the submission's seeds beside the state of the art when its pull request was opened."""

from __future__ import annotations

import dataclasses
import functools
import math
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from harness.case import Evidence, Origin, Submission
from harness.intake.errors import IntakeError
from harness.intake.git import opened
from harness.intake.mainline import main_tip
from harness.witnesses.claims.leaderboard import (
    Row,
    chain_before,
    joined,
    known_rows,
    own_row,
    rows_of_readme,
    state_of_the_art,
)
from harness.witnesses.claims.papers import read_text
from harness.witnesses.claims.runs import RunFacts
from harness.witnesses.claims.seeds import Seeds, seeds_of, welch
from harness.witnesses.claims.submission_json import Claimed

FLOOR_NATS = 0.005
"""By how much a record must beat the state of the art, in nats per token (README of the challenge)."""

_HEAD = 30
_STEPS = 6
_CLAIMS = re.compile(
    r"(?i)(?<!non-)(?<!non_)(?<!non )(?<!not a )(?<!no )\b(?:record|new sota|state of the art)\b"
    r"|^# .{0,80}\bsota(?: (?:submission|attempt|entry)\b|\s*(?:[-–—:]|$))"
    r"|\b(?:vs\.?|versus|beats?|beating|over|below|ahead of) (?:the )?(?:(?:current|prior|previous|merged|official) )?"
    r"(?:sota|leaderboard)\b|\bleaderboard #1\b"
)
_DISCLAIMS = re.compile(
    r"(?i)non[-_ ]?record|not (?:an? )?(?:new |leaderboard )?(?:record|sota)|unlimited[- ]compute|no (?:record|sota)"
    r"|work in progress|\bwip\b|ablation|negative result|does not (?:beat|claim)"
)
_SYSTEMS = re.compile(r"(?i)\bsystems?[- ](?:only|level|opti\w+|speed\w*)|\bkernels? only\b")
_DATED = re.compile(r"^(20\d\d-\d\d-\d\d)")


@dataclasses.dataclass(frozen=True)
class Step:
    """One row of the chain of records: how much better (BPB) than the row before it, and with which one-sided p-value of
    Welch's test; None for the first row, and where one of the two has a single run."""

    row: Row
    gain_bpb: float | None
    p_any: float | None


@dataclasses.dataclass(frozen=True)
class Standing:
    """The seeds and what they are compared with. Gains are positive where the submission is better.

    `against` is the state of the art when the pull request was opened, `own` the row that the submission itself is. `p_any`
    and `p_floor` are one-sided p-values of Welch's test that it is better at all, and by the floor of 0.005 nats; None
    where one side has a single run. `gain_nats` is per token of the submission's own tokenizer; None without a loss.
    `record_claim` is the line in which the papers call it a record or hold it against the best, `systems` the line that
    tells of a pure speed-up. `chain` are the last rows that were the best of their day before it, oldest first.
    """

    seeds: Seeds
    against: Row | None
    own: Row | None
    gain_bpb: float | None
    gain_nats: float | None
    p_any: float | None
    p_floor: float | None
    record_claim: Evidence | None
    systems: Evidence | None
    chain: tuple[Step, ...] = ()


def standing(
    submission: Submission,
    claimed: RunFacts | None,
    runs: Sequence[RunFacts],
    stated: Sequence[Claimed],
    claim: Claimed | None,
) -> Standing | None:
    """The standing of a submission; None where neither a log nor submission.json states a score of a run."""
    seeds = seeds_of(runs, stated, claim)
    if seeds is None:
        return None
    rows = rows_of(submission.origin)
    own = own_row(rows, submission)
    against = state_of_the_art(rows, own, submission.origin.pull_request, _date(submission))
    per_token = claimed.bytes_per_token if claimed is not None else None
    nats = math.log(2.0) * per_token if per_token is not None else None
    gain = against.mean - seeds.mean if against is not None else None
    other = against.seeds if against is not None else ()
    return Standing(
        seeds=seeds,
        against=against,
        own=own,
        gain_bpb=gain,
        gain_nats=gain * nats if gain is not None and nats is not None else None,
        p_any=welch(seeds.scores, other),
        p_floor=welch(seeds.scores, other, FLOOR_NATS / nats) if nats is not None else None,
        record_claim=_record_claim(submission),
        systems=_line(submission, _SYSTEMS),
        chain=_chain(chain_before(rows, own, submission.origin.pull_request, _date(submission))),
    )


def _chain(rows: Sequence[Row]) -> tuple[Step, ...]:
    """The last rows of the chain, each beside the one before it."""
    steps = [
        Step(row, last.mean - row.mean if last else None, welch(row.seeds, last.seeds) if last else None)
        for last, row in zip((None, *rows), rows, strict=False)
    ]
    return tuple(steps[-_STEPS:])


_TAKEN: dict[str, tuple[Row, ...]] = {}


def take_rows(origin: Origin, rows: tuple[Row, ...]) -> None:
    """From now on these are the rows of a clone that this machine may not have; `rows_of` gave them where it lies."""
    _TAKEN[origin.location] = rows


def rows_of(origin: Origin) -> tuple[Row, ...]:
    """The rows known here and, where the submission comes from a clone, those that its README has besides."""
    if origin.pull_request is None:
        return known_rows()
    if origin.location in _TAKEN:
        return _TAKEN[origin.location]
    try:
        clone = Path(origin.location)
        tip = main_tip(opened(clone))
        return _rows_at(clone, tip) if tip is not None else known_rows()
    except IntakeError:
        return known_rows()


@functools.lru_cache(maxsize=4)
def _rows_at(clone: Path, commit: str) -> tuple[Row, ...]:
    """The rows known here and those of the README of a commit."""
    text = opened(clone).text("cat-file", "blob", f"{commit}:README.md")
    return joined(known_rows(), rows_of_readme(text or ""))


def _date(submission: Submission) -> str | None:
    """The date that the folder's name begins with."""
    match = _DATED.match(PurePosixPath(submission.folder.rstrip("/")).name)
    return match[1] if match else None


def _record_claim(submission: Submission) -> Evidence | None:
    """The line at the head of the README that calls it a record; None where a line there says that it is none."""
    if submission.track != "record" or _line(submission, _DISCLAIMS) is not None:
        return None
    return _line(submission, _CLAIMS)


def _line(submission: Submission, pattern: re.Pattern[str]) -> Evidence | None:
    """The first line at the head of the README that the pattern finds."""
    for name in sorted(submission.files):
        if PurePosixPath(name).name.lower().startswith("readme") and "/" not in name:
            for number, line in enumerate(read_text(submission, name).split("\n")[:_HEAD], 1):
                if pattern.search(line[:400]):
                    return Evidence(name, number, line.strip()[:300])
    return None
