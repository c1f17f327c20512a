"""target_gating: the distribution that scores a token is built from the loss of that token."""

from __future__ import annotations

from harness.witnesses.static.events import Loss
from harness.witnesses.static.facts import DEPENDS, Fact
from harness.witnesses.static.order import ancestors, overlapping
from harness.witnesses.static.view import View

DISTRIBUTIONS = ("cross_entropy", "gather")
"""Losses that are taken of a whole distribution. In a mixture the losses of its parts are what is mixed."""


def detect(view: View) -> list[Fact]:
    """One fact for each place where a claimed loss is taken of scores that a loss of the same tokens had made.

    A gather at places that input tokens chose is noted as a loss too: only those of the claimed targets count.
    """
    inner = {number for loss in view.claimed for number in loss.parents}
    claimed = {loss.targets for loss in view.claimed if loss.number not in inner}
    losses = {loss.number: loss for loss in view.losses}
    facts: dict[tuple[int, int], Fact] = {}
    for number in sorted(ancestors({loss.number for loss in view.claimed}, losses)):
        loss = losses.get(number)
        if loss is None or loss.kind not in DISTRIBUTIONS or loss.targets not in claimed:
            continue
        before = next(
            (losses[n] for n in sorted(loss.parents) if n in losses and same(losses[n], loss)), None
        )
        if before is not None:
            facts[loss.file, loss.line] = describe(view, before, loss)
    return list(facts.values())


def same(before: Loss, loss: Loss) -> bool:
    """Whether an earlier loss is of the very tokens of a later one."""
    return before.on_val and before.targets == loss.targets and overlapping(before.region, loss.region)


def describe(view: View, before: Loss, loss: Loss) -> Fact:
    """The sentence, with both lines."""
    first, second = view.lines.of(before), view.lines.of(loss)
    return Fact(
        "target_gating",
        DEPENDS,
        f"the scores of line {second.line} are built from the loss, at line {first.line}, of the very tokens that they "
        "predict: before a token is known there is no distribution",
        (first, second),
        "whether what is built there favours the token, which an experiment on random tokens shows",
        unreached=True,
    )
