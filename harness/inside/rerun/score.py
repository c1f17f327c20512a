"""Scores a captured model by sliding windows: `python -m inside.rerun.score CONFIG.json`, one process a GPU.

CONFIG holds script, argv, sets ({name: {model: pickle, weights: file or null, losses: .npy}}), shards ([path, tokens]),
notes (folder), length, stride, batch, vocab, device, emulate, attention (flash attention is not installed), audit_dir.
Batches are dealt out in turn and are the same for any number of processes; each position's loss is written once, into one
memory-mapped file, and summed outside: so no collective is needed, and one process gives the same bits as several.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from . import attention, forward, revive
from .failure import fail
from .windows import Plan, plan

HEADER_BYTES = 1024
COMPILED_APART = 1e-3
"""Compiled losses may differ by so many nats in the mean of a batch: the rounding of bfloat16 in another order."""


class Scorer:
    """Scores windows of one token stream with one model, halving the batch where memory runs out."""

    def __init__(
        self, model: nn.Module, stream: np.ndarray, windows: Plan, *, vocab: int, batch: int, device: str,
        compiler: Any = None,
    ) -> None:  # fmt: skip
        self.model, self.stream, self.windows = model, stream, windows
        self.vocab, self.device = vocab, device
        self.batch, self.part = batch, batch
        self.notes: list[str] = []
        self._cuda = device.startswith("cuda")
        self._fast: Any = None
        probe = self._tensors(slice(0, 1))
        with self._arithmetic():
            self.way_name, self.way = forward.find_way(model, *probe, vocab)
            self.count = int(windows.counts[len(windows.counts) // 2])
            self.short_head = self.count < windows.length and forward.head_can_be_short(
                self.way, *probe, self.count, vocab
            )
        if compiler is not None:
            self._compile(compiler)

    def flops(self) -> int:
        """Floating-point operations of one window, as torch counts them."""
        with FlopCounterMode(display=False) as counter, self._arithmetic():
            self.way(*self._tensors(slice(0, 1)))
        return int(counter.get_total_flops())

    def score(self, losses: np.ndarray, rank: int = 0, ranks: int = 1) -> None:
        """Write the losses [targets] in nats of every batch that is this process's."""
        waiting: list[tuple[torch.Tensor, Any, slice]] = []
        for number, batch in enumerate(self.windows.batches(self.batch)):
            if number % ranks == rank:
                for part, host, ready in self._scored(batch):
                    waiting.append((host, ready, part))
                while len(waiting) > 2:  # the copy of a result hides behind the next batches' work
                    self._put(losses, *waiting.pop(0))
        for entry in waiting:
            self._put(losses, *entry)

    def _scored(self, batch: slice) -> list[tuple[slice, torch.Tensor, Any]]:
        """Losses of one batch, in parts that fit into memory."""
        done, first = [], batch.start
        while first < batch.stop:
            part = slice(first, min(first + self.part, batch.stop))
            try:
                done.append((part, *self._losses(part)))
                first = part.stop
                continue
            except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
                if not _out_of_memory(error) or part.stop - part.start == 1:
                    raise
                size = part.stop - part.start
            self.part = (size + 1) // 2
            self.notes.append(f"out of memory with {size} windows at once: {self.part} from here on")
            if self._cuda:
                torch.cuda.empty_cache()
        return done

    def _losses(self, part: slice) -> tuple[torch.Tensor, Any]:
        ids, targets = self._tensors(part)
        count = int(self.windows.counts[part.start])
        whole = count == self.count and part.stop - part.start == self.part
        with self._arithmetic():
            nats = (self._fast if self._fast is not None and whole else self._nats)(ids, targets, count)
        if not self._cuda:
            return nats, None
        host = torch.empty(nats.shape, dtype=torch.float32, pin_memory=True)
        host.copy_(nats, non_blocking=True)
        cuda: Any = torch.cuda
        ready = cuda.Event()
        ready.record()
        return host, ready

    def _tensors(self, part: slice) -> tuple[torch.Tensor, torch.Tensor]:
        """(ids, targets) [windows, length] of some windows, on the device."""
        at = self.windows.starts[part, None] + np.arange(self.windows.length + 1)
        tokens = torch.from_numpy(self.stream[at].astype(np.int64))
        if self._cuda:
            tokens = tokens.pin_memory().to(self.device, non_blocking=True)
        return tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()

    def _put(self, losses: np.ndarray, host: torch.Tensor, ready: Any, part: slice) -> None:
        if ready is not None:
            ready.synchronize()
        count = int(self.windows.counts[part.start])
        ends = self.windows.starts[part] + self.windows.length
        losses[(ends[:, None] - count + np.arange(count)).reshape(-1)] = host.reshape(-1).numpy()

    @contextlib.contextmanager
    def _arithmetic(self) -> Any:
        """As submissions evaluate: no gradients, and on a GPU bfloat16 by autocast."""
        with torch.inference_mode():
            if self._cuda:
                with torch.autocast("cuda", torch.bfloat16):
                    yield
            else:
                yield

    def _nats(self, ids: torch.Tensor, targets: torch.Tensor, count: int) -> torch.Tensor:
        """Losses [windows, count] of the last positions."""
        logits = None
        if self.short_head and count == self.count:
            logits = forward.short_logits(self.way, ids, targets, count, self.vocab)
        if logits is None:
            logits = forward.last_logits(self.way, ids, targets, count)
        return _losses_of(logits, targets[:, targets.shape[1] - count :])

    def _compile(self, compiler: Any) -> None:
        """Model, head and loss as one compiled function for whole batches; a note where its losses are not the same."""
        first = next(
            (b.start for b in self.windows.batches(1) if self.windows.counts[b.start] == self.count), 0
        )
        same = int((self.windows.counts[first:] == self.count).sum())
        if same < self.part:
            self.notes.append("not compiled: no whole batch")
            return
        made = compiler(forward.losses_of_last(self.way, _losses_of))

        def fast(ids: torch.Tensor, targets: torch.Tensor, count: int) -> torch.Tensor:
            with contextlib.ExitStack() as stack:
                if self.short_head:
                    stack.enter_context(forward.head_on_last(count, ids.shape[1], self.vocab))
                if isinstance(self.way, forward.Unfinished):
                    stack.enter_context(forward.loss_left_out())
                nats: torch.Tensor = made(ids, targets, count)
            return nats

        try:
            ids, targets = self._tensors(slice(first, first + self.part))
            with self._arithmetic():
                apart = float(
                    (fast(ids, targets, self.count) - self._nats(ids, targets, self.count)).mean().abs()
                )
        except Exception as error:
            self.notes.append(f"not compiled: {type(error).__name__}: {str(error)[:160]}")
            return
        if apart > COMPILED_APART:
            self.notes.append(
                f"not compiled: its losses are {apart:.2g} nats from the plain ones in the mean"
            )
            return
        self._fast = fast


