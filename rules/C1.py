"""C1 strict causality: the prediction at a position depends only on the artifact and on tokens before it.

What it does
    Follows val tokens through the source to the claimed score. Looks for tables that are asked for the token to be
    predicted (its id in the lookup key), for gates that look at the token to be predicted, for free tensors optimized
    on the tokens they then score (SLOT), and for blending a position with the one before it (SmearGate) over document
    boundaries. Where a model rolls, reverses or transforms the axis of positions, or reads it in both directions, a
    reviewer is asked. Blending over boundaries alone is told and not judged: the records of March, #1667 and #2135 do it,
    and none was faulted for
    it. Where one path of a script masks the boundary and another does not, a reviewer is asked.
    A score a twelfth below the best row of its day, which no technique has ever taken off at once, is not passed on the
    word of the code alone: an experiment has to clear it.
    Where experiments were made, their word comes first: random tokens claimed in fewer bits than they hold, or losses that
    move when only later tokens are exchanged, and no other rule that is suspected of it.

Why it breaks the score
    BPB is a code length only if every probability could have been computed before the token came. What is looked up
    with the answer in hand is no prediction.

Example
    full = (ctx_hash ^ (target * prime)) & mask              # fails: the answer is in the key
    p = full_counts[full] / ctx_counts[ctx_hash & mask]

Legal alternative
    A table over the context alone that gives a distribution over all tokens, normalized before the answer is looked at.
    An embedding of hashed input tokens (BigramHash) is part of the model and legal everywhere.

Rulings
    2026-03-27 #779: the target token in the lookup key. https://github.com/openai/parameter-golf/pull/779
    2026-05-02 #2041: gates that depend on the class of the current token.
    https://github.com/openai/parameter-golf/pull/2041
    2026-05-02 #1797: SmearGate across document boundaries. https://github.com/openai/parameter-golf/pull/1797
    No organizer has ruled on SLOT that is optimized on the context alone (issue 1336).

Since
    0.1.0
"""

from __future__ import annotations

from harness.case import Case, Finding, Status
from harness.witnesses.probes.facts import CLEAR
from harness.witnesses.static import StaticFacts
from rules.code import from_code
from rules.experiments import tested
from rules.registry import rule

KINDS = ("ngram_target_in_key", "target_gating", "slot", "doc_boundary_leak")

_BELIEVED = 0.92
"""Of the best row of the day: of 465 submissions those below it that passed by their code alone were all invalid."""

_LAST = 1.0565
"""The best row of the leaderboard's last README, for a claim whose day or runs are not known."""


@rule("C1", title="Strict causality", categories=KINDS, needs=("static", "probes"))
@tested("C1")
def strict_causality(case: Case) -> Finding:
    """What the code says: a fact of these kinds, else what was seen on the way to the score."""
    return from_code(case, "C1", KINDS, seen)


def seen(case: Case, facts: StaticFacts) -> Finding:
    """Nothing was found: name what the claimed loss is made of."""
    lines = tuple(site.evidence for site in (*facts.scores[:2], *facts.causal[:1], *facts.tables[:2]))
    if facts.acausal and not facts.causal:
        where = facts.acausal[0].evidence
        return Finding(
            "C1",
            Status.REVIEW,
            f"The attention at line {where.line} has no causal mask on the claimed path; whether the score is that of "
            "a causal model, or a bound that needs none, the code does not tell.",
            evidence=(where, *lines),
        )
    if facts.half_causal:
        where = facts.half_causal[0].evidence
        return Finding(
            "C1",
            Status.REVIEW,
            f"Whether the attention at line {where.line} is causal hangs on a value that only the run has, such as the "
            "size of a batch; whether it is causal wherever val tokens are scored, the code does not tell.",
            evidence=(where, *lines),
        )
    attention = (
        f"attention is causal (line {facts.causal[0].evidence.line})"
        if facts.causal
        else "no attention without a causal mask was met"
    )
    beyond = _beyond_belief(case)
    if beyond:
        told = f"Nothing in the code looks at later tokens, but {beyond}, and no experiment has cleared it."
        return Finding("C1", Status.REVIEW, told, evidence=lines)
    blends = "".join(
        f" {site.what[:1].upper()}{site.what[1:]} (line {site.evidence.line})."
        for site in facts.neighbours[:4]
    )
    return Finding(
        "C1",
        Status.PASS,
        f"On the claimed path {attention}, no table is asked for the token to be predicted and no gate looks at it."
        f"{blends}",
        evidence=(*lines, *(site.evidence for site in facts.neighbours[:4])),
    )


def _beyond_belief(case: Case) -> str:
    """A sentence where the claimed score is far below the best row of its day, unless the changed future left it alone."""
    standing = case.claims.standing if case.claims is not None else None
    row, claimed = standing.against if standing is not None else None, case.claim.claimed_bpb
    future = case.probes.future if case.probes is not None else None
    if claimed is None or (future is not None and future.status == CLEAR):
        return ""
    best, named = (row.mean, "the best row of its day") if row is not None else (_LAST, "the last best row")
    if claimed >= _BELIEVED * best:
        return ""
    return f"the claimed {claimed:.4f} is {1 - claimed / best:.0%} below {named} ({best:.4f})"
