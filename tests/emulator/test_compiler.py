"""torch.compile and the compiler's modules."""

from __future__ import annotations

from .conftest import RunScript


def test_compiled_modules_keep_torch_s_names(run_script: RunScript) -> None:
    run_script(
        """
        import torch
        m = torch.nn.Linear(2, 2)
        c = torch.compile(m, dynamic=False, fullgraph=True)
        assert c._orig_mod is m and list(c.state_dict()) == ["_orig_mod.weight", "_orig_mod.bias"]
        c.scale = 3
        assert m.scale == 3 and c.weight is m.weight
        c.eval()
        assert not m.training and c(torch.zeros(1, 2)).shape == (1, 2)

        @torch.compile(mode="max-autotune")
        def f(x): return x + 1
        assert f(1) == 2 and torch.compile(f)(1) == 2
        assert torch.jit.script(f) is f and torch.compiler.disable(f) is f and torch.compiler.disable()(f) is f
        """
    )


def test_the_compiler_itself_is_never_imported(run_script: RunScript) -> None:
    run_script(
        """
        import sys, torch, torch._dynamo, torch._inductor.config as inductor
        torch._dynamo.config.cache_size_limit = max(64, torch._dynamo.config.cache_size_limit)
        assert torch._dynamo.config.cache_size_limit == 64
        inductor.coordinate_descent_tuning = True
        torch._inductor.config.triton.cudagraphs = False
        torch._dynamo.mark_dynamic(torch.ones(2), 0)
        from torch._dynamo import disable
        from torch._dynamo.eval_frame import OptimizedModule
        assert torch._dynamo.utils.counters["stats"].get("calls_captured", 0) == 0
        assert disable(len) is len and not torch._dynamo.is_compiling()
        assert isinstance(torch.compile(torch.nn.Linear(1, 1)), OptimizedModule)
        torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.1).zero_grad()
        assert not hasattr(sys.modules["torch._dynamo"], "__file__")
        """
    )
