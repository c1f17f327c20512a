"""Probe 7: tokens that repeat themselves by a known law; an n-gram blend that is not normalized claims less than the law.

Hypothesis, statistic and decision are those of the first probe, with another source of tokens: contexts come again, and
what followed them follows again with a known chance. The bound is the code length of the stream by that law, which no
valid predictor passes but by chance, even one that knows the law. A blend that raises the chance of the token that came,
and takes nothing from the others, gains up to log2(1 + a) bits on each token with a known context; its normalized twin
gains nothing.
"""

from __future__ import annotations

from harness.witnesses.probes import bits, facts
from harness.witnesses.probes.facts import Incompressibility, RandomRun
from harness.witnesses.probes.incompressibility import (
    MORE_SEEDS,
    PLAIN,
    WORTH_MORE,
    closed_to,
    judge,
    one_run,
    reference_of,
    total,
)
from harness.witnesses.probes.laboratory import Laboratory
from harness.witnesses.probes.source import COPYING


def repeating(lab: Laboratory) -> Incompressibility:
    """Run the experiment on the script and weigh what it printed."""
    closed = closed_to(lab.case)
    if closed is not None:
        return Incompressibility(facts.NOT_COVERED, closed)
    runs: list[RandomRun] = []
    while goes_on(runs):
        runs.append(one_run(lab, COPYING, PLAIN, 1 + len(runs)))
    return judge(runs, lab.world.vocab_size, reference_of(lab), COPYING)


def goes_on(runs: list[RandomRun]) -> bool:
    """Whether another seed is drawn: where something shows and is not yet proved, or losses were not watched."""
    if not runs:
        return True
    if runs[-1].surplus is None or len(runs) > MORE_SEEDS:
        return False
    unseen = len(runs) == 1 and not runs[0].balanced and total(runs) >= WORTH_MORE
    return unseen or WORTH_MORE <= total(runs) < bits.PROVED
