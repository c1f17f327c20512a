"""Where losses are computed without a compiler in between: targets and losses of each call, written as they come.

Only `F.cross_entropy`, backward passes, optimizer steps and printed scores are noted, from the moment the script writes its
first file on. Which val positions the targets are is found afterwards, outside. On a GPU the copies are asynchronous.

The file is a sequence of records: 4 uint32 (kind, number, row length or 0, how many losses follow) and nanoseconds as
int64; then for SCORE and TRAIN `number` targets as uint16 and the float32 losses that follow: none, one for each target, or
their mean alone; for PRINT and READ `number` bytes of text.
"""

from __future__ import annotations

import builtins
import struct
import time
from collections import deque
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch.optim.optimizer import register_optimizer_step_pre_hook

SCORE, TRAIN, STEP, READ, PRINT, BACKWARD = range(1, 7)
HEADER = struct.Struct("<4Iq")
NO_TOKEN = 0xFFFF
_MOST_WAITING = 64
_LONGEST_PRINT = 400


class Calls:
    """The file of one process. Nothing is written before `open` is set."""

    def __init__(self, path: Path, clock: Any) -> None:
        self.open = False
        self.noted = 0
        self._file = path.open("wb", buffering=1 << 20)
        self._clock = clock
        self._waiting: deque[tuple[bytes, torch.Tensor, torch.Tensor | None, Any]] = deque()
        self.before_score: Any = None
        """Called with no arguments before the first noted call, backward pass or step."""

    def mark(self, kind: int, payload: bytes = b"") -> None:
        """Note something that holds no tokens."""
        if self.open:
            self._flush(0)
            self._file.write(HEADER.pack(kind, len(payload), 0, 0, self._clock()) + payload)

    def loss(self, target: torch.Tensor, per_token: torch.Tensor | None, kind: int) -> None:
        """Note the targets of one call, and in nats the loss of each, or their mean, where it is known.

        A call under gradients may be both: per-document adaptation scores a chunk and trains on it by one forward pass.
        """
        self.noted += 1
        row = int(target.shape[-1]) if target.dim() > 1 else 0
        losses = 0 if per_token is None else per_token.numel()
        head = HEADER.pack(kind, target.numel(), row, losses, self._clock())
        tokens = _to_host(target.detach().reshape(-1).to(torch.int32))
        nats = None if per_token is None else _to_host(per_token.detach().reshape(-1).to(torch.float32))
        ready = None
        if target.is_cuda and tokens is not target:
            cuda: Any = torch.cuda
            ready = cuda.Event()
            ready.record()
        self._waiting.append((head, tokens, nats, ready))
        self._flush(_MOST_WAITING)

    def _flush(self, keep: int) -> None:
        while len(self._waiting) > keep:
            head, tokens, nats, ready = self._waiting.popleft()
            if ready is not None:
                ready.synchronize()
            ids = tokens.numpy()
            ids = ids.astype("<u2") if ids.size == 0 or ids.min() >= 0 else _masked(ids)
            self._file.write(head + ids.tobytes())
            if nats is not None:
                self._file.write(nats.numpy().astype("<f4").tobytes())

    def close(self) -> None:
        """Write what waits."""
        self._flush(0)
        self._file.close()


def _masked(ids: Any) -> Any:
    ids = ids.copy()
    ids[ids < 0] = NO_TOKEN
    return ids.astype("<u2")


def _to_host(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor on the host; from a GPU by an asynchronous copy."""
    if tensor.device.type != "cuda":
        return tensor.clone()
    host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    host.copy_(tensor, non_blocking=True)
    return host


def install(calls: Calls) -> None:
    """Hook the boundary: cross entropy, backward passes, steps, print."""
    _hook_losses(calls)
    t: Any = torch
    for name in ("backward", "grad"):
        setattr(t.autograd, name, _marked(calls, getattr(t.autograd, name)))
    register_optimizer_step_pre_hook(lambda optimizer, args, kwargs: _event(calls, STEP))
    show = builtins.print

    def printed(*values: Any, **options: Any) -> None:
        show(*values, **options)
        text = " ".join(map(str, values)) if calls.open else ""
        if "bpb" in text or "val_" in text:
            calls.mark(PRINT, text.encode()[:_LONGEST_PRINT])

    builtins.print = printed


def _hook_losses(calls: Calls) -> None:
    original: Any = F.cross_entropy
    within = False

    def plain(*args: Any, **kwargs: Any) -> Any:
        nonlocal within
        within = True
        try:
            return original(*args, **kwargs)
        finally:
            within = False

    def cross_entropy(input: Any, target: Any, *args: Any, **kwargs: Any) -> Any:
        # Inside a compiled region this must be no more than the original. A function mode calls it by its name again.
        if torch.compiler.is_compiling() or not calls.open or within:
            return original(input, target, *args, **kwargs)
        if calls.before_score is not None:
            calls.before_score()
        result = plain(input, target, *args, **kwargs)
        if target.is_floating_point() or target.dim() == 0:
            return result
        per_token = result if result.numel() == target.numel() else None
        if torch.is_grad_enabled() and input.requires_grad:
            calls.loss(target, per_token, TRAIN)
        elif per_token is not None:
            calls.loss(target, per_token, SCORE)
        else:
            with torch.no_grad():
                ignored = kwargs.get("ignore_index", -100)
                calls.loss(target, plain(input, target, ignore_index=ignored, reduction="none"), SCORE)
        return result

    setattr(F, "cross_entropy", cross_entropy)  # noqa: B010


def _marked(calls: Calls, original: Any) -> Any:
    def differentiate(*args: Any, **kwargs: Any) -> Any:
        _event(calls, BACKWARD)
        return original(*args, **kwargs)

    return differentiate


def _event(calls: Calls, kind: int) -> None:
    if calls.open:
        if calls.before_score is not None:
            calls.before_score()
        calls.mark(kind)


def real_clock() -> Any:
    """Nanoseconds of the wall clock, kept before an emulator replaces it."""
    return time.time_ns
