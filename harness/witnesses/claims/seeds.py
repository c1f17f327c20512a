"""The seeds of a submission and what they prove: mean, standard deviation, and Welch's test against another's seeds."""

from __future__ import annotations

import dataclasses
import math
import re
import statistics
from collections.abc import Sequence

from scipy.special import stdtr

from harness.witnesses.claims.runs import RunFacts
from harness.witnesses.claims.submission_json import Claimed, agrees

_STATED = 3  # a claimed number with fewer decimals is too coarse to be held against others


@dataclasses.dataclass(frozen=True)
class Seeds:
    """The scores (BPB) of the runs behind the claimed number, with their seeds; `source` is "logs", "submission.json", or
    "claim" where nothing but the claimed number is stated.

    `claimed` says what the claimed number is of them: "mean", "one" of several, "neither", or "" without a claim; `logs`
    are the names of their logs.
    """

    scores: tuple[float, ...]
    seeds: tuple[int | None, ...]
    source: str
    claimed: str = ""
    logs: tuple[str, ...] = ()

    @property
    def mean(self) -> float:
        """The mean score in BPB."""
        return statistics.fmean(self.scores)

    @property
    def deviation(self) -> float | None:
        """The sample standard deviation in BPB; None for a single run."""
        return statistics.stdev(self.scores) if len(self.scores) > 1 else None


def seeds_of(runs: Sequence[RunFacts], stated: Sequence[Claimed], claim: Claimed | None) -> Seeds | None:
    """The runs behind the claim: a set whose mean, or one of whose runs, is the claimed number; logs come first.

    A folder may hold the logs of several campaigns, told apart by their names without the digits. Where neither logs nor
    submission.json state a run, the claimed number stands for itself. None without a score.
    """
    sets = [s for s in (*_of_logs(runs), *_of_json(stated)) if s.scores]
    if claim is None:
        return sets[0] if sets else None
    if not sets:
        return Seeds((claim.value,), (None,), "claim") if claim.decimals >= _STATED else None
    for found in sets:
        if _agrees(claim, found.mean):
            return dataclasses.replace(found, claimed="mean")
    for found in sets:
        if any(_agrees(claim, score) for score in found.scores):
            return dataclasses.replace(found, claimed="one")
    return dataclasses.replace(sets[0], claimed="neither")


def _agrees(claim: Claimed, value: float) -> bool:
    return agrees(claim.value, min(claim.decimals, 5), value, 8, loose=True)


def _of_logs(runs: Sequence[RunFacts]) -> list[Seeds]:
    """All runs, and those of each campaign; a run that lies there under two names counts once."""
    once = list({(r.seed if r.seed is not None else r.log, round(r.bpb, 6)): r for r in runs}.values())
    campaigns: dict[str, list[RunFacts]] = {}
    for run in once:
        campaigns.setdefault(re.sub(r"\d+", "#", run.log), []).append(run)
    groups = [once, *sorted(campaigns.values(), key=len, reverse=True)]
    return [
        Seeds(tuple(r.bpb for r in g), tuple(r.seed for r in g), "logs", logs=tuple(r.log for r in g))
        for g in groups
    ]


def _of_json(stated: Sequence[Claimed]) -> list[Seeds]:
    """The seeds of each table in submission.json."""
    tables: dict[str, dict[int, float]] = {}
    for entry in stated:
        if entry.seed is not None:
            tables.setdefault(entry.name.split(".")[0], {}).setdefault(entry.seed, entry.value)
    return [Seeds(tuple(t.values()), tuple(t), "submission.json") for t in tables.values()]


def welch(own: Sequence[float], other: Sequence[float], by: float = 0.0) -> float | None:
    """One-sided p-value of Welch's t-test that the mean of `own` is lower than that of `other` by more than `by`.

    None where one of them has fewer than two scores, or neither varies. Welch 1947; degrees of freedom after
    Satterthwaite 1946.
    """
    if len(own) < 2 or len(other) < 2:
        return None
    a, b = statistics.variance(own) / len(own), statistics.variance(other) / len(other)
    if a + b <= 0.0:
        return None
    t = (statistics.fmean(own) + by - statistics.fmean(other)) / math.sqrt(a + b)
    freedom = (a + b) ** 2 / (a**2 / (len(own) - 1) + b**2 / (len(other) - 1))
    return float(stdtr(freedom, t))
