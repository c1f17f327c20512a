"""The passes of a submission's own evaluation, rebuilt from the loss calls that were noted at its boundary.

A pass ends where the script prints a score. Of a position that several windows show, the loss with the most context
counts, as in every sliding evaluation.
"""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.witnesses.rerun.locate import Locator

SCORE, TRAIN, STEP, READ, PRINT, BACKWARD = range(1, 7)
_HEADER = struct.Struct("<4Iq")
_LARGEST = 2**28


@dataclasses.dataclass(frozen=True)
class Call:
    """One record of one process: kind, time in nanoseconds, row length, targets [n], losses [n] where it is a score."""

    kind: int
    time: int
    row: int
    targets: npt.NDArray[np.uint16]
    losses: npt.NDArray[np.float32] | None
    text: str


@dataclasses.dataclass(frozen=True)
class Pass:
    """One evaluation: the lines printed after it, losses [targets] (NaN where not seen), when each was scored and first
    trained on (nanoseconds, 0 where never), how many calls scored and how many trained.
    """

    lines: tuple[str, ...]
    losses: npt.NDArray[np.float32]
    scored_at: npt.NDArray[np.int64]
    trained_at: npt.NDArray[np.int64]
    score_calls: int
    train_calls: int
    steps: int
    seconds: float

    @property
    def seen(self) -> int:
        """Positions that were scored."""
        return int((~np.isnan(self.losses)).sum())

    @property
    def trained_before(self) -> int:
        """Positions of which a gradient was taken before their counted score."""
        return int(((self.trained_at > 0) & (self.scored_at > 0) & (self.trained_at < self.scored_at)).sum())


def read_calls(path: Path) -> Iterator[Call]:
    """The records of one process, in order; what a stranger's file holds beyond a whole record is left."""
    if path.is_symlink() or not path.is_file():
        return
    with path.open("rb") as file:
        while len(head := file.read(_HEADER.size)) == _HEADER.size:
            kind, number, row, has_losses, time = _HEADER.unpack(head)
            if number > _LARGEST or kind not in range(1, 7):
                return
            holds_tokens = kind in (SCORE, TRAIN)
            data = file.read((2 if holds_tokens else 1) * number)
            nats = file.read(4 * number) if has_losses and holds_tokens else b""
            if len(data) != (2 if holds_tokens else 1) * number or len(nats) not in (0, 4 * number):
                return
            targets = np.frombuffer(data if holds_tokens else b"", "<u2")
            losses = np.frombuffer(nats, "<f4") if has_losses else None
            text = "" if holds_tokens else data.decode("utf-8", errors="replace")
            yield Call(kind, time, row, targets, losses, text)


def adapts(file: Path) -> bool:
    """Whether the process took gradients or optimizer steps after it had read its artifact."""
    read = False
    for call in read_calls(file):
        read = read or call.kind == READ
        if read and call.kind in (STEP, BACKWARD):
            return True
    return False


def rebuild(
    files: list[Path], targets: npt.NDArray[np.uint16], row: int, running: Collection[str] = ()
) -> list[Pass]:
    """The passes of a run, from the records of all its processes; `targets` are val tokens 1.., `row` the usual length.

    Lines in `running` are figures on the way, and end no pass.
    """
    prints = [c for c in read_calls(files[0]) if c.kind == PRINT and c.text.strip()[:300] not in running]
    ends = [c.time for c in prints] + [np.iinfo(np.int64).max]
    makers = [_Maker(targets.size) for _ in ends]
    for file in files:
        locator = Locator(targets, row)
        before = None
        for call in read_calls(file):
            maker = makers[int(np.searchsorted(ends, call.time))]
            if maker is not before:
                locator.restart()
                before = maker
            maker.add(call, locator)
    made: list[Pass] = []
    for maker, text in zip(makers, [*(c.text for c in prints), ""], strict=True):
        if maker.score_calls or maker.train_calls:
            made.append(maker.made((text,)))
        elif made and text:
            made[-1] = dataclasses.replace(made[-1], lines=(*made[-1].lines, text))
    return made


class _Maker:
    """One pass as it is read."""

    def __init__(self, size: int) -> None:
        self.losses = np.full(size, np.nan, np.float32)
        self.context = np.full(size, -1, np.int64)
        self.scored_at = np.zeros(size, np.int64)
        self.trained_at = np.zeros(size, np.int64)
        self.score_calls = self.train_calls = self.steps = 0
        self.times: list[int] = []

    def add(self, call: Call, locator: Locator) -> None:
        if call.kind == STEP:
            self.steps += 1
        if call.kind not in (SCORE, TRAIN):
            return
        where, context = locator.locate(call.targets, call.row)
        known = where >= 0
        if not known.any():
            return
        self.times = [min([call.time, *self.times]), max([call.time, *self.times])]
        at, context = where[known], context[known]
        if call.losses is None:
            self.train_calls += 1
            first = at[self.trained_at[at] == 0]
            self.trained_at[first] = call.time
            return
        self.score_calls += 1
        more = np.flatnonzero(context > self.context[at])
        more = more[
            np.argsort(context[more], kind="stable")
        ]  # of several in one call the last assignment stays
        at = at[more]
        self.context[at] = context[more]
        self.losses[at] = call.losses[known][more]
        self.scored_at[at] = call.time

    def made(self, lines: tuple[str, ...]) -> Pass:
        return Pass(
            lines,
            self.losses,
            self.scored_at,
            self.trained_at,
            self.score_calls,
            self.train_calls,
            self.steps,
            (self.times[-1] - self.times[0]) / 1e9 if self.times else 0.0,
        )
