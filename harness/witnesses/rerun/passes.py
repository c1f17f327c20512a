"""The passes of a submission's own evaluation, rebuilt from the loss calls that were noted at its boundary.

A pass ends where the script prints a score. Of a position that several windows show, the loss with the most context
counts, as in every sliding evaluation.
"""

from __future__ import annotations

import copy
import dataclasses
import math
import struct
from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.witnesses.rerun.locate import Index, Locator

SCORE, TRAIN, STEP, READ, PRINT, BACKWARD = range(1, 7)
_HEADER = struct.Struct("<4Iq")
_LARGEST = 2**28


@dataclasses.dataclass(frozen=True)
class Call:
    """One record of one process: kind, time in nanoseconds, row length, targets [n], losses [n] where they are known;
    `coarse`: each is the mean of the call.
    """

    kind: int
    time: int
    row: int
    targets: npt.NDArray[np.uint16]
    losses: npt.NDArray[np.float32] | None
    text: str
    coarse: bool = False


@dataclasses.dataclass(frozen=True)
class Pass:
    """One evaluation: the lines printed after it, losses [targets] (NaN where not seen), when each was scored and first
    trained on (nanoseconds, 0 where never), how many calls scored and how many trained.

    `coarse` says that of some calls only the mean loss is known, as where it is computed inside a compiled model.
    `with_gradients` is the same pass where losses under gradients count as scores too: some evaluations score and train by
    one forward pass. Which of the two is meant, the printed loss says (:meth:`read_as`).
    """

    lines: tuple[str, ...]
    losses: npt.NDArray[np.float32]
    scored_at: npt.NDArray[np.int64]
    trained_at: npt.NDArray[np.int64]
    score_calls: int
    train_calls: int
    steps: int
    seconds: float
    with_gradients: Pass | None = None
    coarse: bool = False

    def read_as(self, printed_loss: float | None) -> Pass:
        """The reading whose mean loss is nearer to the printed one; without one, that in which more was scored."""
        other = self.with_gradients
        if other is None:
            return self
        mine, its = self.mean, other.mean
        if printed_loss is None or math.isnan(mine) or math.isnan(its):
            return other if other.seen > self.seen else self
        return other if abs(its - printed_loss) < abs(mine - printed_loss) else self

    @property
    def mean(self) -> float:
        """The mean loss of what was scored, in nats; NaN where nothing was."""
        return float(np.nanmean(self.losses, dtype=np.float64)) if self.seen else math.nan

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
            kind, number, row, known, time = _HEADER.unpack(head)
            if number > _LARGEST or kind not in range(1, 7) or known not in (0, 1, number):
                return
            holds_tokens = kind in (SCORE, TRAIN)
            data = file.read((2 if holds_tokens else 1) * number)
            nats = file.read(4 * known) if holds_tokens else b""
            if len(data) != (2 if holds_tokens else 1) * number or len(nats) != 4 * known * holds_tokens:
                return
            targets = np.frombuffer(data if holds_tokens else b"", "<u2")
            losses = np.frombuffer(nats, "<f4") if known else None
            text = "" if holds_tokens else data.decode("utf-8", errors="replace")
            coarse = losses is not None and losses.size < number
            if losses is not None and coarse:
                losses = np.full(number, losses[0])
            yield Call(kind, time, row, targets, losses, text, coarse)


def adapts(file: Path) -> bool:
    """Whether the process took gradients or optimizer steps after it had read its artifact."""
    read = False
    for call in read_calls(file):
        read = read or call.kind == READ
        if read and call.kind in (STEP, BACKWARD):
            return True
    return False


