"""The mode: CUDA arguments, copies off the GPU, threads, backward passes, hooks."""

from __future__ import annotations

from .conftest import RunScript


def test_devices_are_mapped_everywhere(run_script: RunScript) -> None:
    run_script(
        """
        import threading, torch
        d = torch.device("cuda", 0)
        x = torch.ones(3, device=d)
        x.record_stream(torch.cuda.current_stream())
        assert x.is_cuda and x.cuda().pin_memory().to("cuda:0", non_blocking=True).sum().item() == 3
        assert torch.randn(2, generator=torch.Generator(device="cuda").manual_seed(1), device="cuda").shape == (2,)
        assert torch.nn.Linear(2, 2).to(d).cuda()(torch.zeros(1, 2, device=0)).shape == (1, 2)
        with torch.device("cuda"):
            assert torch.zeros(2).sum() == 0
        seen = []
        def work():
            seen.append(torch.full((2,), 7.0, device="cuda").tolist())
        t = threading.Thread(target=work); t.start(); t.join()
        assert seen == [[7.0, 7.0]]
        from concurrent.futures import ThreadPoolExecutor
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(lambda: torch.zeros(1, device="cuda").item()).result() == 0
        """
    )


def test_backward_hooks_functions_and_custom_operators_see_cuda(run_script: RunScript) -> None:
    run_script(
        """
        import torch
        class Double(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return x * 2
            @staticmethod
            def backward(ctx, g):
                return g + torch.ones_like(g).to("cuda") + torch.zeros(1, device="cuda")
        p = torch.nn.Parameter(torch.ones(2, device="cuda"))
        hooked = []
        p.register_post_accumulate_grad_hook(lambda q: hooked.append(torch.ones(1, device="cuda").item()))
        Double.apply(p).sum().backward()
        assert p.grad.tolist() == [2.0, 2.0] and hooked == [1.0]
        (g,) = torch.autograd.grad(Double.apply(p).sum(), [p])
        assert g.tolist() == [2.0, 2.0]

        @torch.library.custom_op("auditor::three", mutates_args=(), device_types="cuda")
        def three(x: torch.Tensor) -> torch.Tensor:
            return x * torch.full((1,), 3.0, device="cuda")
        assert three(torch.ones(2)).tolist() == [3.0, 3.0]
        """
    )


def test_leaving_the_gpu_copies(run_script: RunScript) -> None:
    run_script(
        """
        import torch
        w = torch.nn.Parameter(torch.ones(2, device="cuda"))
        snapshots = [w.detach().cpu(), w.detach().to("cpu"), w.detach().to(device=torch.device("cpu"))]
        with torch.no_grad():
            w.add_(1)
        assert all(s.tolist() == [1.0, 1.0] for s in snapshots)
        assert w.detach().to("cuda").data_ptr() == w.data_ptr()
        """
    )


def test_hooks_replace_a_call_and_any_hook_sees_the_others(run_script: RunScript) -> None:
    run_script(
        """
        import torch
        from torch.overrides import _get_current_function_mode
        mode = _get_current_function_mode()
        calls = []
        def hook(func, args, kwargs):
            calls.append(kwargs["device"].type)
            return func(*args, **kwargs) + 1
        mode.hooks[torch.zeros] = hook
        mode.any_hook = lambda func, args, kwargs, result: calls.append(func.__name__)
        assert torch.zeros(1, device=torch.device("cuda")).item() == 1
        torch.ones(1)
        assert "ones" in calls and "cpu" in calls and "zeros" not in calls
        """
    )
