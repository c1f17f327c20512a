"""Sandbox: run a process that can reach nothing else. One interface, several backends (``bubblewrap.py``)."""

from __future__ import annotations

import functools

from harness.sandbox.bubblewrap import Bubblewrap
from harness.sandbox.interface import (
    Completed,
    Limits,
    Mount,
    OnOutput,
    Sandbox,
    SandboxError,
    SandboxUnavailable,
)
from harness.sandbox.results import ResultError, read_result

__all__ = [
    "Bubblewrap",
    "Completed",
    "Limits",
    "Mount",
    "OnOutput",
    "ResultError",
    "Sandbox",
    "SandboxError",
    "SandboxUnavailable",
    "default_sandbox",
    "read_result",
]


@functools.cache
def default_sandbox() -> Sandbox:
    """The sandbox of this machine. Raises SandboxUnavailable, which says what to install or to allow."""
    return Bubblewrap.find()
