"""The book of events: what happened, in order, written as it happens to plain files that the outside reads.

`events.jsonl` has one object per event; numbers by position lie in raw arrays beside it: `scores.bin` (int32 position,
float32 loss in nats, int32 leak, int32 kind of leak, float32 sketch of the whole prediction), `codes.bin` (int64) and
`values.bin` (float64). Nothing here judges.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any, TextIO

import numpy as np

from .. import branches

SCORE = np.dtype([("position", "<i4"), ("loss", "<f4"), ("leak", "<i4"), ("kind", "<i4"), ("sketch", "<f4")])
NODE = 1 << 40  # codes from here on name a node (a sum of codes); below, a row of scores.bin; -1 is nothing
LEARNING = ("backward", "update", "taken")
"""Events that say from which val positions a model was changed."""
_MAX_EVENTS = 400_000
_MAX_CODES = 30_000_000
_MAX_FRAMES = 8


class Ledger:
    """Writes events. `root` is the folder of the submission: frames below it are the script's own."""

    def __init__(self, folder: str, root: str) -> None:
        os.makedirs(folder, exist_ok=True)
        self._folder = folder
        self._root = root.rstrip("/") + "/"
        self._child: TextIO | None = None
        # Open as long as the script runs: `close` closes them at every way out.
        self._events = open(os.path.join(folder, "events.jsonl"), "w", buffering=1 << 16)  # noqa: SIM115
        self._scores = open(os.path.join(folder, "scores.bin"), "wb", buffering=1 << 20)  # noqa: SIM115
        self._codes = open(os.path.join(folder, "codes.bin"), "wb", buffering=1 << 20)  # noqa: SIM115
        self._values = open(os.path.join(folder, "values.bin"), "wb", buffering=1 << 20)  # noqa: SIM115
        self._stacks: dict[tuple[tuple[str, int, str, int], ...], int] = {}
        self.sequence = 0
        self.rows = 0
        self._code_rows = 0
        self._value_rows = 0
        self.nodes: list[np.ndarray] = []
        self.coarse: set[int] = set()
        self._positions = np.empty(1 << 16, np.int32)
        self.closed = False

    def become_child(self) -> None:
        """In a forked child: leave the parent's files alone, and from now on write only what is learned from val."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for file in (self._events, self._scores, self._codes, self._values):
            if not file.closed:
                os.dup2(
                    nowhere, file.fileno()
                )  # what the parent has not written yet lies in the child's buffers too
        os.close(nowhere)
        self._child = open(os.path.join(self._folder, "children.jsonl"), "a", buffering=1)  # noqa: SIM115

    def _child_event(self, kind: str, fields: dict[str, Any]) -> None:
        if kind in LEARNING and fields.get("p") and self._child is not None and self.sequence < _MAX_EVENTS:
            self._child.write(json.dumps({"e": kind, "p": fields["p"]}, separators=(",", ":")) + "\n")

    def event(self, kind: str, **fields: Any) -> int:
        """Write one event and return its sequence number, from 1."""
        self.sequence += 1
        branches.event(self.sequence)
        if self._child is not None:
            self._child_event(kind, fields)
            return self.sequence
        if self.closed:
            return self.sequence
        if self.sequence > _MAX_EVENTS:
            self._write({"e": "overflow", "q": self.sequence})
            self.close()
            return self.sequence
        self._write({"e": kind, "q": self.sequence, **fields})
        return self.sequence

    def _write(self, record: dict[str, Any]) -> None:
        self._events.write(json.dumps(record, separators=(",", ":"), allow_nan=True) + "\n")

    def called_by_script(self) -> bool:
        """Does the function that asks have the script as its immediate caller?"""
        return sys._getframe(2).f_code.co_filename.startswith(self._root)

    def stack(self) -> int:
        """The number of the present stack of script frames, innermost first."""
        frames: list[tuple[str, int, str, int]] = []
        frame = sys._getframe(1)
        while frame is not None and len(frames) < _MAX_FRAMES:
            name = frame.f_code.co_filename
            if name.startswith(self._root):
                frames.append(
                    (
                        name[len(self._root) :],
                        frame.f_lineno,
                        frame.f_code.co_name,
                        frame.f_code.co_firstlineno,
                    )
                )
            frame = frame.f_back  # type: ignore[assignment]
        key = tuple(frames)
        number = self._stacks.get(key)
        if number is None:
            number = self._stacks[key] = len(self._stacks)
            if not self.closed:
                self._write({"e": "stack", "id": number, "frames": frames})
        return number

    def scores(
        self,
        positions: np.ndarray,
        losses: np.ndarray,
        leaks: np.ndarray,
        kinds: np.ndarray,
        sketch: np.ndarray,
    ) -> int:
        """Append rows to scores.bin; returns the number of the first."""
        first = self.rows
        block = np.empty(len(positions), SCORE)
        block["position"], block["loss"], block["leak"], block["kind"] = positions, losses, leaks, kinds
        block["sketch"] = sketch
        if not self.closed:
            self._scores.write(block.tobytes())
        while self.rows + len(block) > len(self._positions):
            self._positions = np.concatenate([self._positions, np.empty_like(self._positions)])
        self._positions[first : first + len(block)] = positions
        self.rows += len(block)
        return first

    def positions_of(self, rows: np.ndarray) -> np.ndarray:
        """The val positions of rows of scores.bin."""
        found: np.ndarray = self._positions[rows]
        return found

    def codes(self, codes: np.ndarray) -> tuple[int, int]:
        """Append to codes.bin; returns (first row, count)."""
        first = self._code_rows
        if first + len(codes) > _MAX_CODES and not self.closed:
            self._write({"e": "overflow", "q": self.sequence})
            self.close()
        if not self.closed:
            self._codes.write(codes.astype("<i8").tobytes())
        self._code_rows += len(codes)
        return first, len(codes)

    def values(self, values: np.ndarray) -> int:
        """Append to values.bin; returns the first row."""
        first = self._value_rows
        if not self.closed:
            self._values.write(values.astype("<f8").tobytes())
        self._value_rows += len(values)
        return first

    def node(self, codes: np.ndarray, coarse: bool = False) -> int:
        """The code of the sum of `codes`; -1 for an empty sum, the code itself for a sum of one.

        A coarse node is a set: what it is made of, not how often. A set of one set is that set.
        """
        codes = codes[codes >= 0]
        if coarse:
            codes = np.unique(codes)
        if len(codes) == 0:
            return -1
        if len(codes) == 1 and (not coarse or int(codes[0]) - NODE in self.coarse):
            return int(codes[0])
        first, count = self.codes(codes)
        number = len(self.nodes)
        if coarse:
            self.coarse.add(number)
        self.nodes.append(codes)
        if not self.closed:
            self._write({"e": "node", "id": number, "o": first, "n": count, "c": int(coarse)})
        return NODE + number

    def flush(self) -> None:
        """Bring everything to disk."""
        for file in (self._events, self._scores, self._codes, self._values):
            if not file.closed:
                file.flush()

    def close(self) -> None:
        """Bring everything to disk and take no more."""
        self.closed = True
        for file in (self._events, self._scores, self._codes, self._values):
            if not file.closed:
                file.close()


def runs(positions: np.ndarray) -> list[int]:
    """Sorted positions as a flat list of half-open runs [a0, b0, a1, b1, ...]."""
    if not len(positions):
        return []
    breaks = np.nonzero(np.diff(positions) != 1)[0]
    starts = np.concatenate([[0], breaks + 1])
    ends = np.concatenate([breaks, [len(positions) - 1]])
    return np.stack([positions[starts], positions[ends] + 1], 1).reshape(-1).tolist()
