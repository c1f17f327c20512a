"""What happened on the path that was followed, in order: reads, losses, updates, table lookups and printed lines."""

from __future__ import annotations

import ast
import dataclasses
from typing import Any

from harness.witnesses.static.values import EMPTY, Token

Frame = tuple[int, int]
"""(file number, line) of a call on the way to an event."""

Guard = tuple[int, bool, bool]
"""(branching, which way, whether it hangs on something outside the script that could not be folded)."""

LoopStep = tuple[int, int, ast.AST, int]
"""(loop, iteration, its statement, depth of calls it runs at): a loop that was running."""


@dataclasses.dataclass(frozen=True)
class Event:
    """Where and when something happened."""

    number: int
    file: int
    line: int
    frames: tuple[Frame, ...]
    loops: tuple[LoopStep, ...]
    guards: tuple[Guard, ...]
    functions: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Read(Event):
    """Shards of a stream were opened. `patterns` are those by which their files were listed."""

    stream: str = "?"
    text: str = ""
    patterns: frozenset[str] = EMPTY


@dataclasses.dataclass(frozen=True)
class Loss(Event):
    """A loss of target tokens. `region` names the loop iterations that chose the tokens."""

    kind: str = "cross_entropy"
    targets: frozenset[Token] = EMPTY
    context: frozenset[Token] = EMPTY
    region: frozenset[tuple[int, int]] = EMPTY
    states: frozenset[int] = EMPTY
    updates: frozenset[int] = EMPTY
    marks: frozenset[tuple[str, Any]] = EMPTY
    parents: frozenset[int] = EMPTY
    sliced: frozenset[str] = EMPTY

    @property
    def on_val(self) -> bool:
        """Whether its targets are val tokens."""
        return any(t.stream == "val" for t in self.targets)


@dataclasses.dataclass(frozen=True)
class Update(Event):
    """A state changed. `losses` are those whose gradient did it, `tokens` those that reached it without a loss."""

    kind: str = "step"
    owners: frozenset[int] = EMPTY
    losses: frozenset[int] = EMPTY
    tokens: frozenset[Token] = EMPTY
    region: frozenset[tuple[int, int]] = EMPTY
    names: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Lookup(Event):
    """A table that val tokens fill was read. `key` are the tokens in the key.

    `current` says that the key was fetched in the running iteration of a loop over tokens, not carried from earlier ones;
    `inner` that the table was itself a row found in a table: the entry of one token under a context; `found` that the key
    came out of a table, as the likeliest token of a context does.
    """

    table: int = 0
    key: frozenset[Token] = EMPTY
    current: bool = False
    inner: bool = False
    found: bool = False


@dataclasses.dataclass(frozen=True)
class Choice(Event):
    """One of several losses was kept by comparing them: those on either side; `second` is empty for a table's answer."""

    first: frozenset[int] = EMPTY
    second: frozenset[int] = EMPTY


@dataclasses.dataclass(frozen=True)
class Blend(Event):
    """A loss met a number that val tokens were asked for: `tokens` are those asked, `factor` says that it was multiplied by
    it rather than added to it, `weights` are the factors that the loss had met before."""

    losses: frozenset[int] = EMPTY
    tokens: frozenset[Token] = EMPTY
    factor: bool = False
    weights: frozenset[int] = EMPTY


@dataclasses.dataclass(frozen=True)
class Bend(Event):
    """A loss was bounded, scaled or sorted out: `losses` are those of val tokens, `words` say how, `certain` that no
    reading of it leaves the number a sum of all losses."""

    losses: frozenset[int] = EMPTY
    words: str = ""
    certain: bool = False


TRAIN_RUN, PLAIN_TRAIN_RUN = "model run on training shards", "model run on training shards without hooks"
"""What a note says of a model that meets training tokens."""


@dataclasses.dataclass(frozen=True)
class Note(Event):
    """Something worth a line: `what` is a word of a detector, `losses` the losses it concerns."""

    what: str = ""
    losses: frozenset[int] = EMPTY


@dataclasses.dataclass(frozen=True)
class Printed(Event):
    """A line was printed. `text` has its literal parts; `counted` says that val tokens entered otherwise than as losses,
    `numbers` that something entered which is not known from the source."""

    text: str = ""
    losses: frozenset[int] = EMPTY
    updates: frozenset[int] = EMPTY
    marks: frozenset[tuple[str, Any]] = EMPTY
    counted: bool = False
    numbers: bool = False


@dataclasses.dataclass(frozen=True)
class Branch:
    """A condition that folded: `taken` is the way the path goes; the other way is not reached."""

    file: int
    line: int
    test: str
    taken: bool
    names: tuple[str, ...]
    first: int
    last: int
