"""Runs a small script under the emulator, in a process of its own, without the sandbox: it is our own code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

INSIDE = Path(__file__).parents[2] / "harness"

RunScript = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run_script(tmp_path: Path) -> RunScript:
    """run_script(source, clock=..., name=...) -> the completed process; its stdout is what the script printed."""

    def run(source: str, *, check: bool = True, **config: object) -> subprocess.CompletedProcess[str]:
        script = tmp_path / "train_gpt.py"
        script.write_text(textwrap.dedent(source))
        (tmp_path / "audit").mkdir(exist_ok=True)
        settings = {
            "script": str(script),
            "argv": [],
            "watch": False,
            "audit_dir": str(tmp_path / "audit"),
        } | config
        (tmp_path / "config.json").write_text(json.dumps(settings))
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(INSIDE), "PYTHONHASHSEED": "0"}
        environment |= {"OMP_NUM_THREADS": "1", "TRITON_INTERPRET": "1", "HOME": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, "-P", "-m", "inside.launch", str(tmp_path / "config.json")],
            env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        if check:
            assert done.returncode == 0, done.stderr
        return done

    return run
