"""The benchmark of the rules on papers: what they ask of one folder, without a run."""

from __future__ import annotations

import json
from pathlib import Path

from harness.bench.papers import asked, heads
from harness.intake import load_target
from tests.intake.test_pull_request import Clone, R

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


def test_heads_are_counted_by_rule_and_their_fails_named(tmp_path: Path) -> None:
    clone = Clone(tmp_path / "clone")
    stated = json.dumps({"author": "a", "name": "n", "val_bpb": 1.2})
    late = "world_size:8\nstep:9/9 train_time:900000ms\nfinal val_loss:2.0 val_bpb:1.2\n"
    papers = {"train_gpt.py": SCRIPT, "README.md": "x 1.2", "submission.json": stated}
    for number, more in ((3, {"train.log": late}), (4, {})):
        clone.pull_request(
            number, {f"{R}/n{number}/{name}": text for name, text in {**papers, **more}.items()}
        )
    text = heads(clone.path, tmp_path, [range(1, 10)])
    assert text.startswith("2 heads, 2 with a FAIL or a question, 1 with a FAIL:")
    assert "| T1 | 1 | 0 |" in text
    assert "| P1 | 0 | 1 |" in text
    assert "| #3 | n3/train_gpt.py | T1 | The training clock of train.log stops at 900.0 s" in text