def _losses_of(logits: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Losses [B, n] in nats of targets [B, n] under logits [B, n, V]; cross entropy itself may be left out just now."""
    return -torch.log_softmax(logits.float(), -1).gather(-1, wanted[..., None]).squeeze(-1)


def _out_of_memory(error: BaseException) -> bool:
    """A GPU, the CPU's allocator or Python out of memory."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return "can't allocate memory" in str(error) or "out of memory" in str(error).lower()


def read_stream(shards: list[list[Any]]) -> np.ndarray:
    """The val tokens, uint16 [n], of shards given as [path, tokens]; headers were checked outside."""
    parts = [np.memmap(p, dtype="<u2", mode="r", offset=HEADER_BYTES, shape=(int(n),)) for p, n in shards]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def main(config: dict[str, Any]) -> None:
    """Score every set of weights and leave this process's figures in the folder of notes, or why there are none."""
    rank, now = int(os.environ.get("RANK", "0")), time.time_ns
    try:
        score(config)
    except BaseException as error:
        fail(Path(config["notes"]), rank, now(), config["script"], error)
        raise


def score(config: dict[str, Any]) -> None:
    """The work of one process."""
    rank, ranks = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    local, clock = int(os.environ.get("LOCAL_RANK", "0")), time.perf_counter
    if config["emulate"]:
        from .. import emulator

        emulator.install({"audit_dir": f"{config['audit_dir']}/score{rank}"})
    elif config["attention"]:
        attention.install()
    device = f"cuda:{local}" if config["device"] == "cuda" else "cpu"
    if device != "cpu":
        torch.cuda.set_device(local)
    module = revive.define(config["script"], config["argv"])
    stream = read_stream(config["shards"])
    windows = plan(len(stream) - 1, int(config["length"]), int(config["stride"]))
    figures: dict[str, Any] = {}
    for name, chosen in config["sets"].items():
        began = clock()
        if device != "cpu":
            torch.cuda.reset_peak_memory_stats()
        try:
            revive.restore(module, Path(chosen["model"]))
            model = revive.revive(Path(chosen["model"]), device)
            if chosen["weights"]:
                revive.put_weights(model, Path(chosen["weights"]))
            scorer = Scorer(
                model, stream, windows, vocab=int(config["vocab"]), batch=int(config["batch"]), device=device,
                compiler=torch.compile if device != "cpu" else None,
            )  # fmt: skip
        except (forward.NoWay, ValueError, TypeError, AttributeError) as error:
            figures[name] = {"failed": f"{type(error).__name__}: {error}"}
            continue
        ready = clock()
        losses = np.load(chosen["losses"], mmap_mode="r+")
        scorer.score(losses, rank, ranks)
        losses.flush()
        figures[name] = {
            "seconds": clock() - ready,
            "preparing_s": ready - began,
            "way": scorer.way_name,
            "short_head": scorer.short_head,
            "batch": scorer.part,
            "flops": scorer.flops() * len(windows.starts),
            "notes": scorer.notes,
            "memory_bytes": _memory(device),
        }
    (Path(config["notes"]) / f"score-{rank}.json").write_text(json.dumps(figures), encoding="utf-8")


def _memory(device: str) -> int:
    if device != "cpu":
        return int(torch.cuda.max_memory_allocated())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
