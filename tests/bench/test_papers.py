"""The benchmark of the rules on papers: what they ask of one folder, without a run."""

from __future__ import annotations

import json
from pathlib import Path

from harness.bench.papers import asked
from harness.intake import load_target

SCRIPT = """import torch.nn.functional as F
def eval_val(model, val_tokens):
    return F.cross_entropy(model(val_tokens[:-1]), val_tokens[1:])
print(f"final val_loss:{1} val_bpb:{1}")
"""


def test_a_record_without_its_log_is_asked_for_it(tmp_path: Path) -> None:
    folder = tmp_path / "records" / "track_10min_16mb" / "2026-04-20_Mine"
    folder.mkdir(parents=True)
    (folder / "train_gpt.py").write_text(SCRIPT)
    (folder / "README.md").write_text("# Mine\n")
    (folder / "submission.json").write_text(json.dumps({"author": "a", "name": "n", "val_bpb": 1.2}))
    found = [f for _, f in asked(load_target(folder, tmp_path / "work"))]
    assert [(f.rule, f.category) for f in found] == [("P1", "packaging")]
