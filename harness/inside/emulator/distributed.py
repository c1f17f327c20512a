"""torch.distributed as torchrun sets it up for one process: every collective is what it is in a group of one.

No store, no socket and no thread is opened: the sandbox has no network. Collectives that write into another tensor
copy; the others leave their tensor as it is; AVG, SUM, MAX over one rank are that rank's value.
"""

from __future__ import annotations

import contextlib
import datetime
import os
from collections.abc import Iterator
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed import distributed_c10d

TORCHRUN = {
    "RANK": "0",
    "LOCAL_RANK": "0",
    "WORLD_SIZE": "1",
    "LOCAL_WORLD_SIZE": "1",
    "GROUP_RANK": "0",
    "MASTER_ADDR": "127.0.0.1",
    "MASTER_PORT": "29500",
    "TORCHELASTIC_RUN_ID": "none",
}


class Work:
    """The handle of an asynchronous collective: done when it is issued."""

    def __init__(self, value: Any = None) -> None:
        self.value = value

    def wait(self, timeout: datetime.timedelta | None = None) -> bool:
        """Nothing to wait for."""
        return True

    def is_completed(self) -> bool:
        """Always."""
        return True

    def is_success(self) -> bool:
        """Always."""
        return True

    def get_future(self) -> Any:
        """A future that holds the result already."""
        future: Any = torch.futures.Future()
        future.set_result(self.value)
        return future


class Group:
    """The process group of one."""

    group_name = "0"

    def rank(self) -> int:
        """0."""
        return 0

    def size(self) -> int:
        """1."""
        return 1

    def name(self) -> str:
        """The backend's name."""
        return "nccl"


class DistributedDataParallel(nn.Module):
    """DDP over one process: the module, under the same names of state; gradients need no reduction."""

    def __init__(self, module: nn.Module, *args: Any, **options: Any) -> None:
        super().__init__()
        self.module = module
        self.require_backward_grad_sync = True
        self.device_ids = options.get("device_ids")

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The module's call."""
        return self.module(*args, **kwargs)

    @contextlib.contextmanager
    def no_sync(self) -> Iterator[None]:
        """Gradients are never reduced."""
        before, self.require_backward_grad_sync = self.require_backward_grad_sync, False
        yield
        self.require_backward_grad_sync = before

    def register_comm_hook(self, state: Any, hook: Any) -> None:
        """There is no communication to hook."""

    def _set_static_graph(self) -> None:
        """There is no reducer."""


class _State:
    initialized = False
    world = Group()


def _init(backend: str | None = None, *args: Any, **kwargs: Any) -> None:
    if _State.initialized:
        raise ValueError("trying to initialize the default process group twice!")
    _State.initialized = True


def _destroy(group: Any = None) -> None:
    if group is None or group is _State.world:
        _State.initialized = False


def _handle(value: Any, asynchronous: bool) -> Work | None:
    return Work(value) if asynchronous else None


def _in_place(tensor: Any, *args: Any, async_op: bool = False, **kwargs: Any) -> Work | None:
    """all_reduce, broadcast, reduce and their coalesced forms: one rank's value is the result."""
    return _handle(tensor, async_op)


@torch.no_grad()
def _flat(
    output: torch.Tensor, input: torch.Tensor, *args: Any, async_op: bool = False, **kw: Any
) -> Work | None:
    """all_gather_into_tensor, reduce_scatter_tensor, all_to_all_single: equal sizes over one rank."""
    if output.data_ptr() != input.data_ptr():
        output.view(-1).copy_(input.reshape(-1))
    return _handle(output, async_op)


@torch.no_grad()
def _to_list(
    outputs: list[torch.Tensor], input: Any, *args: Any, async_op: bool = False, **kw: Any
) -> Work | None:
    """all_gather, all_to_all: the list has one tensor."""
    outputs[0].copy_(input[0] if isinstance(input, list | tuple) else input)
    return _handle(outputs, async_op)


