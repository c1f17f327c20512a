"""The table of speeds: the bound of a device by its name, and what it says where nothing was measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.bench import rerun_speed
from harness.case import Claim, Origin, Script, Submission
from harness.sandbox import default_sandbox
from harness.witnesses.rerun.facts import Claimed, Machine, Measured, Outcome, OwnPass, RerunFacts
from harness.witnesses.rerun.process import Place

PASS = OwnPass("final", True, 1000, 1.9, 1.12, 1.9, 1.12, 10, 0, 0, 0, 10.0)
FACTS = RerunFacts(
    machine=Machine("cuda", "2 x NVIDIA H200, driver 570", 2, "2.13.0", emulated=False, official=False),
    length=1024,
    stride=64,
    documents=2,
    targets=1000,
    outcome=Outcome("scored", "ran", "final", 1.9, 1.12),
    claimed=Claimed(1.12, 1.12, "ours", 0.001, "seeds", comparable=False),
    measured=(
        Measured("decoded", 1.9, 1.12003, 1000, 2400, 8.0, flops=int(989e12 * 2 * 4), memory_bytes=2**30),
    ),
    passes=(PASS,),
)


@pytest.mark.parametrize(
    ("name", "peak"),
    [
        ("1 x NVIDIA H100 80GB HBM3", 989e12),
        ("1 x NVIDIA H100 PCIe", 756e12),
        ("1 x NVIDIA H200", 989e12),
        ("1 x NVIDIA A100-SXM4-80GB", 312e12),
        ("AMD EPYC, 2 cores", None),
    ],
)
def test_the_bound_of_a_device(name: str, peak: float | None) -> None:
    assert rerun_speed._bound(10**15, name, 1) == (None if peak is None else 1e15 / peak)


def test_a_row() -> None:
    row = rerun_speed.Speed("a", 2, FACTS, 0.012).row(14.4)
    assert row == "| a | 2 | 10.00 | 8.00 | 0.80 | 2.00 | 90% | 1,024 | +0.000030 | +1.2% |"


def test_the_table_scales_from_one_process() -> None:
    lines = rerun_speed.table([rerun_speed.Speed("a", n, FACTS, None) for n in (1, 2)]).splitlines()
    assert lines[0] == "2 x NVIDIA H200, driver 570, torch 2.13.0"
    assert [line.split(" | ")[6] for line in lines if line.startswith("| a")] == ["100%", "50%"]
    assert len({line.count("|") for line in lines if line.startswith("|")}) == 1


def test_the_evaluation_by_the_clock_of_the_script(tmp_path: Path) -> None:
    printed = tmp_path / "stdout.txt"
    printed.write_text(
        "step:1/1 val_loss:2.0 val_bpb:1.2\nfinal_roundtrip val_loss:1.9 val_bpb:1.12 eval_time:81234ms\n"
    )
    script = Script("train_gpt.py", 1, "", "", "", "train_gpt.py")
    submission = Submission("t", "t", tmp_path, Origin("t"), script, {})
    claim = Claim(label="final_roundtrip val_loss: val_bpb: eval_time:ms")
    place = Place(submission, script, claim, None, default_sandbox(), "cpu", 1, tmp_path, 1.0)  # type: ignore[arg-type]
    assert rerun_speed.evaluation_ms(place, printed) == 81234.0
