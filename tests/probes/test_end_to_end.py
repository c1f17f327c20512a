"""Both experiments on two small scripts, from the folder to the findings: one adapts after scoring, one before."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli import default_cache
from harness.audit import Options, audit
from harness.case import Audit, Grade, Status
from harness.intake import load_target
from harness.sandbox import default_sandbox
from harness.witnesses.probes.facts import CLEAR, PROVED

SCRIPT = """
import glob, io, math, os
import numpy as np
import sentencepiece as spm
import torch
import torch.nn.functional as F
from torch import nn

vocab_size = int(os.environ.get("VOCAB_SIZE", "1024"))
iterations = int(os.environ.get("ITERATIONS", "40"))
matrix_lr = float(os.environ.get("MATRIX_LR", "0.02"))
ttt_lr = float(os.environ.get("TTT_LR", "0.02"))
data = os.environ["DATA_PATH"]
SEQ = 64

def shards(pattern):
    parts = [np.fromfile(f, "<u2", offset=1024) for f in sorted(glob.glob(f"{data}/{pattern}"))]
    return torch.from_numpy(np.concatenate(parts).astype(np.int64))

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, 32)
        self.head = nn.Linear(32, vocab_size, bias=False)
        nn.init.zeros_(self.head.weight)
    def forward(self, x, y):
        return F.cross_entropy(self.head(self.embed(x)).flatten(0, 1).float(), y.flatten())

def batches(tokens, rows):
    count = (tokens.numel() - 1) // SEQ
    for a in range(0, count, rows):
        span = tokens[a * SEQ : min(a + rows, count) * SEQ + 1]
        yield span[:-1].view(-1, SEQ), span[1:].view(-1, SEQ)

def adapt(model, optimizer, x, y):
    for _ in range(4):
        optimizer.zero_grad()
        model(x, y).backward()
        optimizer.step()

torch.manual_seed(0)
sp = spm.SentencePieceProcessor(model_file=os.environ["TOKENIZER_PATH"])
size, space, silent = [torch.zeros(vocab_size, dtype=torch.int64) for _ in range(3)]
for i in range(vocab_size):
    if sp.is_control(i) or sp.is_unknown(i) or sp.is_unused(i):
        silent[i] = 1
    elif sp.is_byte(i):
        size[i] = 1
    else:
        piece = sp.id_to_piece(i)
        space[i] = int(piece.startswith("\\u2581"))
        size[i] = len(piece.lstrip("\\u2581").encode())
train, val = shards("fineweb_train_*.bin"), shards("fineweb_val_[0-9]*.bin")
model = Model()
optimizer = torch.optim.AdamW(model.parameters(), lr=matrix_lr)
for (x, y), _ in zip(batches(train, 8), range(iterations)):
    adapt(model, optimizer, x, y)
early = EARLY
if early:
    tuner = torch.optim.AdamW(model.parameters(), lr=ttt_lr)
    for x, y in batches(val, 4):
        adapt(model, tuner, x, y)
torch.save(model.state_dict(), "final_model.pt")
model.load_state_dict(torch.load("final_model.pt"))
tuner = torch.optim.AdamW(model.parameters(), lr=ttt_lr)
nats, tokens, octets = 0.0, 0, 0
for x, y in batches(val, 4):
    with torch.no_grad():
        nats += model(x, y).item() * y.numel()
    tokens += y.numel()
    octets += int((size[y] + space[y] * (1 - silent[x])).sum())
    adapt(model, tuner, x, y)
print(f"final_exact val_loss:{nats / tokens:.8f} val_bpb:{nats / math.log(2) / octets:.8f}")
"""


def audited(folder: Path, *, early: bool) -> Audit:
    here = folder / "2026-04-01_Small"
    here.mkdir()
    (here / "train_gpt.py").write_text(SCRIPT.replace("EARLY", str(early)))
    (here / "README.md").write_text("# Small\n")
    (here / "submission.json").write_text(json.dumps({"val_bpb": 1.2, "val_loss": 2.0}))
    (here / "train_seed1.log").write_text("final_exact val_loss:2.00000000 val_bpb:1.20000000\n")
    options = Options(default_sandbox(), default_cache(), probes="all")
    return audit(load_target(here, folder / "scratch")[0], options)


@pytest.mark.parametrize("early", [False, True])
def test_adaptation_before_and_after_the_score(tmp_path: Path, early: bool) -> None:
    result = audited(tmp_path, early=early)
    probes = result.case.probes
    assert probes is not None
    assert probes.incompressibility is not None
    assert probes.future is not None
    told = f"{probes.incompressibility.reason}\n{probes.future.reason}\n{result.why}"
    wanted = PROVED if early else CLEAR
    assert (probes.incompressibility.status, probes.future.status) == (wanted, wanted), told
    run = probes.incompressibility.runs[0]
    assert run.lowest is not None
    assert run.loss is not None
    assert run.lowest <= run.loss
    assert probes.future.artifact == ("changed" if early else "same"), told
    found = {f.rule: f for f in result.findings}
    if early:
        assert (found["C3"].status, found["C3"].grade) == (Status.FAIL, Grade.COUNTERFACTUAL), told
        assert found["D4"].status is Status.FAIL, told
    else:
        assert all(f.status is not Status.FAIL for f in result.findings), told