@torch.no_grad()
def _from_list(
    output: torch.Tensor, inputs: Any, *args: Any, async_op: bool = False, **kw: Any
) -> Work | None:
    """reduce_scatter, scatter: the list has one tensor; scatter's may be None off the source rank."""
    if inputs:
        output.copy_(inputs[0])
    return _handle(output, async_op)


@torch.no_grad()
def _gather(
    input: torch.Tensor, gathered: Any = None, *args: Any, async_op: bool = False, **kw: Any
) -> Work | None:
    for target in gathered or kw.get("gather_list") or ():
        target.copy_(input)
    return _handle(input, async_op)


def _gather_objects(outputs: list[Any], value: Any, *args: Any, **kwargs: Any) -> None:
    outputs[0] = value


def _gather_object(value: Any, outputs: list[Any] | None = None, *args: Any, **kwargs: Any) -> None:
    if outputs:
        outputs[0] = value


def _scatter_objects(outputs: list[Any], inputs: list[Any] | None, *args: Any, **kwargs: Any) -> None:
    if inputs:
        outputs[0] = inputs[0]


def _no_peer(*args: Any, **kwargs: Any) -> Any:
    raise RuntimeError("point-to-point communication needs a second rank; the emulator has one")


@contextlib.contextmanager
def _coalescing(*args: Any, **kwargs: Any) -> Iterator[Work]:
    yield Work()


_FUNCTIONS: dict[str, Any] = {
    "init_process_group": _init,
    "destroy_process_group": _destroy,
    "is_available": lambda: True,
    "is_initialized": lambda: _State.initialized,
    "is_nccl_available": lambda: True,
    "is_torchelastic_launched": lambda: True,
    "is_backend_available": lambda backend: True,
    "get_rank": lambda group=None: 0,
    "get_node_local_rank": lambda fallback_rank=None: 0,
    "get_world_size": lambda group=None: 1,
    "get_global_rank": lambda group, group_rank: group_rank,
    "get_group_rank": lambda group, global_rank: global_rank,
    "get_process_group_ranks": lambda group=None: [0],
    "get_backend": lambda group=None: "nccl",
    "new_group": lambda *args, **kwargs: _State.world,
    "new_subgroups": lambda *args, **kwargs: (_State.world, [_State.world]),
    "barrier": lambda *args, async_op=False, **kwargs: _handle(None, async_op),
    "monitored_barrier": lambda *args, **kwargs: None,
    "all_reduce": _in_place,
    "all_reduce_coalesced": _in_place,
    "broadcast": _in_place,
    "reduce": _in_place,
    "all_gather_into_tensor": _flat,
    "_all_gather_base": _flat,
    "reduce_scatter_tensor": _flat,
    "_reduce_scatter_base": _flat,
    "all_to_all_single": _flat,
    "all_gather": _to_list,
    "all_to_all": _to_list,
    "reduce_scatter": _from_list,
    "scatter": _from_list,
    "gather": _gather,
    "all_gather_object": _gather_objects,
    "gather_object": _gather_object,
    "broadcast_object_list": lambda *args, **kwargs: None,
    "scatter_object_list": _scatter_objects,
    "send": _no_peer,
    "recv": _no_peer,
    "isend": _no_peer,
    "irecv": _no_peer,
    "_coalescing_manager": _coalescing,
}


def install(torchrun: bool = True) -> None:
    """Replace the collectives, the process group and DDP, and set the environment that torchrun sets, if it is to."""
    if torchrun:
        os.environ.update(TORCHRUN)
    for holder in (dist, distributed_c10d):
        for name, function in _FUNCTIONS.items():
            setattr(holder, name, function)
    t: Any = torch
    t.distributed.group.WORLD = t.distributed.GroupMember.WORLD = _State.world
    t.nn.parallel.DistributedDataParallel = DistributedDataParallel
    t.nn.parallel.distributed.DistributedDataParallel = DistributedDataParallel