def rebuild(
    files: list[Path],
    targets: npt.NDArray[np.uint16],
    running: Collection[str] = (),
    bos: int | None = None,
) -> list[Pass]:
    """The passes of a run, from the records of all its processes; `targets` are val tokens 1..

    Lines in `running` are figures on the way, and end no pass. A gradient of `bos` is none of a val token: scripts put one
    before each document that they train on, and where documents begin everybody may know.
    """
    prints = [c for c in read_calls(files[0]) if c.kind == PRINT and c.text.strip()[:300] not in running]
    ends = [c.time for c in prints] + [np.iinfo(np.int64).max]
    makers = [_Maker(targets.size, end, bos) for end in [*(c.time for c in prints), 0]]
    index = Index(targets)
    for file in files:
        locator = Locator(index)
        before = None
        for call in read_calls(file):
            maker = makers[int(np.searchsorted(ends, call.time))]
            if maker is not before:
                locator.restart()
                before = maker
            maker.add(call, locator)
    made: list[Pass] = []
    for maker, text in zip(makers, [*(c.text for c in prints), ""], strict=True):
        if not maker.empty:
            made.append(maker.made((text,)))
        elif made and text:
            made[-1] = dataclasses.replace(made[-1], lines=(*made[-1].lines, text))
    return made


class _Scores:
    """The losses of one pass by one reading of its calls: of a position that several rows show, that with most context."""

    def __init__(self, size: int) -> None:
        self.losses = np.full(size, np.nan, np.float32)
        self.context = np.full(size, -1, np.int32)
        self.scored_at = np.zeros(size, np.int64)
        self.calls = 0

    def add(
        self,
        at: npt.NDArray[np.int64],
        context: npt.NDArray[np.int64],
        nats: npt.NDArray[np.float32],
        time: int,
    ) -> None:
        self.calls += 1
        more = np.flatnonzero(context > self.context[at])
        # Of several in one call the last assignment stays.
        more = more[np.argsort(context[more], kind="stable")]
        at = at[more]
        self.context[at] = context[more]
        self.losses[at] = nats[more]
        self.scored_at[at] = time


class _Maker:
    """One pass as it is read; its arrays are made when the first known position comes.

    `end` is when its score was printed (0: never): calls are noted when they are given to a GPU, which may lag behind.
    `scores` takes calls without gradients, `forwards` those with gradients as well.
    """

    def __init__(self, size: int, end: int, bos: int | None) -> None:
        self.size, self.end, self.bos = size, end, bos
        self.scores: _Scores | None = None
        self.forwards: _Scores | None = None
        self.trained_at = np.zeros(size, np.int64)
        self.train_calls = self.steps = 0
        self.times: list[int] = []
        self.coarse = False

    @property
    def empty(self) -> bool:
        return not (self.scores or self.train_calls)

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
        if call.kind == TRAIN:
            self.train_calls += 1
            first = at[(self.trained_at[at] == 0) & (call.targets[known] != self.bos)]
            self.trained_at[first] = call.time
        if call.losses is None:
            return
        nats, self.coarse = call.losses[known], self.coarse or call.coarse
        if call.kind == TRAIN and self.forwards is None:
            self.forwards = copy.deepcopy(self.scores) or _Scores(self.size)
        if call.kind == SCORE:
            self.scores = self.scores or _Scores(self.size)
            self.scores.add(at, context, nats, call.time)
        if self.forwards is not None:
            self.forwards.add(at, context, nats, call.time)

    def made(self, lines: tuple[str, ...]) -> Pass:
        other = self._made(lines, self.forwards, None) if self.forwards else None
        return self._made(lines, self.scores or _Scores(self.size), other)

    def _made(self, lines: tuple[str, ...], scores: _Scores, other: Pass | None) -> Pass:
        return Pass(
            lines=lines,
            losses=scores.losses,
            scored_at=scores.scored_at,
            trained_at=self.trained_at,
            score_calls=scores.calls,
            train_calls=self.train_calls,
            steps=self.steps,
            seconds=(max(self.times[-1], self.end) - self.times[0]) / 1e9 if self.times else 0.0,
            with_gradients=other,
            coarse=self.coarse,
        )
