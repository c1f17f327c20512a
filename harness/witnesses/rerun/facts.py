"""What a rerun found: plain frozen data, for rules and reports."""

from __future__ import annotations

import dataclasses

from harness.witnesses.rerun.quantization import Comparison, Yardstick


@dataclasses.dataclass(frozen=True)
class Machine:
    """Where it ran. `official` says eight H100, the only hardware whose times can be held against 600 s; `emulated` that
    one CPU stood for the GPUs at small scale, with a virtual clock.
    """

    device: str
    hardware: str
    processes: int
    torch: str
    emulated: bool
    official: bool


@dataclasses.dataclass(frozen=True)
class Step:
    """One step: its time in seconds, its largest memory in bytes (of one process; 0 where not measured), what it did."""

    name: str
    seconds: float
    memory_bytes: int
    told: str
    done: bool = True


@dataclasses.dataclass(frozen=True)
class Artifact:
    """The file that the script wrote and read back. `again` says what became of it when its own tail ran once more on the
    captured float weights: "identical", a sentence on the difference, or why it was not made again. `loaded` says whether a
    fresh process that loaded it had the weights that scored, to the bit (None: not tried), `loaded_told` how that went.
    """

    name: str
    bytes: int
    sha256: str
    code_bytes: int
    again: str
    loaded: bool | None = None
    loaded_told: str = "not loaded again"

    @property
    def total_bytes(self) -> int:
        """Code and compressed model."""
        return self.bytes + self.code_bytes


@dataclasses.dataclass(frozen=True)
class Measured:
    """Our own score of one set of weights: "decoded", "float", "int8", "int6". `failed` says why there is none; `flops` are
    those of all windows with every position's logits, `memory_bytes` the largest of one process.
    """

    weights: str
    loss: float | None = None
    bpb: float | None = None
    positions: int = 0
    bytes: int = 0
    seconds: float = 0.0
    flops: int = 0
    memory_bytes: int = 0
    way: str = ""
    notes: tuple[str, ...] = ()
    failed: str | None = None


@dataclasses.dataclass(frozen=True)
class OwnPass:
    """One pass of the submission's own evaluation, rebuilt from the losses at its boundary.

    `printed_loss` and `printed_bpb` are what its line says, `loss` and `bpb` what the seen losses and our bytes give.
    `trained_before` counts positions with a gradient taken before their counted score; `seconds` lie between the first and
    the last call, by the real clock. `trained_earlier` counts positions with a gradient in an earlier pass over val:
    whether that reached this one, its boundary does not show. `coarse`: losses are known as means of calls alone.
    """

    line: str
    claimed: bool
    positions: int
    loss: float | None
    bpb: float | None
    printed_loss: float | None
    printed_bpb: float | None
    score_calls: int
    train_calls: int
    steps: int
    trained_before: int
    seconds: float
    trained_earlier: int = 0
    coarse: bool = False


@dataclasses.dataclass(frozen=True)
class Bucket:
    """Tokens whose loss changed by between `low` and `high` nats: how many, and what they contribute to the mean change."""

    low: float
    high: float
    tokens: int
    nats: float


@dataclasses.dataclass(frozen=True)
class TokenChange:
    """All occurrences of one token: its text, how many, their mean change in nats, and what they contribute to the mean of
    all.
    """

    text: str
    tokens: int
    mean: float
    nats: float


@dataclasses.dataclass(frozen=True)
class Change:
    """Losses of one pass beside another, token by token: who gained. Negative is a gain. `gainers` and `losers` are the
    tokens of the vocabulary that contribute most, the largest contribution first.
    """

    title: str
    positions: int
    mean: float
    gained: float
    lost: float
    histogram: tuple[Bucket, ...]
    by_difficulty: tuple[Bucket, ...]
    along: tuple[float, ...]
    gainers: tuple[TokenChange, ...] = ()
    losers: tuple[TokenChange, ...] = ()


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How the script's own run ended, and what it printed: score, clocks in seconds, sizes in bytes."""

    outcome: str
    reason: str
    line: str | None = None
    loss: float | None = None
    bpb: float | None = None
    train_s: float | None = None
    eval_s: float | None = None


@dataclasses.dataclass(frozen=True)
class Claimed:
    """The claimed score beside what was measured. `tolerance` comes from the spread of the claimed seeds (where one more
    run is expected), else it is the usual one of the challenge's records. `comparable` says that the weights were trained
    on the challenge's hardware, or given.
    """

    bpb: float | None
    measured: float | None
    source: str
    tolerance: float
    tolerance_from: str
    comparable: bool


@dataclasses.dataclass(frozen=True)
class RerunFacts:
    """Everything that a rerun found. What it did not come to is empty, and `notes` says why. `trained` is False where an
    artifact was given.
    """

    machine: Machine
    length: int
    stride: int
    documents: int
    targets: int
    outcome: Outcome
    claimed: Claimed
    steps: tuple[Step, ...] = ()
    artifact: Artifact | None = None
    measured: tuple[Measured, ...] = ()
    quantization: Comparison | None = None
    yardsticks: tuple[Yardstick, ...] = ()
    passes: tuple[OwnPass, ...] = ()
    changes: tuple[Change, ...] = ()
    overrides: tuple[tuple[str, str, str], ...] = ()
    notes: tuple[str, ...] = ()
    trained: bool = True

    @property
    def finished(self) -> bool:
        """Whether every step came to its end."""
        return all(s.done for s in self.steps)
