"""S1 significance: a record beats the state of the art of its day by more than chance.

What it does
    Takes the scores of the seeds behind the claimed number (from the logs, else from submission.json), their mean and
    standard deviation, and the best row of the leaderboard whose pull request was opened earlier. Welch's one-sided test
    says with which chance the difference comes about by luck. Both thresholds that were in use are stated: the README's
    (0.005 nats per token at p < 0.01) and that of the maintainers' chain of records (better at p < 0.25). It never fails
    a submission: a valid result that is no record is a result. It asks for a look only where the README calls it a record,
    or holds it against the leaderboard, and the runs cannot show one by either threshold: not better on the mean, p of 0.25
    or more, one run alone, or no run at all behind the stated number. It asks
    nothing of what was merged, of a row of the leaderboard, and of a pure speed-up. Rows are in the order of their pull
    requests' numbers, as the README wants it; where a pull request was changed later, its row counts from the beginning.

Why it breaks the score
    It does not; but the best of several lucky seeds is no progress.

Example
    state of the art 1.1228 (3 seeds); mean of 3 seeds 1.1246, "new record"       # review

Legal alternative
    Three seeds or more under one configuration; or the non-record track.

Rulings
    README of the challenge: 0.005 nats at p < 0.01, usually by three seeds; waived for pure speed-ups.
    2026-03-24 #473, 2026-03-25 #589: valid, and less than 0.005 nats ahead. 2026-03 #374: no significant win.
    2026-04-28 #1902, 2026-05-02 #2146: the chain was rebuilt with p < 0.25 and no floor. 2026-05-02 #2121: one seed.
    https://github.com/openai/parameter-golf/pull/1902

Since
    0.1.0
"""

from __future__ import annotations

from harness.case import Case, Finding, Grade, Status
from harness.limits import Limits
from harness.witnesses.claims import Standing
from harness.witnesses.claims.seeds import welch
from harness.witnesses.claims.standing import FLOOR_NATS
from rules.papers import accepted, lines, non_record
from rules.registry import rule

CHAIN_P = 0.25


@rule("S1", title="Significance", categories=("significance",), needs=("claims",))
def significance(case: Case) -> Finding:
    """State the seeds and both thresholds; review a claimed record that meets neither."""
    if non_record(case):
        told = "A non-record is asked for no significance."
        return Finding("S1", Status.NOT_APPLICABLE, told, grade=Grade.CLAIM)
    found = case.claims.standing if case.claims is not None else None
    if found is None:
        told = "Not covered: neither a log nor submission.json states the score of a run."
        return Finding("S1", Status.NOT_COVERED, told, grade=Grade.CLAIM)
    told = f"{_seeds(found)} {_against(found, case.limits)}"
    if (
        accepted(case)
        or found.record_claim is None
        or found.systems is not None
        or not _plainly_none(found, case.limits)
    ):
        shown = lines(case.claims.claimed.score) if case.claims and case.claims.claimed else ()
        return Finding("S1", Status.PASS, told, grade=Grade.CLAIM, evidence=shown)
    told = f"{told} The README presents it as a record."
    return Finding("S1", Status.REVIEW, told, "significance", Grade.CLAIM, lines(found.record_claim))


def _plainly_none(found: Standing, limits: Limits) -> bool:
    """Whether the runs show no progress by either threshold, or by the host's own where it names one; a state of the art of
    one run allows no test."""
    if found.gain_bpb is None:
        return False
    alone = len(found.seeds.scores) == 1
    if limits.own_significance:
        p = _p_floor(found, limits)
        return alone or found.gain_bpb <= 0.0 or (p is not None and p >= limits.significance_p)
    return alone or found.gain_bpb <= 0.0 or (found.p_any is not None and found.p_any >= CHAIN_P)


def _p_floor(found: Standing, limits: Limits) -> float | None:
    """The p-value of being better by the host's nats; None where no run states a loss, or one side has a single run."""
    if limits.significance_nats == FLOOR_NATS:
        return found.p_floor
    if found.against is None or not found.gain_bpb or not found.gain_nats:
        return None
    nats = found.gain_nats / found.gain_bpb
    return welch(found.seeds.scores, found.against.seeds, limits.significance_nats / nats)


def _seeds(found: Standing) -> str:
    """The seeds in a sentence."""
    seeds, spread = found.seeds, found.seeds.deviation
    if seeds.source == "claim":
        return f"{seeds.mean:.5f} BPB are claimed, and neither a log nor submission.json states the score of a run."
    where = "" if seeds.source == "logs" else ", as submission.json states them"
    if spread is None:
        return f"One run, {seeds.mean:.5f} BPB{where}."
    named = ", ".join(str(s) for s in seeds.seeds if s is not None)
    claimed = {
        "one": " The claimed score is one of them, not their mean.",
        "neither": " The claimed score is not their mean.",
    }
    of = f"seeds {named}" if named else "runs"
    return (
        f"{len(seeds.scores)} runs ({of}{where}): mean {seeds.mean:.5f} BPB, standard deviation {spread:.5f}."
        f"{claimed.get(seeds.claimed, '')}"
    )


def _against(found: Standing, limits: Limits) -> str:
    """The comparison with the state of the art in a sentence or two."""
    best, gain = found.against, found.gain_bpb
    if best is None or gain is None:
        return "The state of the art at its date is not known."
    ahead = "better" if gain > 0 else "worse"
    nats = f" ({abs(found.gain_nats):.4f} nats per token)" if found.gain_nats is not None else ""
    told = f"State of the art before it: {best.name} with {best.mean:.5f}; this is {abs(gain):.5f} BPB{nats} {ahead}."
    if gain <= 0:
        return told
    if found.p_any is None:
        return f"{told} With a single run on one side there is no test."
    chain = f"the maintainers' chain (p < {CHAIN_P}) is {_met(found.p_any < CHAIN_P)} (p = {found.p_any:.2g})"
    p, most = _p_floor(found, limits), limits.significance_p
    if p is None:
        return f"{told} Of the thresholds, {chain}."
    whose = "host's" if limits.own_significance else "README's"
    floor = f"the {whose} ({limits.significance_nats:g} nats, p < {most:g}) is {_met(p < most)} (p = {p:.2g})"
    return f"{told} Of the thresholds, {floor}, {chain}."


def _met(yes: bool) -> str:
    return "met" if yes else "not met"
