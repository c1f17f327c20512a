"""train_on_val_before_score: training reads shards by a pattern that validation shards match too.

A short run may never get to the last shard, so that only the code shows it.
"""

from __future__ import annotations

import fnmatch

from harness.witnesses.static.events import Loss, Read, Update
from harness.witnesses.static.facts import DEPENDS, Fact
from harness.witnesses.static.streams import EVERY, stream_of
from harness.witnesses.static.view import View

_NAMES = ("fineweb_train_000000.bin", "fineweb_val_000000.bin")
"""What the challenge's own downloader calls the shards."""


def detect(view: View) -> list[Fact]:
    """One fact for each reading whose tokens change a state, and one of whose patterns val shards match or may match."""
    learned = _learned(view)
    facts: dict[tuple[int, int], Fact] = {}
    for read in view.m.events:
        if not isinstance(read, Read) or read.stream == "val" or (read.file, read.line) not in learned:
            continue
        kept = {p for p in (*read.patterns, read.text) if not _filtered(view, p)}
        for pattern in sorted({p.rpartition("/")[2] for p in kept}):
            what = _doubt(pattern)
            if what:
                facts[read.file, read.line] = Fact(
                    "train_on_val_before_score",
                    DEPENDS,
                    f"training reads the shards {pattern}, {what} (line {read.line})",
                    tuple(view.lines.calls(read)),
                    "whether something outside this pattern keeps the validation shards out",
                    unreached=True,
                )
    return list(facts.values())


def _filtered(view: View, pattern: str) -> bool:
    """Whether only some files of a listed folder are taken, by words that tell a stream."""
    return pattern.endswith(EVERY) and any(pattern.endswith(text) for text in view.m.filtered)


def _doubt(pattern: str) -> str:
    """Why a pattern may bring validation shards; empty where it names those of training, or says too little."""
    if not any(sign in pattern for sign in "*?["):
        return ""
    train, val = (fnmatch.fnmatchcase(name, pattern) for name in _NAMES)
    if val:
        return (
            "and validation shards have such names too" if train else "which are names of validation shards"
        )
    if not train and pattern.startswith("fineweb") and not stream_of(pattern):
        return "a name that is put together while the script runs"
    return ""


def _learned(view: View) -> set[tuple[int, int]]:
    """Where tokens were read, not told to be of val, that an update learned from."""
    losses = {e.number: e for e in view.m.events if isinstance(e, Loss)}
    found = set()
    for event in view.m.events:
        if isinstance(event, Update):
            tokens = set(event.tokens).union(*(losses[n].targets for n in event.losses if n in losses))
            found |= {(t.file, t.line) for t in tokens if t.stream != "val"}
    return found
