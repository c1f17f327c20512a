"""Lets a script written for 8xH100 run unmodified, with every feature, on one CPU thread.

`install` must run before the script imports anything: several parts replace modules that torch itself imports lazily.
Nothing is undone: the process exists for one script.
"""

from __future__ import annotations

from typing import Any

from . import (
    attention,
    clock,
    compiler,
    compression,
    cuda,
    determinism,
    distributed,
    dtypes,
    exchange,
    optimizers,
    packages,
    tools,
    triton,
)
from .mode import EmulatorMode


def install(config: dict[str, Any]) -> EmulatorMode:
    """Install every part and return the mode, already active in this thread and in every thread started later."""
    determinism.install(int(config.get("seed", 0)))
    compiler.install()
    mode = EmulatorMode()
    virtual = clock.install(mode, config.get("clock") or {})
    dtypes.install()
    cuda.install(virtual)
    attention.install()
    if config.get("one_process", True):
        distributed.install(bool(config.get("torchrun", True)))
    optimizers.install()
    triton.install()
    packages.install()
    compression.install()
    tools.install(config)
    exchange.install(config)
    mode.activate()
    return mode
