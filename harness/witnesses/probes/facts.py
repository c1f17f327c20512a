"""What the probes found, as plain data: one record for each experiment, with the numbers that it rests on."""

from __future__ import annotations

import dataclasses

from harness.witnesses.probes.answers import Answers

PROVED = "proved"
DOUBTFUL = "doubtful"
CLEAR = "clear"
NOT_COVERED = "not_covered"
SCORED = "scored"


@dataclasses.dataclass(frozen=True)
class RandomRun:
    """One run on random tokens. `line` is the claimed line as printed; `claimed` and `bound` are bits for the `letters`
    scored tokens that are not BOS; `byte_claimed` are the bits that the printed BPB stands for over official bytes.

    `balanced` tells that the losses watched add up to the printed loss; `watched_loss` is their mean in nats. `fixed`
    tells that the line is the claimed one, not just the last with a BPB. `setting` names what was changed besides
    scale; `outcome` is "scored", or a sentence where nothing can be counted. `bytes_per_token` is what loss and BPB of
    the line imply, beside the official figure. `lowest` is the lowest loss of all printed lines, in nats per token: it
    may be of training or of another pass, so nothing is judged by it.
    """

    setting: str
    seed: int
    outcome: str
    line: str | None = None
    loss: float | None = None
    bpb: float | None = None
    letters: int = 0
    claimed: float | None = None
    bound: float | None = None
    byte_claimed: float | None = None
    balanced: bool = False
    fixed: bool = False
    bytes_per_token: float | None = None
    official_bytes_per_token: float | None = None
    watched_loss: float | None = None
    lowest: float | None = None

    @property
    def surplus(self) -> float | None:
        """Bits that the claim lies below the bound."""
        return None if self.claimed is None or self.bound is None else self.bound - self.claimed

    @property
    def byte_surplus(self) -> float | None:
        """The same for the bits that the printed BPB stands for."""
        return None if self.byte_claimed is None or self.bound is None else self.bound - self.byte_claimed


@dataclasses.dataclass(frozen=True)
class Incompressibility:
    """Tokens of a known law cannot be compressed below it: `status` is proved, doubtful, clear or not_covered, `reason` one
    sentence.

    `evidence` is the total in bits (P < 2 ** -evidence for any valid predictor), None where nothing was counted;
    `byte_evidence` the same for the printed BPB. `invented` tells that the number did not follow the data at all.
    """

    status: str
    reason: str
    runs: tuple[RandomRun, ...] = ()
    vocab_size: int = 0
    evidence: float | None = None
    byte_evidence: float | None = None
    invented: bool = False


@dataclasses.dataclass(frozen=True)
class Move:
    """How far the losses of one stretch of the order of scoring moved: the largest change in nats, and how many moved.

    `first` and `last` are ranks in the order of scoring."""

    first: int
    last: int
    largest: float
    moved: int


@dataclasses.dataclass(frozen=True)
class Future:
    """What is scored later was changed: did losses scored before, or the artifact, change with it?

    `status` is proved, doubtful, clear or not_covered. `changed` val tokens were exchanged, all scored after rank `cut`;
    `compared` losses scored before were compared and `moved` of them moved by more than `tolerance` nats, `largest` the
    most; `first_position` is the first in order of scoring, `ahead` the number of tokens from it to the first
    exchanged one (None where scoring does not follow the stream). `artifact` is "same", "changed", "not_deterministic"
    or "unknown", `artifact_file` its name. `also` is the rank of a second cut that showed no more.
    `answers` are the bets on the exchanged tokens, which were drawn at random. `own` is by how much the prediction of the
    first exchanged token moved, in units of its scores: it was made from what stayed the same. It is 0 within the noise of
    the predictions before it, and None where it could not be compared.
    """

    status: str
    reason: str
    changed: int = 0
    cut: int = 0
    compared: int = 0
    moved: int = 0
    largest: float = 0.0
    tolerance: float = 0.0
    first_position: int | None = None
    ahead: int | None = None
    artifact: str = "unknown"
    artifact_file: str | None = None
    moves: tuple[Move, ...] = ()
    also: int | None = None
    answers: Answers | None = None
    own: float | None = None


@dataclasses.dataclass(frozen=True)
class Again:
    """The same run once more, among the files that the first one left: `status` is doubtful, clear or not_covered.

    `first` and `second` are the claimed lines as printed.
    """

    status: str
    reason: str
    first: str | None = None
    second: str | None = None


@dataclasses.dataclass(frozen=True)
class Transplant:
    """The artifact of a run on other training data, read in the place of the script's own: what does the score rest on?

    `status` is doubtful, clear or not_covered. `own`, `other` and `transplanted` are the claimed lines of the audit's own
    run, of the run on other training data, and of the first run again with the artifact of the second. `files` are the
    names that were exchanged. `shards` is what exchanging the training shards instead, when the artifact is read, did to
    the score: "same", "changed", "doubtful" (changed, and the books do not balance), "unknown", or "not_asked"; `without`
    is the line that was printed then. `among` tells that the run with the other artifact found all that the first had left.
    """

    status: str
    reason: str
    files: tuple[str, ...] = ()
    own: str | None = None
    other: str | None = None
    transplanted: str | None = None
    shards: str = "not_asked"
    shards_reason: str = ""
    without: str | None = None
    among: bool = False


@dataclasses.dataclass(frozen=True)
class Reach:
    """Change of the losses in nats at the `first` to the `last` token after BOS, of so many `tokens`."""

    first: int
    last: int
    tokens: int
    mean: float
    largest: float


@dataclasses.dataclass(frozen=True)
class Neighbour:
    """The documents before every second one were given another text: how far did its losses move? A measurement only.

    `status` is clear or not_covered. Of `documents` whose own text stayed `moved` have a loss that moved; `mean` and
    `largest` are over all their tokens, in nats.
    """

    status: str
    reason: str
    documents: int = 0
    moved: int = 0
    mean: float = 0.0
    largest: float = 0.0
    reaches: tuple[Reach, ...] = ()


@dataclasses.dataclass(frozen=True)
class ProbeFacts:
    """What each probe found; None where it was not asked."""

    incompressibility: Incompressibility | None = None
    future: Future | None = None
    again: Again | None = None
    repeating: Incompressibility | None = None
    transplant: Transplant | None = None
    neighbour: Neighbour | None = None
