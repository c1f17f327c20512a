"""What rules on papers share: the claimed run of a record, or the finding that says why there is none to look at."""

from __future__ import annotations

from collections.abc import Callable

from harness.case import Case, Evidence, Finding, Grade, Status
from harness.witnesses.claims import RunFacts, Stated

GPUS = 8


def non_record(case: Case) -> bool:
    """Whether it is a submission of the other track: by its folder's place, or by what its own papers call it."""
    return case.submission.track == "non_record" or case.claim.non_record is not None


def record_run(case: Case, rule: str) -> RunFacts | Finding:
    """The claimed run of a record submission; `not_applicable` for the other track, `not_covered` without a log."""
    if non_record(case):
        called = case.claim.non_record if case.submission.track != "non_record" else None
        told = "The papers call it a non-record; those have" if called else "The non-record track has"
        return Finding(
            rule, Status.NOT_APPLICABLE, f"{told} no time limit.", grade=Grade.CLAIM, evidence=lines(called)
        )
    if case.claims is None or case.claims.claimed is None:
        return Finding(
            rule, Status.NOT_COVERED, "Not covered: no log states the claimed run's score.", grade=Grade.CLAIM
        )
    return case.claims.claimed


def accepted(case: Case) -> bool:
    """Whether the maintainers took it: the pull request was merged, or it is a row of their leaderboard."""
    found = case.claims.standing if case.claims is not None else None
    return bool(case.submission.origin.merged) or (found is not None and found.own is not None)


def official(case: Case, run: RunFacts) -> bool:
    """Whether the run was made on the challenge's hardware, as far as its papers say: the log has eight processes, and
    neither it nor the papers beside it name another GPU. A time on other or unknown hardware proves nothing."""
    return run.world_size == GPUS and not case.claim.hardware and not _foreign(run)


def hardware(case: Case, run: RunFacts) -> str:
    """What the papers say instead, in words."""
    if case.claim.hardware:
        return f"on what the papers call {case.claim.hardware}"
    if _foreign(run):
        return f"on {_foreign(run)}, as the log says"
    return (
        "on hardware that the log does not name"
        if run.world_size is None
        else f"on {run.world_size} GPU(s), not 8"
    )


def _foreign(run: RunFacts) -> str:
    return run.machine.foreign if run.machine is not None else ""


def other_over(case: Case, limit: float, measure: Callable[[RunFacts], Stated | None]) -> str:
    """A sentence on the worst of the other runs behind the score, where it is over the limit; empty where none is. Runs on
    other hardware are left out."""
    behind = case.claims.behind[1:] if case.claims is not None else ()
    runs = [r for r in behind if r.world_size in (None, GPUS) and not _foreign(r)]
    over = [(found.value, r) for r in runs if (found := measure(r)) is not None and found.value > limit]
    if not over:
        return ""
    worst, run = max(over, key=lambda pair: pair[0])
    return f" Of the other runs behind the score, {run.log} has {seconds(worst)}."


def lines(*stated: Stated | Evidence | None) -> tuple[Evidence, ...]:
    """The lines of those that are stated, each once."""
    found = [s.evidence if isinstance(s, Stated) else s for s in stated if s is not None]
    return tuple(dict.fromkeys(found))


def seconds(ms: float) -> str:
    """A duration in words."""
    return f"{ms / 1000:,.1f} s"
