"""torch.distributed and DDP as torchrun sets them up, for one process."""

from __future__ import annotations

from .conftest import RunScript


def test_collectives_of_one_rank(run_script: RunScript) -> None:
    run_script(
        """
        import os, torch, torch.distributed as dist
        assert (os.environ["RANK"], os.environ["WORLD_SIZE"], os.environ["LOCAL_RANK"]) == ("0", "1", "0")
        assert not dist.is_initialized()
        dist.init_process_group(backend="nccl", device_id=torch.device("cuda", 0))
        assert dist.is_initialized() and dist.get_world_size() == 1 and dist.get_backend() == "nccl"
        x = torch.arange(4.0, device="cuda")
        dist.all_reduce(x, op=dist.ReduceOp.AVG)
        assert x.tolist() == [0, 1, 2, 3]
        out = torch.empty(4)
        work = dist.reduce_scatter_tensor(out, x, op=dist.ReduceOp.AVG, async_op=True)
        assert work.wait() and out.tolist() == x.tolist()
        dist.all_gather_into_tensor(out, x + 1, async_op=True).wait()
        assert out.tolist() == [1, 2, 3, 4]
        objects = [None]; dist.all_gather_object(objects, "me"); assert objects == ["me"]
        dist.broadcast(x, src=0); dist.barrier()
        shards = [torch.empty(4)]; dist.all_gather(shards, x); assert shards[0].tolist() == x.tolist()
        dist.destroy_process_group()
        assert not dist.is_initialized()
        """
    )


def test_ddp(run_script: RunScript) -> None:
    run_script(
        """
        import torch
        from torch.nn.parallel import DistributedDataParallel as DDP
        m = DDP(torch.compile(torch.nn.Linear(2, 1)), device_ids=[0], broadcast_buffers=False, gradient_as_bucket_view=True)
        assert list(m.state_dict()) == ["module._orig_mod.weight", "module._orig_mod.bias"]
        m.require_backward_grad_sync = False
        with m.no_sync():
            m(torch.ones(1, 2, device="cuda")).sum().backward()
        assert m.module.weight.grad.tolist() == [[1.0, 1.0]]
        """
    )
