"""Processes that work beside this one, each on one task: what dies, hangs or breaks down takes only its own task along."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import multiprocessing
import multiprocessing.connection
import os
import resource
import signal
import threading
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

_PRELOAD = ["harness.sweep.work"]


@dataclasses.dataclass(frozen=True)
class Done:
    """How a task ended: its result, or a sentence on what went wrong; `died` where its process ended in the middle of it.
    `seconds` are of the clock on the wall."""

    key: object
    result: Any
    problem: str
    seconds: float
    died: bool = False


@dataclasses.dataclass
class _Worker:
    process: multiprocessing.process.BaseProcess
    pipe: Connection
    key: object = None
    since: float = 0.0
    busy: bool = False


class Pool:
    """`processes` workers. A task gets `limit_s` seconds; `fresh` gives each a new process; `bytes_each` bounds a worker's
    memory (None: unbounded, where its children have bounds of their own).

    Workers are forked from a server that has loaded the auditor and no more. They die with this process, as it does then.
    """

    def __init__(self, processes: int, limit_s: float, *, fresh: bool, bytes_each: int | None) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(_PRELOAD)
        self._limit_s, self._fresh, self._bytes = limit_s, fresh, bytes_each
        self._workers = [self._start() for _ in range(processes)]

    @property
    def free(self) -> bool:
        """Whether a task can be started now."""
        return any(not w.busy for w in self._workers)

    @property
    def busy(self) -> bool:
        """Whether a task is under way."""
        return any(w.busy for w in self._workers)

    def submit(self, key: object, function: Callable[..., Any], *arguments: Any) -> None:
        """Start a task; `key` comes back with its end."""
        worker = next(w for w in self._workers if not w.busy)
        worker.key, worker.since, worker.busy = key, time.monotonic(), True
        with contextlib.suppress(OSError):  # it died while it was idle: wait() finds it dead and says so
            worker.pipe.send((function, arguments))

    def wait(self, patience_s: float = math.inf) -> list[Done]:
        """The tasks that have ended; waits until one has, or for so long."""
        end = time.monotonic() + patience_s
        while True:
            busy = [w for w in self._workers if w.busy]
            left = max(0.0, min(1.0, end - time.monotonic()))
            multiprocessing.connection.wait([w.pipe for w in busy], timeout=left)
            ended = [done for w in busy if (done := self._ended(w)) is not None]
            if ended or not busy or time.monotonic() >= end:
                return ended

    def close(self) -> None:
        """End every worker, and what it was doing."""
        for worker in self._workers:
            self._end(worker)

    def _ended(self, worker: _Worker) -> Done | None:
        took = time.monotonic() - worker.since
        dead = not worker.process.is_alive()
        try:
            answer = worker.pipe.recv() if worker.pipe.poll() else None
        except (EOFError, OSError):
            answer, dead = None, True
        if answer is not None:
            key = worker.key
            worker.busy = False
            if self._fresh or dead:
                self._replace(worker)
            return Done(key, answer[0], answer[1], took)
        if not dead and took <= self._limit_s:
            return None
        self._end(worker)
        code = worker.process.exitcode or 0
        how = f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"
        why = (
            f"The process that audited it {how}."
            if dead
            else f"The audit took longer than {self._limit_s:.0f} s."
        )
        key = worker.key
        self._replace(worker)
        return Done(key, None, why, took, died=dead)

    def _start(self) -> _Worker:
        ours, theirs = multiprocessing.Pipe()
        process = self._context.Process(target=_serve, args=(theirs, self._bytes), daemon=False)
        process.start()
        theirs.close()
        return _Worker(process, ours)

    def _end(self, worker: _Worker) -> None:
        worker.pipe.close()
        worker.process.kill()
        worker.process.join()

    def _replace(self, worker: _Worker) -> None:
        self._end(worker)
        self._workers[self._workers.index(worker)] = self._start()


def _die_with_parent() -> None:
    """End this process when the one that started the pool ends.

    A signal at the parent's death would not do: the parent is the server that forks workers, and it lives as long as one
    of them does.
    """
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGKILL)


def _serve(pipe: Connection, bytes_each: int | None) -> None:
    """What a worker does: tasks from the pipe, one after the other, until it is closed."""
    threading.Thread(target=_die_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if bytes_each is not None:
        resource.setrlimit(resource.RLIMIT_AS, (bytes_each, bytes_each))
    while True:
        try:
            function, arguments = pipe.recv()
        except EOFError:
            return
        try:
            answer = (function(*arguments), "")
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            answer = (None, f"{type(error).__name__}: {error} ({Path(place.filename).name}:{place.lineno})")
        pipe.send(answer)
