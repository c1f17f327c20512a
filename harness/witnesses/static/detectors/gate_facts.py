"""target_gating: how much an expert counts is decided by what it says of the token to be predicted."""

from __future__ import annotations

from harness.witnesses.static.facts import CERTAIN, DEPENDS, Fact
from harness.witnesses.static.view import View


def detect(view: View) -> list[Fact]:
    """One fact for each condition on the answer's own entry that reaches the claimed loss."""
    facts: dict[int, Fact] = {}
    for loss in view.claimed:
        for what, line in sorted(loss.marks, key=str):
            if what == "answer" and line not in facts:
                doubt = view.claim.ambiguous[0] if view.claim.ambiguous else None
                facts[line] = Fact(
                    "target_gating",
                    CERTAIN if doubt is None else DEPENDS,
                    f"the weight of an expert is chosen at line {line} by the count of the very token to be predicted",
                    (view.lines.at(loss.file, line), view.lines.of(loss)),
                    doubt,
                )
    return list(facts.values())
