"""The virtual clock: time passes with the main thread's work and sleeps, the same way in every run.

A call of torch costs CALL_SECONDS, a reading READ_SECONDS (so that no wait spins for ever), a sleep its length. The
first `steps` optimizer steps that follow a backward pass cost `step_seconds` each: that share of the training budget
that a step has in the claimed run, so that schedules which look at the clock pass through all their phases. Later
steps (test-time training) cost a hundredth of that. Backward passes that no optimizer step follows (updates written by
hand, in loops that run until a time) cost a sixty-fourth each, once there are more than gradient accumulation explains.
Timeouts of child processes and thread waits stay real: the
standard library took its own references to the real clock before this was installed.
"""

from __future__ import annotations

import concurrent.futures  # imported early: they keep the real clock
import datetime
import queue
import subprocess
import threading
import time
from typing import Any

import torch
from torch.optim.optimizer import register_optimizer_step_pre_hook

from .mode import EmulatorMode

KEEP_REAL_TIME = (concurrent.futures, queue, subprocess, threading)

EPOCH = 1_775_001_600.0  # 2026-04-01 00:00:00 UTC
CALL_SECONDS = 1e-5
READ_SECONDS = 1e-6
REAL_SLEEP_SECONDS = 0.002
ACCUMULATED = 16  # so many backward passes in a row may belong to one optimizer step


class VirtualClock:
    """Seconds since the start, for the main thread; other threads see it with their own readings added."""

    def __init__(self, mode: EmulatorMode, step_seconds: float, steps: int) -> None:
        self.mode = mode
        self.step_seconds = step_seconds
        self.steps_left = steps
        self.extra = 0.0
        self.main = threading.get_ident()
        self.local = threading.local()
        self.grads_pending = False
        self.without_step = 0

    def now(self) -> float:
        """Seconds since the start; advances a little at each reading."""
        if threading.get_ident() == self.main:
            self.extra += READ_SECONDS
            own = 0.0
        else:
            own = self.local.own = getattr(self.local, "own", 0.0) + READ_SECONDS
        return self.mode.calls * CALL_SECONDS + self.extra + own

    def advance(self, seconds: float) -> None:
        """Let time pass; in another thread than the main one, only for that thread."""
        if threading.get_ident() == self.main:
            self.extra += seconds
        else:
            self.local.own = getattr(self.local, "own", 0.0) + seconds

    def backward_done(self) -> None:
        """Note that gradients were computed: the next optimizer step ends a training step."""
        self.grads_pending = True
        self.without_step += 1
        if self.without_step > ACCUMULATED and threading.get_ident() == self.main:
            self.extra += self.step_seconds / 64

    def step_done(self) -> None:
        """Charge one training step, once however many optimizers make it up."""
        if not self.grads_pending or threading.get_ident() != self.main:
            return
        self.grads_pending = False
        self.without_step = 0
        if self.steps_left > 0:
            self.steps_left -= 1
            self.extra += self.step_seconds
        else:
            self.extra += self.step_seconds / 100


def install(mode: EmulatorMode, config: dict[str, Any]) -> VirtualClock:
    """Replace the clocks of `time` and `datetime`. `config` may hold step_seconds and steps."""
    clock = VirtualClock(mode, float(config.get("step_seconds", 0.0)), int(config.get("steps", 0)))
    _replace_time(clock)
    _replace_datetime(clock)
    _charge_training_steps(clock)
    return clock


def _replace_time(clock: VirtualClock) -> None:
    real_sleep = time.sleep
    localtime, gmtime, strftime, ctime = time.localtime, time.gmtime, time.strftime, time.ctime

    def sleep(seconds: float) -> None:
        clock.advance(seconds)
        real_sleep(min(seconds, REAL_SLEEP_SECONDS))  # other threads and child processes need a turn

    def wall() -> float:
        return EPOCH + clock.now()

    module: Any = time
    for name in ("perf_counter", "monotonic", "process_time", "thread_time"):
        setattr(module, name, clock.now)
        setattr(module, name + "_ns", lambda: int(clock.now() * 1e9))
    module.time = wall
    module.time_ns = lambda: int(wall() * 1e9)
    module.sleep = sleep
    module.localtime = lambda seconds=None: localtime(wall() if seconds is None else seconds)
    module.gmtime = lambda seconds=None: gmtime(wall() if seconds is None else seconds)
    module.ctime = lambda seconds=None: ctime(wall() if seconds is None else seconds)
    module.strftime = lambda fmt, t=None: strftime(fmt, localtime(wall()) if t is None else t)


def _replace_datetime(clock: VirtualClock) -> None:
    class Datetime(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Datetime:
            return cls.fromtimestamp(EPOCH + clock.now(), tz)

        @classmethod
        def utcnow(cls) -> Datetime:
            return cls.now(datetime.UTC).replace(tzinfo=None)

        @classmethod
        def today(cls) -> Datetime:
            return cls.now()

    class Date(datetime.date):
        @classmethod
        def today(cls) -> Date:
            return cls.fromtimestamp(EPOCH + clock.now())

    module: Any = datetime
    module.datetime, module.date = Datetime, Date


def _charge_training_steps(clock: VirtualClock) -> None:
    autograd: Any = torch.autograd
    engine = autograd._engine_run_backward

    def run_backward(*args: Any, **kwargs: Any) -> Any:
        clock.backward_done()
        return engine(*args, **kwargs)

    autograd._engine_run_backward = autograd.graph._engine_run_backward = run_backward
    register_optimizer_step_pre_hook(lambda optimizer, args, kwargs: clock.step_done())
