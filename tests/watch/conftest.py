"""Runs a small script under the emulator and the watcher in a forked process, and reads its trace."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import sys
import textwrap
import traceback
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from harness.witnesses.trace import Trace, read_trace

INSIDE = str(Path(__file__).parents[2] / "harness")
VOCAB, LENGTH = 64, 2049
CONTEXT = multiprocessing.get_context("forkserver")
"""Children of a server that has loaded torch and run nothing: PyTorch built for CUDA takes no gradients in a fork of a
process that has taken some, as these tests' own may have."""
CONTEXT.set_forkserver_preload(["torch", "numpy"])

PRELUDE = """
import math, os, copy
import numpy as np
import torch, torch.nn as nn, torch.nn.functional as F
torch.manual_seed(0)
val = torch.from_numpy(np.load(os.environ["VAL"]).astype(np.int64))
X, Y = val[:-1].view(-1, 64), val[1:].view(-1, 64)
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(64, 16)
        self.head = nn.Linear(16, 64)
    def logits(self, x):
        return self.head(self.emb(x).cumsum(1) / 4)
    def forward(self, x, y):
        return F.cross_entropy(self.logits(x).reshape(-1, 64).float(), y.reshape(-1))
net = Net().cuda()
def report(loss, name="final"):
    print(f"{name} val_loss:{loss:.8f} val_bpb:{loss / math.log(2) / 2:.8f}")
def train(x, y, lr=0.1):
    opt = torch.optim.SGD(net.parameters(), lr=lr)
    opt.zero_grad()
    net(x, y).backward()
    opt.step()
@torch.no_grad()
def evaluate(name="final"):
    total = torch.zeros((), dtype=torch.float64)
    for i in range(0, 32, 4):
        total += net(X[i:i+4], Y[i:i+4]).double() * 256
    report((total / 2048).item(), name)
"""


def stream() -> np.ndarray:
    """A val stream of LENGTH tokens over VOCAB, BOS (1) first; its windows of a few tokens are unique."""
    tokens = np.random.default_rng(5).integers(2, VOCAB, LENGTH)
    tokens[::256] = 1
    return tokens


@pytest.fixture
def watched(tmp_path: Path) -> Callable[..., Trace]:
    """Run PRELUDE plus the given source and return its trace. Every position has two bytes."""

    def run(source: str, is_claimed: Callable[[str], bool] | None = None, *, holes: bool = False) -> Trace:
        script = tmp_path / "work" / "train_gpt.py"
        script.parent.mkdir()
        script.write_text(PRELUDE + textwrap.dedent(source))
        np.save(tmp_path / "val.npy", stream())
        child = CONTEXT.Process(target=_child, args=(script, tmp_path))
        child.start()
        child.join()
        log = (tmp_path / "log").read_text()
        assert child.exitcode == 0, log
        trace = read_trace(
            tmp_path / "trace",
            np.full(LENGTH, 2.0),
            np.flatnonzero(stream() == 1).astype(np.int64),
            is_claimed,
        )
        assert trace.complete, log
        assert bool(trace.holes) is holes, trace.holes
        return trace

    return run


def _child(script: Path, folder: Path) -> None:
    code = 1
    log = os.open(folder / "log", os.O_CREAT | os.O_WRONLY)
    os.dup2(log, 1)
    os.dup2(log, 2)
    sys.stdout, sys.stderr = os.fdopen(1, "w", buffering=1), os.fdopen(2, "w", buffering=1)
    try:
        os.chdir(folder)
        sys.path.insert(0, INSIDE)
        os.environ["VAL"] = str(folder / "val.npy")
        from inside import launch  # the package under the name it has in the sandbox

        atexit._clear()  # what the tests themselves left for their end is not the script's
        (folder / "audit").mkdir()
        launch.main(
            {
                "script": str(script), "argv": [], "watch": True, "trace_dir": str(folder / "trace"),
                "val_stream": str(folder / "val.npy"), "audit_dir": str(folder / "audit"), "seed": 0, "clock": {},
            }
        )  # fmt: skip
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


def line_of(text: str, source: str) -> int:
    """The line of the script that holds `text`, in PRELUDE plus source."""
    lines = (PRELUDE + textwrap.dedent(source)).split("\n")
    return next(i for i, line in enumerate(lines, 1) if text in line)
