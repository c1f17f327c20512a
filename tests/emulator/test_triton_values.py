"""A float32 Triton kernel computes what its source says, under the emulator's bfloat16 that is float32."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

HARNESS = Path(__file__).parents[2] / "harness"

SCRIPT = """
    import json, torch, triton, triton.language as tl
    from inside import emulator
    emulator.install({"audit_dir": ".", "seed": 0})
    @triton.jit
    def square(x, y, n, BLOCK: tl.constexpr):
        at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
        value = tl.load(x + at, mask=at < n, other=0.0)
        tl.store(y + at, value.to(tl.float32) * value + 0.5, mask=at < n)
    x = torch.linspace(-3, 3, 20)
    y = torch.empty_like(x)
    square[(2,)](x, y, 20, BLOCK=16)
    print(json.dumps((y - (x * x + 0.5)).abs().max().item()))
"""


def test_float32_kernel(tmp_path: Path) -> None:
    pytest.importorskip("triton")
    script = tmp_path / "kernel.py"
    script.write_text(textwrap.dedent(SCRIPT))
    environment = os.environ | {"PYTHONPATH": str(HARNESS), "TRITON_INTERPRET": "1"}
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.strip().split("\n")[-1]) < 1e-5
