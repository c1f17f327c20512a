"""Probe 7: tokens that repeat themselves by a known law; an n-gram blend that is not normalized claims less than the law.

Hypothesis, statistic and decision are those of the first probe, with other sources of tokens. In the first, contexts come
again, and what followed them follows again with a known chance. The bound is the code length of the stream by that law,
which no valid predictor passes but by chance, even one that knows the law. A blend that raises the chance of the token that
came, and takes nothing from the others, gains up to log2(1 + a) bits on each token with a known context; its normalized
twin gains nothing. Where that shows nothing and the losses were not watched, two other laws follow: pairs of training
tokens come again, for tables filled in training, and tokens are drawn from a few long ones, for mixers of bytes.
"""

from __future__ import annotations

import dataclasses
import math

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
from harness.witnesses.probes.source import COPYING, LONG_WORDS, TAUGHT, Source

PRICE = math.log2(3.0)
"""Bits for the choice between three laws: their e-values count a third each."""


def repeating(lab: Laboratory) -> Incompressibility:
    """Run the experiment on the script and weigh what it printed."""
    closed = closed_to(lab.case)
    if closed is not None:
        return Incompressibility(facts.NOT_COVERED, closed)
    found = _by(lab, COPYING)
    if found.status != facts.CLEAR or found.invented or found.runs[0].balanced:
        return found
    for source in (TAUGHT, LONG_WORDS):
        if found.status == facts.CLEAR:
            found = stronger(found, _by(lab, source))
    return found


def _by(lab: Laboratory, source: Source) -> Incompressibility:
    """What shows on tokens of one source."""
    runs: list[RandomRun] = []
    while goes_on(runs):
        run = one_run(lab, source, PLAIN, 1 + len(runs))
        runs.append(dataclasses.replace(run, setting=f"{run.setting}; {source.tokens}"))
    return judge(runs, lab.world.vocab_size, reference_of(lab), source, PRICE)


def stronger(one: Incompressibility, other: Incompressibility) -> Incompressibility:
    """The result with more evidence, over the runs of both."""
    best = other if (other.evidence or 0.0) > max(one.evidence or 0.0, 0.0) else one
    return dataclasses.replace(best, runs=(*one.runs, *other.runs))


def goes_on(runs: list[RandomRun]) -> bool:
    """Whether another seed is drawn: where something shows and is not yet proved, or losses were not watched."""
    if not runs:
        return True
    if runs[-1].surplus is None or len(runs) > MORE_SEEDS:
        return False
    unseen = len(runs) == 1 and not runs[0].balanced and total(runs) >= WORTH_MORE
    return unseen or WORTH_MORE <= total(runs) < bits.PROVED
