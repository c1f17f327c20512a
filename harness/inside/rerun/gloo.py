"""Several CPU processes for a script written for NCCL: the real torch.distributed with gloo under its feet."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed import distributed_c10d


class AveragingParallel(nn.Module):
    """DDP by hand: weights of rank 0 at the start, gradients averaged as they are accumulated."""

    def __init__(self, module: nn.Module, *args: Any, **options: Any) -> None:
        super().__init__()
        self.module = module
        self.require_backward_grad_sync = True
        for tensor in [*module.parameters(), *module.buffers()]:
            dist.broadcast(tensor.data, 0)
        parameters: list[Any] = [p for p in module.parameters() if p.requires_grad]
        for parameter in parameters:
            parameter.register_post_accumulate_grad_hook(self._average)

    def _average(self, parameter: torch.Tensor) -> None:
        if self.require_backward_grad_sync and parameter.grad is not None:
            dist.all_reduce(parameter.grad)
            parameter.grad /= dist.get_world_size()

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The module's call."""
        return self.module(*args, **kwargs)

    @contextlib.contextmanager
    def no_sync(self) -> Iterator[None]:
        """Gradients stay this process's own."""
        before, self.require_backward_grad_sync = self.require_backward_grad_sync, False
        yield
        self.require_backward_grad_sync = before


def install() -> None:
    """Let a group asked for with NCCL be one of gloo, and AVG be a sum and a division."""
    begin, reduce = dist.init_process_group, dist.all_reduce

    def init_process_group(backend: Any = None, *args: Any, **kwargs: Any) -> None:
        kwargs.pop("device_id", None)
        begin("gloo", *args, **kwargs)

    def all_reduce(tensor: torch.Tensor, op: Any = dist.ReduceOp.SUM, *args: Any, **kwargs: Any) -> Any:
        average = op == dist.ReduceOp.AVG
        work = reduce(tensor, dist.ReduceOp.SUM if average else op, *args, **kwargs)
        if average:
            if work is not None:
                work.wait()
            tensor /= dist.get_world_size()
        return work

    for holder in (dist, distributed_c10d):
        setattr(holder, "init_process_group", init_process_group)  # noqa: B010
        setattr(holder, "all_reduce", all_reduce)  # noqa: B010
    t: Any = torch
    t.nn.parallel.DistributedDataParallel = AveragingParallel
    t.nn.parallel.distributed.DistributedDataParallel = AveragingParallel
