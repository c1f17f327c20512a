"""What rules make of a rerun: a pass where it covers, a question where it contradicts, no FAIL by a clock."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from harness.case import Case, Claim, Finding, Grade, Origin, Status, Submission
from harness.witnesses.rerun.facts import (
    Artifact,
    Claimed,
    Machine,
    Measured,
    Outcome,
    OwnPass,
    RerunFacts,
    Step,
)
from harness.witnesses.static.facts import CERTAIN, Fact, StaticFacts
from harness.witnesses.tamper import KIND
from rules.A1 import artifact_bytes
from rules.A2 import score_comes_from_the_artifact
from rules.B1 import books_balance
from rules.C3 import score_before_update
from rules.D1 import whole_validation_set
from rules.registry import all_rules
from rules.reruns import clocked
from rules.S2 import score_reproduced
from rules.T1 import training_time
from rules.T2 import evaluation_time

OFFICIAL = Machine("cuda", "8 x NVIDIA H100 80GB HBM3", 8, "2.13.0", emulated=False, official=True)
OTHER = dataclasses.replace(OFFICIAL, hardware="1 x NVIDIA H200", processes=1, official=False)
SMALL = dataclasses.replace(OTHER, device="cpu", hardware="a CPU", emulated=True)
PASS = OwnPass("final", True, 1000, 1.9, 1.12, 1.9, 1.12, 10, 0, 0, 0, 80.0)
ADAPTED = dataclasses.replace(PASS, train_calls=9, steps=30)
GOOD = RerunFacts(
    machine=OFFICIAL,
    length=1024,
    stride=64,
    documents=2,
    targets=1000,
    outcome=Outcome("scored", "ran to its end", "final", 1.9, 1.12, train_s=599.0, eval_s=81.0),
    claimed=Claimed(1.12, 1.1204, "our sliding windows", 0.001, "three seeds", comparable=True),
    steps=(Step("run", 700.0, 0, "ran"),),
    artifact=Artifact("m.ptz", 15_000_000, "ab", 50_000, "identical", True, "the very weights that scored"),
    measured=(Measured("decoded", 1.9001, 1.1204, 1000, 2400),),
    passes=(PASS,),
)


def case_of(rerun: RerunFacts | None, facts: tuple[Fact, ...] = (), track: str = "record") -> Case:
    """A case that was read and not run, so that the rules of the run are not covered; with a rerun."""
    submission = Submission("t", "t", Path("t"), Origin("t"), None, {}, track)
    return Case(submission, Claim(), static=StaticFacts(facts), rerun=rerun)


def with_pass(**changes: Any) -> RerunFacts:
    return dataclasses.replace(GOOD, passes=(dataclasses.replace(ADAPTED, **changes),))


def on(machine: Machine, **changes: Any) -> RerunFacts:
    return dataclasses.replace(GOOD, machine=machine, **changes)


def test_without_a_rerun_nothing_changes() -> None:
    for rule in all_rules():
        assert "rerun" not in rule.check(case_of(None)).summary.lower() or rule.id == "S2"


def test_a_small_rerun_speaks_on_the_artifact_alone() -> None:
    for rule in all_rules():
        before, after = rule.check(case_of(None)), rule.check(case_of(on(SMALL)))
        assert (before == after) or rule.id in ("A2", "S2")


@pytest.mark.parametrize("check", [books_balance, whole_validation_set])
def test_a_whole_and_balanced_pass_covers_what_nothing_else_did(check: Any) -> None:
    found = check(case_of(GOOD))
    assert (found.status, found.grade) == (Status.PASS, Grade.TRACE)
    tampering = Fact(KIND, CERTAIN, "it switches the hooks off")
    assert check(case_of(GOOD, (tampering,))).status is Status.NOT_COVERED


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, Status.PASS),
        ({"printed_loss": 1.95}, Status.NOT_COVERED),
        ({"printed_bpb": 1.119}, Status.PASS),
        ({"printed_bpb": 1.0}, Status.FAIL),
        ({"printed_bpb": 1.2}, Status.NOT_COVERED),
        ({"positions": 500}, Status.NOT_COVERED),
    ],
)
def test_books_at_full_scale(changes: dict[str, Any], status: Status) -> None:
    assert books_balance(case_of(with_pass(**changes))).status is status


def test_part_of_the_real_stream_is_a_question() -> None:
    found = whole_validation_set(case_of(with_pass(positions=500)))
    assert (found.status, found.category) == (Status.REVIEW, "partial_val")


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"trained_before": 0}, Status.NOT_COVERED),
        ({"trained_before": 5}, Status.NOT_COVERED),
        ({"trained_before": 50}, Status.REVIEW),
        ({"trained_before": 900}, Status.FAIL),
        ({"trained_before": 900, "printed_loss": 1.5}, Status.REVIEW),
        ({"trained_before": 900, "steps": 0}, Status.NOT_COVERED),
    ],
)
def test_order_at_full_scale(changes: dict[str, Any], status: Status) -> None:
    found = score_before_update(case_of(with_pass(**changes)))
    assert found.status is status
    assert "At full scale" in found.summary


SEEN = Finding("T2", Status.PASS, "The log says 81 s.")
UNKNOWN = Finding("T2", Status.NOT_COVERED, "The log says nothing.")
OVER = Finding("T2", Status.FAIL, "The log says 700 s.")


@pytest.mark.parametrize(
    ("finding", "machine", "seconds", "status"),
    [
        (SEEN, OFFICIAL, 81.0, Status.PASS),
        (UNKNOWN, OFFICIAL, 81.0, Status.PASS),
        (SEEN, OFFICIAL, 610.0, Status.PASS),
        (SEEN, OFFICIAL, 700.0, Status.REVIEW),
        (UNKNOWN, OFFICIAL, 700.0, Status.REVIEW),
        (OVER, OFFICIAL, 700.0, Status.FAIL),
        (OVER, OFFICIAL, 81.0, Status.FAIL),
        (SEEN, OTHER, 4000.0, Status.PASS),
        (UNKNOWN, OTHER, 81.0, Status.NOT_COVERED),
        (SEEN, SMALL, 4000.0, Status.PASS),
    ],
)
def test_clocks(finding: Finding, machine: Machine, seconds: float, status: Status) -> None:
    found = clocked(case_of(on(machine)), finding, seconds, "the evaluation", "eval_time")
    assert found.status is status
    assert ("not 8xH100: no pass and no fail" in found.summary) is (machine is OTHER)
    assert (machine.hardware in found.summary) is not machine.emulated


def test_a_clock_of_its_own_that_is_too_short_is_not_believed() -> None:
    found = evaluation_time(case_of(with_pass(seconds=900.0)))
    assert (found.status, found.category) == (Status.REVIEW, "eval_time")
    assert "900.0 s on 8 x NVIDIA H100" in found.summary


def test_a_given_artifact_says_nothing_of_training_time() -> None:
    assert "rerun" in training_time(case_of(GOOD)).summary
    assert "rerun" not in training_time(case_of(dataclasses.replace(GOOD, trained=False))).summary


@pytest.mark.parametrize(("size", "status"), [(15_000_000, Status.PASS), (16_100_000, Status.REVIEW)])
def test_the_size_of_the_artifact_that_was_made(size: int, status: Status) -> None:
    assert GOOD.artifact is not None
    artifact = dataclasses.replace(GOOD.artifact, bytes=size)
    assert artifact_bytes(case_of(dataclasses.replace(GOOD, artifact=artifact))).status is status


@pytest.mark.parametrize(
    ("loaded", "own", "status"),
    [
        (True, PASS, Status.PASS),
        (True, ADAPTED, Status.NOT_COVERED),
        (True, dataclasses.replace(PASS, printed_loss=1.8), Status.NOT_COVERED),
        (False, PASS, Status.REVIEW),
        (None, PASS, Status.NOT_COVERED),
    ],
)
def test_the_weights_that_scored_are_those_of_the_artifact(
    loaded: bool | None, own: OwnPass, status: Status
) -> None:
    assert GOOD.artifact is not None
    artifact = dataclasses.replace(GOOD.artifact, loaded=loaded)
    rerun = on(SMALL, artifact=artifact, passes=(own,))
    assert score_comes_from_the_artifact(case_of(rerun)).status is status


@pytest.mark.parametrize(
    ("rerun", "status"),
    [
        (GOOD, Status.PASS),
        (
            dataclasses.replace(GOOD, claimed=dataclasses.replace(GOOD.claimed, measured=1.1211)),
            Status.REVIEW,
        ),
        (dataclasses.replace(GOOD, claimed=dataclasses.replace(GOOD.claimed, measured=None)), Status.REVIEW),
        (dataclasses.replace(GOOD, claimed=dataclasses.replace(GOOD.claimed, bpb=None)), Status.NOT_COVERED),
        (dataclasses.replace(GOOD, steps=(Step("score", 0.0, 0, "died", done=False),)), Status.REVIEW),
        (on(SMALL), Status.NOT_COVERED),
        (on(OTHER, claimed=dataclasses.replace(GOOD.claimed, comparable=False)), Status.PASS),
        (
            on(OTHER, claimed=dataclasses.replace(GOOD.claimed, measured=1.3, comparable=False)),
            Status.NOT_COVERED,
        ),
    ],
)
def test_the_claimed_score_is_measured_again(rerun: RerunFacts, status: Status) -> None:
    assert score_reproduced(case_of(rerun)).status is status
