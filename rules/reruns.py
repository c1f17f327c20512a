"""What a rerun says to a rule: its finding beside what the unshrunk script did with real data on a GPU.

Of an emulated rerun the trace has seen more, so only A2 listens to it; a rerun that was not made changes nothing. What a
rerun measures never fails a submission against a witness that saw it pass: then a person looks. A clock on other hardware
than the challenge's is named and decides nothing.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

from harness.case import Case, Finding, Grade, Status
from harness.witnesses.tamper import KIND
from rules.evidence import capped

if TYPE_CHECKING:
    from harness.witnesses.rerun.facts import OwnPass, RerunFacts

Check = Callable[[Case], Finding]

LOSS_APART = 2e-4
"""Printed and rebuilt loss agree within this share: windows that shrink at the end of the stream weigh less than that."""
BYTES_APART = 0.005
"""A printed BPB that is lower than the rebuilt one by this share is a wrong byte count, not a rounding (as in B1)."""
WHOLE = 0.99
FEW = 0.01
"""Text repeats itself, so that a small share of positions may be taken for others: shown, not judged."""
MANY = 0.1
LATE = 1.05
"""A clock that is over by less may be the machine's."""


def full_scale(case: Case) -> RerunFacts | None:
    """The rerun that ran as claimed, with nothing shrunk."""
    return case.rerun if case.rerun is not None and not case.rerun.machine.emulated else None


def remeasured(rule: str) -> Callable[[Check], Check]:
    """Put what the claimed pass showed at full scale beside what a rule's own check finds."""

    def around(check: Check) -> Check:
        @functools.wraps(check)
        def checked(case: Case) -> Finding:
            finding, rerun = check(case), full_scale(case)
            claimed = next((p for p in rerun.passes if p.claimed), None) if rerun is not None else None
            if rerun is None or claimed is None:
                return finding
            return _BESIDE[rule](case, finding, rerun, claimed)

        return checked

    return around


def _order(case: Case, finding: Finding, rerun: RerunFacts, claimed: OwnPass) -> Finding:
    """Score before update, at full scale."""
    told = (
        f"At full scale {claimed.positions:,} val positions were scored in {claimed.score_calls:,} calls, with "
        f"{claimed.train_calls:,} training calls and {claimed.steps:,} optimizer steps among them; a gradient was taken of "
        f"{claimed.trained_before:,} positions before their counted score."
    )
    if claimed.trained_earlier:
        told += f" Earlier passes trained on {claimed.trained_earlier:,} of them."
    share = claimed.trained_before / max(claimed.positions, 1)
    if not claimed.steps or share < FEW:
        return _added(finding, told)
    if finding.status in (Status.PASS, Status.NOT_COVERED):
        proved = finding.status is Status.NOT_COVERED and share >= MANY and _balanced(claimed)
        return _raised(
            case, finding, told, Status.FAIL if proved else Status.REVIEW, "train_on_val_before_score"
        )
    return _added(finding, told)


def _books(case: Case, finding: Finding, rerun: RerunFacts, claimed: OwnPass) -> Finding:
    """The printed score from the losses at its boundary and the tokenizer's bytes, over the real val stream."""
    if claimed.loss is None or claimed.bpb is None or claimed.printed_loss is None:
        return finding
    told = f"At full scale {claimed.positions:,} losses give {claimed.loss:.6f} nats, printed is {claimed.printed_loss:.6f}"
    if not _balanced(claimed) or claimed.printed_bpb is None:
        return _added(finding, told + ".")
    ratio = claimed.printed_bpb / claimed.bpb - 1
    told += f"; BPB {claimed.bpb:.6f} by the tokenizer's own bytes, {claimed.printed_bpb:.6f} printed ({ratio:+.2%})."
    if ratio < -BYTES_APART:
        status = Status.REVIEW if finding.status is Status.PASS else Status.FAIL
        return _raised(case, finding, told, status, "byte_count")
    if abs(ratio) > BYTES_APART:
        return _added(finding, told)
    if finding.status is Status.FAIL and not (case.static and case.static.certain("byte_count")):
        held = dataclasses.replace(finding, status=Status.REVIEW)
        return _added(held, f"But the rerun says otherwise. {told}")
    return _covered(case, finding, told, claimed.positions >= WHOLE * rerun.targets)


def _coverage(case: Case, finding: Finding, rerun: RerunFacts, claimed: OwnPass) -> Finding:
    """How much of the real val stream enters the printed loss: a number at which the code stops shows here."""
    if not _balanced(claimed):
        return finding
    told = f"At full scale {claimed.positions:,} of {rerun.targets:,} val positions make up the printed loss."
    if claimed.positions >= WHOLE * rerun.targets:
        return _covered(case, finding, told, True)
    if finding.status in (Status.PASS, Status.NOT_COVERED):
        return _raised(case, finding, told, Status.REVIEW, "partial_val")
    return _added(finding, told)


_BESIDE = {"B1": _books, "C3": _order, "D1": _coverage}


def clocked(case: Case, finding: Finding, seconds: float | None, what: str, category: str) -> Finding:
    """A finding on time beside the rerun's clock: judged on the challenge's hardware alone, and never failed."""
    rerun = full_scale(case)
    if rerun is None or seconds is None or finding.status is Status.NOT_APPLICABLE:
        return finding
    limits = case.limits
    limit = limits.train_seconds if category == "train_time" else limits.eval_seconds
    told = f"In the rerun {what} took {seconds:,.1f} s on {rerun.machine.hardware}"
    if not rerun.machine.official:
        return _added(finding, f"{told}, not 8xH100: no pass and no fail on time.")
    if seconds <= limit * LATE:
        if finding.status is Status.NOT_COVERED:
            return Finding(finding.rule, Status.PASS, f"{told}.", grade=Grade.TRACE)
        return _added(finding, f"{told}.")
    if finding.status in (Status.PASS, Status.NOT_COVERED):
        return _raised(case, finding, f"{told}: more than {limit:g} s.", Status.REVIEW, category)
    return _added(finding, f"{told}: more than {limit:g} s.")


def evaluation_seconds(rerun: RerunFacts) -> float | None:
    """The longer of the script's own clock and the time between the first and the last loss of the claimed pass."""
    seen = [p.seconds for p in rerun.passes if p.claimed]
    stated = [rerun.outcome.eval_s] if rerun.outcome.eval_s is not None else []
    return max([*seen, *stated], default=None)


def _balanced(claimed: OwnPass) -> bool:
    if claimed.loss is None or claimed.printed_loss is None:
        return False
    return abs(claimed.loss - claimed.printed_loss) <= LOSS_APART * claimed.printed_loss


def _added(finding: Finding, told: str) -> Finding:
    return dataclasses.replace(finding, summary=f"{finding.summary} {told}")


def _covered(case: Case, finding: Finding, told: str, whole: bool) -> Finding:
    """A pass where no other witness covered it, unless the script reaches for the instruments."""
    blinded = case.trace is not None and case.trace.blinded
    tampers = case.static is None or bool(case.static.of(KIND))
    if finding.status is Status.NOT_COVERED and whole and not blinded and not tampers:
        return capped(case, Finding(finding.rule, Status.PASS, told, grade=Grade.TRACE))
    return _added(finding, told)


def _raised(case: Case, finding: Finding, told: str, status: Status, category: str) -> Finding:
    said = f"{finding.summary} {told}" if finding.status is Status.PASS else told
    return capped(
        case,
        dataclasses.replace(finding, status=status, summary=said, category=category, grade=Grade.TRACE),
    )
