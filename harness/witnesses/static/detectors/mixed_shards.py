"""train_on_val_before_score: training reads shards by a pattern that validation shards match too.

A short run may never get to the last shard, so that only the code shows it.
"""

from __future__ import annotations

import fnmatch

from harness.witnesses.static.events import Loss, Read, Update
from harness.witnesses.static.facts import DEPENDS, Fact
from harness.witnesses.static.view import View

_NAMES = ("fineweb_train_000000.bin", "fineweb_val_000000.bin")
"""What the challenge's own downloader calls the shards."""


def detect(view: View) -> list[Fact]:
    """One fact for each such pattern whose tokens change a state."""
    learned = _learned(view)
    facts: dict[tuple[int, int], Fact] = {}
    for read in view.m.events:
        if not isinstance(read, Read) or read.stream != "?" or (read.file, read.line) not in learned:
            continue
        pattern = read.text.rpartition("/")[2]
        if "*" in pattern and all(fnmatch.fnmatchcase(name, pattern) for name in _NAMES):
            facts[read.file, read.line] = Fact(
                "train_on_val_before_score",
                DEPENDS,
                f"training reads the shards {pattern}, and validation shards have such names too (line {read.line})",
                tuple(view.lines.calls(read)),
                "whether something outside this pattern keeps the validation shards out",
                unreached=True,
            )
    return list(facts.values())


def _learned(view: View) -> set[tuple[int, int]]:
    """Where tokens of a stream that is not told were read that an update learned from."""
    losses = {e.number: e for e in view.m.events if isinstance(e, Loss)}
    found = set()
    for event in view.m.events:
        if isinstance(event, Update):
            tokens = set(event.tokens).union(*(losses[n].targets for n in event.losses if n in losses))
            found |= {(t.file, t.line) for t in tokens if t.stream == "?"}
    return found
