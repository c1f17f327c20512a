"""C2 full distribution: before a token is looked at there is one probability for every token, and they sum to 1.

What it does
    Follows the claimed score back to where the probability of the answer is taken, and says what was done to it on the
    way: nothing, a choice between losses by which is lower, an expert that is no distribution, or a blend that was
    computed for the realized token alone. A claimed loss that is held below a bound fails; one that is scaled, masked or
    sorted out by its own size is a question.

Why it breaks the score
    A number that was computed only for the token that came may be high for all tokens at once. Then it is no
    probability, and the sum of its logarithms is no code length.

Example
    nll = torch.minimum(nll_model, nll_cache)          # fails: which is lower is known only with the answer
    experts = torch.stack([nll, entropy], dim=-1)      # fails: entropy is no probability of the answer

Legal alternative
    Blend whole distributions with weights that do not look at the answer (entropy gating), or blend in closed form for
    one hinted token and renormalize (#1514, #2135).

Rulings
    2026-03-25 #659: oracle gate. https://github.com/openai/parameter-golf/pull/659
    2026-04-01 #1185: blended for the evaluated token only. https://github.com/openai/parameter-golf/pull/1185
    2026-05-02 #1991, #2080: byte-level mixers without a distribution over tokens.
    https://github.com/openai/parameter-golf/pull/1991

Since
    0.1.0
"""

from __future__ import annotations

from harness.case import Case, Finding, Status
from harness.witnesses.static import StaticFacts
from rules.code import from_code
from rules.experiments import tested
from rules.registry import rule

KINDS = ("unnormalised_mixture",)
PLAIN = frozenset(("cross_entropy", "gather"))


@rule("C2", title="Full normalized distribution", categories=KINDS, needs=("static", "probes"))
@tested("C2")
def full_distribution(case: Case) -> Finding:
    """What the code says: a fact of this kind, else which loss the score is made of."""
    return from_code(case, "C2", KINDS, seen)


def seen(case: Case, facts: StaticFacts) -> Finding:
    """Nothing was found: name the losses behind the claimed number."""
    lines = tuple(site.evidence for site in facts.scores[:4])
    where = ", ".join(str(e.line) for e in lines)
    odd = sorted(set(facts.loss_kinds) - PLAIN)
    if "kernel" in odd:
        return Finding(
            "C2",
            Status.NOT_COVERED,
            f"Not covered: the claimed loss (line {where}) is computed in a kernel, which was not followed.",
            evidence=lines,
        )
    if "mixture" in odd:
        return Finding(
            "C2",
            Status.PASS,
            f"What is mixed into the claimed loss (line {where}) changes no probability of the answer that was followed.",
            evidence=lines,
        )
    return Finding(
        "C2",
        Status.PASS,
        f"The claimed score is made of cross-entropy over the whole vocabulary (line {where}) and of nothing else.",
        evidence=lines,
    )
