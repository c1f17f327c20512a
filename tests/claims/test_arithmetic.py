"""A README that does not add up, and one that does; runs of one mean with different settings."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from harness.case import Case, Claim, Evidence, Origin, Status, Submission
from harness.witnesses import claims
from harness.witnesses.claims.arithmetic import slips
from harness.witnesses.claims.configuration import differences
from harness.witnesses.claims.log import read_log
from harness.witnesses.claims.runs import run_facts
from harness.witnesses.claims.seeds import Seeds
from rules.P5 import one_configuration
from rules.P6 import readme_adds_up

LINE = Evidence("1.log", 1, "")
SEEDS = "| Seed | val_bpb | Steps |\n|---|---|---|\n| 1 | 1.0700 | 10 |\n| 2 | 1.0800 | 11 |\n| **Mean** | **{}** | |\n"
COUNTS = (
    "| Loss | Token count | % of tokens |\n|---|---|---|\n| > 1.0 | 36.9M | 59.6% |\n| > 3.0 | 20.3M | 32.7% |\n"
    "| > 5.0 | {} | 11.6% |\n| > 10.0 | 135K | 0.2% |\n"
)


def submission(folder: Path, readme: str, *, merged: bool = False) -> Submission:
    (folder / "README.md").write_text(readme)
    where = Origin("t", merged=merged)
    return Submission("t", "records/x/t", folder, where, None, {"README.md": len(readme)}, "record")


@pytest.mark.parametrize(
    ("readme", "kinds"),
    [
        (SEEDS.format("1.0750"), []),
        (SEEDS.format("1.075"), []),
        (SEEDS.format("1.0700"), ["mean"]),
        ("**val_bpb: 1.0700** (3-seed mean)\n\n" + SEEDS.format("1.0750"), ["headline"]),
        ("**val_bpb: 1.0750** (2-seed mean, std 0.005)\n\n" + SEEDS.format("1.0750"), []),
        ("**val_bpb: 1.0660** (3-seed mean)\n\n" + SEEDS.format("1.0750"), []),
        (SEEDS.format("~1.07"), []),
        (SEEDS.format("1.0750") + "| 1 | 1.0100 | 10 |\n| 2 | 1.0200 | 11 |\n| Mean | 1.0150 | |\n", []),
        (COUNTS.format("7.2M"), []),
        (COUNTS.format("17.2M"), ["count"]),
        ("4% of tokens (loss > 7.0) matter.\n\nThe 2.7% of tokens (loss > 7.0) matter.\n", ["share"]),
        ("3% of tokens (loss > 7.0) matter.\n\nThe 2.7% of tokens (loss > 7.0) matter.\n", []),
        ("~4% of tokens (loss > 7.0) matter.\n\nThe 2.7% of tokens (loss > 7.0) matter.\n", []),
        ("4% of tokens (loss > 7.0).\n\n| Over | % of tokens |\n|---|---|\n| > 7.0 | 2.7% |\n", ["share"]),
    ],
)
def test_what_does_not_add_up(tmp_path: Path, readme: str, kinds: list[str]) -> None:
    assert [s.kind for s in slips(submission(tmp_path, readme))] == kinds


def test_a_slip_is_a_question_until_the_row_is_accepted(tmp_path: Path) -> None:
    for merged, status in ((False, Status.REVIEW), (True, Status.PASS)):
        where = submission(tmp_path, SEEDS.format("1.0700"), merged=merged)
        found = readme_adds_up(Case(where, Claim(), claims=claims.examine(where, Claim())))
        assert found.status is status
        assert "1.075" in found.summary


def test_a_mean_that_is_off_by_little_is_told_only(tmp_path: Path) -> None:
    where = submission(tmp_path, SEEDS.format("1.07530"))
    found = readme_adds_up(Case(where, Claim(), claims=claims.examine(where, Claim())))
    assert found.status is Status.PASS
    assert "1.07530" in found.summary


def runs(folder: Path, *rates: str) -> tuple[claims.Difference, ...]:
    logs = []
    for seed, rate in enumerate(rates):
        file = folder / f"seed{seed}.log"
        file.write_text(
            f"seed: {seed}\nttt_lr: {rate}\nrun_id: r{seed}\nfinal_exact val_loss:1.9 val_bpb:1.1\n"
        )
        logs.append(read_log(file, file.name))
    facts = [run_facts(log, log.scores[-1]) for log in logs]
    return differences(logs, facts, ("SEED", "TTT_LR", "RUN_ID"))


def test_settings_that_differ_between_the_runs_of_a_mean(tmp_path: Path) -> None:
    assert runs(tmp_path, "0.002", "2e-3") == ()
    assert runs(tmp_path, "0.002", "starts now for 3 chunks of 4") == ()
    assert runs(tmp_path, "1024@0.1", "1024@0.1,2048@0.7") == ()
    found = runs(tmp_path, "0.002", "0.004")
    assert [(d.name, [v for v, _ in d.values]) for d in found] == [("ttt_lr", ["0.002", "0.004"])]
    assert [e.line for _, e in found[0].values] == [2, 2]


@pytest.mark.parametrize(("merged", "status"), [(False, Status.REVIEW), (True, Status.PASS)])
def test_runs_of_two_configurations_are_a_question(tmp_path: Path, merged: bool, status: Status) -> None:
    where = submission(tmp_path, "x", merged=merged)
    facts = claims.examine(where, Claim())
    seen = [claims.RunFacts(f"{s}.log", s, 1.1 + s / 100, 1.9, LINE) for s in (1, 2)]
    stand = claims.Standing(Seeds((1.11, 1.12), (1, 2), "logs", "mean", ("1.log", "2.log")), *[None] * 8)
    facts = dataclasses.replace(facts, claimed=seen[0], runs=tuple(seen), standing=stand)
    case = Case(where, Claim(), claims=dataclasses.replace(facts, differences=runs(tmp_path, "1", "2")))
    assert one_configuration(case).status is status
    same = dataclasses.replace(case, claims=facts)
    assert one_configuration(same).status is Status.PASS
