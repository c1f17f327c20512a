"""The probes: experiments on the unmodified script in worlds whose data we choose, weighed outside the sandbox.

Each has a hypothesis, a statistic and a decision, written at the top of its file. They judge nothing; rules do.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from harness.witnesses.probes.again import again
from harness.witnesses.probes.choose import (
    AGAIN,
    FUTURE,
    INCOMPRESSIBILITY,
    MODES,
    NEIGHBOUR,
    REPEATING,
    TRANSPLANT,
    chosen,
    merely_read,
)
from harness.witnesses.probes.facts import (
    Again,
    Future,
    Incompressibility,
    Move,
    Neighbour,
    ProbeFacts,
    RandomRun,
    Transplant,
)
from harness.witnesses.probes.future import future
from harness.witnesses.probes.incompressibility import incompressibility
from harness.witnesses.probes.laboratory import Laboratory
from harness.witnesses.probes.neighbour import neighbour
from harness.witnesses.probes.repeating import repeating
from harness.witnesses.probes.transplant import transplant

__all__ = [
    "MODES",
    "Again",
    "Future",
    "Incompressibility",
    "Laboratory",
    "Move",
    "Neighbour",
    "ProbeFacts",
    "RandomRun",
    "Transplant",
    "chosen",
    "experiment",
    "merely_read",
]


def experiment(
    lab: Laboratory, probes: Sequence[str], *, thorough: bool = False, plain: bool = False
) -> ProbeFacts:
    """Make these experiments, side by side where there are cores for it: each is a chain of runs of one thread.

    Those that were asked for by the user, not by what is open, are `thorough`: they look in more than one place.
    Random tokens are `plain` where nothing is open."""
    with ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        files = pool.submit(_of_files, lab, probes)
        random = pool.submit(incompressibility, lab, plain=plain) if INCOMPRESSIBILITY in probes else None
        later = pool.submit(future, lab, thorough=thorough) if FUTURE in probes else None
        copied = pool.submit(repeating, lab) if REPEATING in probes else None
        beside = pool.submit(neighbour, lab) if NEIGHBOUR in probes else None
        moved, once_more = files.result()
        return ProbeFacts(
            incompressibility=random.result() if random else None,
            future=later.result() if later else None,
            again=once_more,
            repeating=copied.result() if copied else None,
            transplant=moved,
            neighbour=beside.result() if beside else None,
        )


def _of_files(lab: Laboratory, probes: Sequence[str]) -> tuple[Transplant | None, Again | None]:
    """The two experiments on what files carry: the first may have made a run of the second needless."""
    moved = transplant(lab) if TRANSPLANT in probes else None
    return moved, again(lab, moved) if AGAIN in probes else None
