"""Where experiments happen: the case so far, the world of its run, and the means to run the script again elsewhere."""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path

from harness.case import Case
from harness.emulate import Run, emulate
from harness.exchange import Exchange
from harness.sandbox import Sandbox
from harness.worlds import World
from harness.worlds.copying import copying
from harness.worlds.random import uniform
from harness.worlds.taught import taught
from harness.worlds.tuning import Tuning
from harness.worlds.words import words

REPEATING_TOKENS = 8_229
"""Val tokens of worlds that repeat themselves: each context of a small vocabulary comes eight times."""
LARGE, FEWER_TOKENS = 4_096, 4_133
"""In a vocabulary as large, contexts hardly come again in any number of tokens that can be afforded."""


@dataclasses.dataclass(frozen=True)
class Laboratory:
    """`case` holds the audit's own run, made in `world`; its files are still there. `folder` takes those of further runs,
    `cache` the worlds."""

    case: Case
    world: World
    folder: Path
    cache: Path
    sandbox: Sandbox
    seconds: float
    _repeats: list[Run] = dataclasses.field(default_factory=list)
    _lock: threading.Lock = dataclasses.field(default_factory=threading.Lock)

    def run_in(
        self, world: World, tuning: Tuning | None, name: str, *, left: Path | None = None,
        exchange: Exchange | None = None,
    ) -> Run:  # fmt: skip
        """Run the unmodified script in another world. `name` is the name of the run's folder, `left` the work folder of an
        earlier run that this one finds, `exchange` what it finds changed when it reads a file back."""
        return emulate(
            self.case.submission, self.case.claim, self.folder / name, cache=self.cache, sandbox=self.sandbox,
            seconds=self.seconds, world=world, tuning=tuning, left=left, exchange=exchange,
            way=self.case.run.way if self.case.run else None,
        )  # fmt: skip

    def repeat(self) -> Run:
        """The audit's own run once more, in an empty folder: made once, whichever experiment asks first."""
        with self._lock:
            if not self._repeats:
                self._repeats.append(self.run_in(self.world, None, "repeat"))
            return self._repeats[0]

    def random_world(self, seed: int) -> World:
        """The uniformly random world of the sizes of the case's own."""
        return uniform(
            self.world.vocab_size, self.cache / "worlds", val_tokens=self.world.val_tokens,
            train_tokens=self.world.train_tokens, caseops=self.world.caseops, seed=seed,
        )  # fmt: skip

    def copying_world(self, seed: int) -> World:
        """The copying world of the case's vocabulary."""
        return copying(
            self.world.vocab_size, self.cache / "worlds", val_tokens=self._repeating_tokens,
            train_tokens=self.world.train_tokens, caseops=self.world.caseops, seed=seed,
        )  # fmt: skip

    @property
    def _repeating_tokens(self) -> int:
        return FEWER_TOKENS if self.world.vocab_size >= LARGE else REPEATING_TOKENS

    def taught_world(self, seed: int) -> World:
        """The world of the case's vocabulary whose val tokens repeat pairs of training tokens."""
        return taught(
            self.world.vocab_size, self.cache / "worlds", val_tokens=self._repeating_tokens,
            train_tokens=self.world.train_tokens, caseops=self.world.caseops, seed=seed,
        )  # fmt: skip

    def words_world(self, seed: int) -> World:
        """The world of few long words of the case's vocabulary."""
        return words(
            self.world.vocab_size, self.cache / "worlds", val_tokens=REPEATING_TOKENS,
            train_tokens=self.world.train_tokens, caseops=self.world.caseops, seed=seed,
        )  # fmt: skip
