"""Notes which val tokens are scored, trained on and printed, while a submission runs.

`install` registers handlers with the emulator's mode; `finish` brings the ledger to disk. The outside reads the ledger
as a stranger's data and trusts nothing in it that does not balance.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import numpy as np
import torch

from .. import branches
from . import children, output, reads, tracked
from .entries import Entries
from .ledger import Ledger
from .state import StateBook
from .stream import ValStream

_MOST_FAILURES = 50
_LEDGER: Ledger | None = None


def install(mode: Any, config: dict[str, Any]) -> None:
    """Watch from now on. `config` has trace_dir, val_stream (npy) and script; `mode` the emulator's `hooks`."""
    global _LEDGER
    ledger = _LEDGER = Ledger(config["trace_dir"], os.path.dirname(os.path.abspath(config["script"])))
    failures = [0]

    def failed(what: str) -> None:
        failures[0] += 1
        if failures[0] <= _MOST_FAILURES:
            ledger.event("hole", t=what[:300], s=ledger.stack())

    stream = ValStream(np.load(config["val_stream"]))
    tracker = tracked.Tracker(ledger, failed)
    tracked.install(tracker)
    book = StateBook(len(stream.tokens), ledger, failed)
    entries = Entries(stream, ledger, tracker, book, failed)
    mode.hooks.update(entries.hooks())
    mode.hooks.update(book.hooks())
    book.watch_modules()
    _watch_kernels(mode, entries)
    _watch_blinding(ledger)
    output.install(ledger)
    reads.install(ledger)
    children.install(ledger)
    ledger.event("begin", n=len(stream.tokens), gram=stream.n)


def _watch_kernels(mode: Any, entries: Entries) -> None:
    """Functions of the script's own that give a loss: autograd functions and custom operators."""
    apply = torch.autograd.Function.apply.__func__  # type: ignore[attr-defined]

    def applied(cls: Any, *args: Any, **kwargs: Any) -> Any:
        return entries.fused(lambda *a, **k: apply(cls, *a, **k), args, kwargs)

    torch.autograd.Function.apply = classmethod(applied)  # type: ignore[assignment]
    define = torch.library.custom_op

    def custom_op(name: str, fn: Any = None, /, **kwargs: Any) -> Any:
        def enter(body: Any) -> Any:
            operator = define(name, body, **kwargs)
            overload = getattr(operator, "_opoverload", None)
            if overload is not None:
                mode.hooks[overload] = entries.fused
                mode.hooks[overload.overloadpacket] = entries.fused
            return operator

        return enter if fn is None else enter(fn)

    torch.library.custom_op = custom_op


def _watch_blinding(ledger: Ledger) -> None:
    """A script that switches the hooks of torch functions off is not watched there: the outside must know."""

    def noted(name: str, original: Any) -> Any:
        def blind(*args: Any, **kwargs: Any) -> Any:
            if ledger.called_by_script():
                ledger.event("blind", by=name, s=ledger.stack())
            return original(*args, **kwargs)

        return blind

    for name in ("DisableTorchFunction", "DisableTorchFunctionSubclass", "_pop_torch_function_stack"):
        setattr(torch._C, name, noted(name, getattr(torch._C, name)))
    for name in ("_pop_mode", "_len_torch_function_stack"):
        if hasattr(torch.overrides, name):
            setattr(torch.overrides, name, noted(name, getattr(torch.overrides, name)))


def finish() -> None:
    """Write what is left; called at every way out of the script."""
    if _LEDGER is not None and not _LEDGER.closed:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, output.Printed):
                stream.drain()
        _LEDGER.event("end")
        _LEDGER.close()
        branches.finish()
