"""unnormalised_mixture: what is blended with the model's probability of the answer is no probability of it.

A blend that is computed for the realized token alone may still be normalized (experts that are each a distribution,
weights that do not see the answer), so on its own it is only a doubt; an expert whose value does not depend on the
answer at all is not a distribution, and the blend sums to something else than 1.
"""

from __future__ import annotations

import ast

from harness.witnesses.static.detectors.table_facts import answer_in_key, is_answer, lookups_of
from harness.witnesses.static.events import Blend, Loss, Note
from harness.witnesses.static.facts import CERTAIN, DEPENDS, Fact
from harness.witnesses.static.updates import closure
from harness.witnesses.static.view import View


def detect(view: View) -> list[Fact]:
    """Experts that are no distribution, then blends for the realized token."""
    return experts(view) or spreads(view) or weighted(view) or blends(view) or asked(view)


def experts(view: View) -> list[Fact]:
    """Mixtures with an expert that does not look at the answer."""
    claimed = {loss.number for loss in view.claimed}
    facts: dict[int, Fact] = {}
    for event in view.m.events:
        if isinstance(event, Note) and event.what == "expert" and closure(view.m, event.losses) & claimed:
            doubt = view.claim.ambiguous[0] if view.claim.ambiguous else None
            facts[event.line] = Fact(
                "unnormalised_mixture",
                CERTAIN if doubt is None else DEPENDS,
                f"the mixture at line {event.line} counts as the loss of an expert a number that is the same for "
                "every answer (such as the model's entropy), so its probabilities do not sum to 1",
                view.lines.path(event),
                doubt,
            )
    return list(facts.values())


def spreads(view: View) -> list[Fact]:
    """Losses of tokens divided evenly over their bytes and blended byte by byte. A line that also divides by what a filled
    table tells divides by counts, in its first round too, when the table was empty."""
    facts: dict[int, Fact] = {}
    counting = {loss.line for loss in view.losses if loss.kind == "mixture" and lookups_of(view, loss)}
    for loss in view.claimed:
        lines = sorted(mark[1] for mark in loss.marks if mark[0] == "spread" and mark[1] not in counting)
        divided = lines[0] if lines else None
        tabled = any(mark[0] in ("lookup", "table") for mark in loss.marks)
        if loss.kind != "mixture" or divided is None or not tabled or facts:
            continue
        doubt = view.claim.ambiguous[0] if view.claim.ambiguous else None
        facts[loss.line] = Fact(
            "unnormalised_mixture",
            CERTAIN if doubt is None else DEPENDS,
            f"the loss of a token is spread evenly over its bytes (line {divided}) and blended with a table byte by "
            f"byte (line {loss.line}): the root of a token's probability is no distribution over bytes",
            view.lines.path(loss),
            doubt,
        )
    return list(facts.values())


def weighted(view: View) -> list[Fact]:
    """Weights of a blend that are computed from the loss of the answer."""
    marks = {mark for loss in view.claimed for mark in loss.marks}
    if view.line is not None:
        marks |= view.line.marks
    doubt = view.claim.ambiguous[0] if view.claim.ambiguous else None
    return [
        Fact(
            "unnormalised_mixture",
            CERTAIN if doubt is None else DEPENDS,
            f"the weight of a table's count is computed from the loss of the answer (line {line}), so the blend for "
            "other tokens would have other weights and does not sum to 1",
            (*view.lines.path(view.claimed[0]), view.lines.at(view.claimed[0].file, line)),
            doubt,
        )
        for line in sorted(mark[1] for mark in marks if mark[0] == "weighted")
    ]


def blends(view: View) -> list[Fact]:
    """Table counts blended into the probability of the realized token, after it was selected."""
    facts: dict[int, Fact] = {}
    for loss in view.claimed:
        if loss.kind != "mixture" or loss.line in facts or not lookups_of(view, loss):
            continue
        if answer_in_key(view, loss) is not None:
            continue
        facts[loss.line] = blend(view, loss)
    return list(facts.values())


def blend(view: View, loss: Loss) -> Fact:
    """One blend for the realized token."""
    return Fact(
        "unnormalised_mixture",
        DEPENDS,
        f"counts from a table are blended at line {loss.line} with the model's probability of the realized token only",
        view.lines.path(lookups_of(view, loss)[0], loss),
        "whether the blended probabilities of all tokens sum to 1: they are computed for the realized token alone",
    )


def asked(view: View) -> list[Fact]:
    """Numbers that were looked up for the realized token alone, added to the model's probability of it."""
    claimed = {loss.number for loss in view.claimed}
    tables = {loss.line for loss in view.claimed if loss.kind == "mixture"}  # empty in a loop's first round
    facts: dict[int, Fact] = {}
    for event in view.m.events:
        if not isinstance(event, Blend) or event.factor or event.line in tables | facts.keys():
            continue
        if carried(view, event):
            continue
        losses = [loss for n in closure(view.m, event.losses) if isinstance(loss := view.m.events[n], Loss)]
        if {loss.number for loss in losses} & claimed and any(of_answer(event, loss) for loss in losses):
            facts[event.line] = second_source(view, event, losses)
    return list(facts.values())


def carried(view: View, event: Blend) -> bool:
    """Whether the sum is one that is carried on: `sums[2] = sums[2] + sizes[y].sum()`, beside losses in other elements."""
    return any(
        isinstance(n, ast.Assign)
        and n.lineno == event.line
        and isinstance(n.value, ast.BinOp)
        and ast.dump(n.targets[0]).replace("Store", "Load")
        in (ast.dump(n.value.left), ast.dump(n.value.right))
        for n in view.m.sources[event.file].nodes
    )


def of_answer(event: Blend, loss: Loss) -> bool:
    """Whether the tokens asked for hold the answer of a loss."""
    return any(t.read >= 0 and is_answer(t, loss) for t in event.tokens)


def second_source(view: View, event: Blend, losses: list[Loss]) -> Fact:
    """The sentence: sure where the model's probability had been weighted by something that looks at the answer."""
    factors = [e for n in sorted(event.weights) if isinstance(e := view.m.events[n], Blend)]
    seen = next((f for f in factors if any(of_answer(f, loss) for loss in losses)), None)
    start = (
        f"at line {event.line} a number that was looked up for the realized token is added to the model's probability "
        "of it"
    )
    doubt = view.claim.ambiguous[0] if view.claim.ambiguous else None
    if seen is None:
        doubt = "whether the blended probabilities of all tokens sum to 1: they are computed for the realized token alone"
        return Fact("unnormalised_mixture", DEPENDS, start, view.lines.path(losses[0], event), doubt)
    return Fact(
        "unnormalised_mixture",
        CERTAIN if doubt is None else DEPENDS,
        f"{start}, with a weight that looks at that token too (line {seen.line}): for other tokens the weight would be "
        "another, and the blend does not sum to 1",
        view.lines.path(losses[0], *((seen, event) if seen.line != event.line else (event,))),
        doubt,
    )
