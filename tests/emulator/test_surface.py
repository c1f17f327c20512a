"""The rest of the surface: torch.cuda, dtypes, optimizers, compressors, Triton, packages, programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import RunScript


def test_cuda_surface(run_script: RunScript) -> None:
    run_script(
        """
        import io, torch
        c = torch.cuda
        assert c.is_available() and c.device_count() == 1 and c.get_device_capability() == (9, 0)
        assert "H100" in c.get_device_name(0) and c.get_device_properties("cuda").total_memory > 70 * 2**30
        c.set_device(torch.device("cuda", 0)); c.manual_seed_all(1); c.synchronize(); c.reset_peak_memory_stats()
        s = c.Stream(); s.wait_stream(c.current_stream())
        with c.stream(s), c.device(0):
            x = torch.ones(1, device="cuda")
        a, b = c.Event(enable_timing=True), c.Event(enable_timing=True)
        a.record(); b.record(); assert a.elapsed_time(b) > 0
        a = torch.accelerator  # what optimizers of a CUDA build ask at each step, and no driver may answer
        assert a.current_accelerator().type == "cuda" and not a.current_stream().is_capturing()
        assert a.device_count() == 1 and a.current_device_index() == 0
        scaler = torch.amp.GradScaler("cuda", enabled=False)
        assert scaler.scale(x) is x and c.max_memory_allocated() // 2**20 == 0
        torch.backends.cuda.enable_flash_sdp(True); torch.backends.cuda.matmul.allow_tf32 = True
        buffer = io.BytesIO(); torch.save({"w": x.bfloat16(), "h": x.half()}, buffer); buffer.seek(0)
        assert torch.load(buffer, map_location="cuda")["h"].dtype == torch.float16
        """
    )


def test_dtypes(run_script: RunScript) -> None:
    run_script(
        """
        import torch
        assert torch.bfloat16 is torch.float32 and torch.ones(1).bfloat16().dtype == torch.float32
        with torch.autocast(device_type="cuda", dtype=torch.bfloat16), torch.amp.autocast("cuda"):
            assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32
        @torch.inference_mode()
        def table(): return torch.ones(3)
        w = torch.nn.Parameter(torch.ones(3))
        (table() * w).sum().backward()          # a tensor of real inference mode cannot be saved for backward
        assert w.grad.tolist() == [1, 1, 1]
        with torch.inference_mode():
            assert not torch.is_grad_enabled()
            with torch.inference_mode(False):
                assert torch.is_grad_enabled()
        assert torch.is_grad_enabled()
        assert torch.ones(4).to(torch.float8_e4m3fn).float().sum() == 4
        """
    )


def test_optimizers_ignore_the_choice_of_kernels(run_script: RunScript) -> None:
    run_script(
        """
        import torch
        p = torch.nn.Parameter(torch.ones(3, device="cuda"))
        o = torch.optim.AdamW([{"params": [p], "lr": 0.1}], betas=(0.9, 0.95), fused=True, capturable=True)
        p.sum().backward(); o.step()
        assert p[0].item() < 1
        """
    )


def test_compressors_keep_their_formats(run_script: RunScript) -> None:
    run_script(
        """
        import lzma, brotli, zstandard
        data = b"parameter golf " * 999
        raw = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": 1 << 20}]
        assert lzma.decompress(lzma.compress(data, preset=9)) == data
        packed = lzma.compress(data, format=lzma.FORMAT_RAW, filters=raw)
        assert lzma.decompress(packed, format=lzma.FORMAT_RAW, filters=raw) == data
        assert brotli.decompress(brotli.compress(data, quality=11)) == data
        assert zstandard.ZstdDecompressor().decompress(zstandard.ZstdCompressor(level=22).compress(data)) == data
        """
    )


def test_triton_kernels_run_in_the_interpreter(run_script: RunScript) -> None:
    pytest.importorskip("triton")
    run_script(
        """
        import torch, triton, triton.language as tl
        @triton.autotune(configs=[triton.Config({"BLOCK": 8}, num_warps=4), triton.Config({"BLOCK": 64})], key=["n"])
        @triton.jit
        def double(x, y, n, BLOCK: tl.constexpr):
            i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
            v = tl.load(x + i, mask=i < n).to(tl.bfloat16)
            tl.store(y + i, v * 2, mask=i < n)
        x = torch.arange(10, device="cuda", dtype=torch.bfloat16)
        y = torch.empty_like(x)
        double[lambda meta: (triton.cdiv(10, meta["BLOCK"]),)](x, y, 10)
        assert y.tolist() == (x * 2).tolist()
        """
    )


def test_packages(run_script: RunScript) -> None:
    done = run_script(
        """
        import wandb, huggingface_hub
        run = wandb.init(project="x", config={}); wandb.log({"loss": 1.0}); run.finish()
        try:
            huggingface_hub.hf_hub_download("a", "b")
        except OSError as error:
            print(error)
        import mamba_ssm
        """,
        check=False,
    )
    assert "needs the network" in done.stdout
    assert "No module named 'mamba_ssm'" in done.stderr


def test_programs(run_script: RunScript, tmp_path: Path) -> None:
    done = run_script(
        """
        import shutil, subprocess
        print(subprocess.run(["nvidia-smi"], capture_output=True, text=True).stdout)
        assert shutil.which("no-such-compressor") is None
        try:
            subprocess.check_output(["no-such-minifier", "-x"])
        except FileNotFoundError:
            pass
        """
    )
    assert "H100" in done.stdout
    missing = json.loads((tmp_path / "audit" / "missing.json").read_text())
    assert missing == ["no-such-compressor", "no-such-minifier"]


def test_the_script_runs_as_main_with_its_own_lines(run_script: RunScript) -> None:
    done = run_script("import sys\nassert __name__ == '__main__'\nprint(sys.argv[1:], __file__)\n1 / 0\n",
                      check=False, argv=["--fast"])  # fmt: skip
    assert "['--fast']" in done.stdout
    assert "train_gpt.py" in done.stdout
    assert 'train_gpt.py", line 4' in done.stderr
    assert "ZeroDivisionError" in done.stderr


def test_kernel_package_by_module_or_by_function(run_script: RunScript) -> None:
    run_script(
        """
        from kernels import get_kernel
        kernel = get_kernel("kernels-community/flash-attn3")
        assert kernel.flash_attn_interface.flash_attn_func is kernel.flash_attn_func
        """
    )
