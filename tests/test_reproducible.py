"""The same submission gives the same report bytes, in whatever order Python hashes its strings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

SWITCHES = """\
import os

class Hyperparameters:
    alpha = bool(int(os.environ.get("ALPHA_ENABLED", "0")))
    beta = bool(int(os.environ.get("BETA_ENABLED", "0")))
    gamma = bool(int(os.environ.get("GAMMA_ENABLED", "0")))

def main():
    args = Hyperparameters()
    print(f"model_params:{123}")
    if args.alpha and args.beta and args.gamma:
        print(f"all_three:start lr={0.1}")
    print(f"final_exact val_loss:{1.0} val_bpb:{1.0}")

main()
"""
LOG = "model_params:123\nall_three:start lr=0.1\nfinal_exact val_loss:1.95 val_bpb:1.15000000\n"


def audited(target: Path, out: Path, seed: str) -> bytes:
    """The JSON of a static audit by a Python with that hash seed."""
    command = [sys.executable, "cli.py", "audit", str(target), "--static-only", "--json", str(out)]
    found = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=False
    )
    assert found.returncode in (0, 1, 3), found.stderr.decode()
    return out.read_bytes()


def switches(folder: Path) -> Path:
    """A submission whose log shows three switches by one line, which come out of a set."""
    folder.mkdir()
    (folder / "train_gpt.py").write_text(SWITCHES)
    (folder / "train.log").write_text(LOG)
    (folder / "submission.json").write_text(json.dumps({"val_bpb": 1.15}))
    return folder


def test_switches_that_a_line_shows_stand_in_one_order(tmp_path: Path) -> None:
    target = switches(tmp_path / "mine")
    first, *others = [audited(target, tmp_path / f"{seed}.json", seed) for seed in ("1", "2", "3", "4")]
    assert b"ALPHA_ENABLED=1" in first
    assert b"GAMMA_ENABLED=1" in first
    assert all(other == first for other in others)


@pytest.mark.parametrize(
    "name", ["fail/ngram_target_in_key", "pass/document_lora", "review/seeds_of_two_settings"]
)
def test_examples_read_alike(tmp_path: Path, name: str) -> None:
    target = ROOT / "submissions" / name
    first, second = (audited(target, tmp_path / f"{seed}.json", seed) for seed in ("1", "2"))
    assert first == second
