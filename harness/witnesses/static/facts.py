"""What the static witness hands on: facts with their lines, and how far the claimed path was followed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from harness.case import Evidence

CERTAIN = "certain"
DEPENDS = "depends"


@dataclasses.dataclass(frozen=True)
class Fact:
    """One thing the code says.

    `kind` is a category of rulings_dev.csv or a word of this witness ("clean", "note"). `certainty` is "certain" or
    "depends", and `depends_on` then says on what. `path` has the lines that the summary names, and then the shortest way
    from the val stream to them. `unreached` says that a small run does not come to it, so that its silence proves nothing.
    `clock_s` is the clock in seconds that it hangs on. `whichever` says that it is certain for either setting of the switch
    that the claim leaves in doubt.
    """

    kind: str
    certainty: str
    summary: str
    path: tuple[Evidence, ...] = ()
    depends_on: str | None = None
    unreached: bool = False
    clock_s: float | None = None
    whichever: bool = False


@dataclasses.dataclass(frozen=True)
class Switch:
    """Code that the claimed configuration does not reach, and the condition that keeps it off."""

    names: tuple[str, ...]
    test: str
    taken: bool
    evidence: Evidence
    first: int
    last: int


@dataclasses.dataclass(frozen=True)
class Site:
    """A place worth listing: where val is read, where it is scored, where a state is updated, a table, a C source."""

    what: str
    evidence: Evidence


@dataclasses.dataclass(frozen=True)
class StaticFacts:
    """All that the source of one script says on the claimed path.

    `followed` is False when the path was not followed to its end; `score_followed` when the claimed score was traced
    back to losses of val tokens; `loss_kinds` says how these were computed ("cross_entropy", "gather", "kernel",
    "mixture"); `causal` and `acausal` are calls of attention with and without a causal mask, `half_causal` those
    where a value that only the run has decides it; `neighbours` are blends of a
    position with the one before it, within documents and over their boundaries; `reads` are files of data that the script
    reads and did not write; `unfollowed` names what could not be followed on the way to the score; `decided` says which way
    the conditions of a line go that settings alone decide.
    """

    facts: tuple[Fact, ...] = ()
    switches: tuple[Switch, ...] = ()
    entries: tuple[Site, ...] = ()
    scores: tuple[Site, ...] = ()
    updates: tuple[Site, ...] = ()
    tables: tuple[Site, ...] = ()
    natives: tuple[Site, ...] = ()
    causal: tuple[Site, ...] = ()
    acausal: tuple[Site, ...] = ()
    half_causal: tuple[Site, ...] = ()
    neighbours: tuple[Site, ...] = ()
    reads: tuple[Site, ...] = ()
    loss_kinds: tuple[str, ...] = ()
    claimed_line: Evidence | None = None
    parsed: bool = True
    followed: bool = True
    score_followed: bool = False
    unfollowed: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    decided: Mapping[int, bool] = dataclasses.field(default_factory=dict)

    def of(self, *kinds: str) -> tuple[Fact, ...]:
        """The facts of these kinds, certain ones first."""
        found = [f for f in self.facts if f.kind in kinds]
        return tuple(sorted(found, key=lambda f: f.certainty != CERTAIN))

    def certain(self, *kinds: str) -> tuple[Fact, ...]:
        """The facts of these kinds that hold on the claimed path in any case."""
        return tuple(f for f in self.of(*kinds) if f.certainty == CERTAIN)

    @property
    def covered(self) -> bool:
        """Whether silence means something: the path was followed to the claimed score."""
        return self.parsed and self.followed and self.score_followed and not self.unfollowed
