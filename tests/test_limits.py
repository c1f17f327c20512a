"""The host's thresholds: what the policy may name, and that the rules hold the submission against them."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest

from harness.case import Case, Claim, Evidence, Finding, Status
from harness.intake import IntakeError
from harness.limits import CHALLENGE, Limits
from harness.policy import Policy, exempted, read_policy
from harness.witnesses.claims import ClaimFacts, RunFacts, Stated
from harness.witnesses.claims.seeds import Seeds, welch
from harness.witnesses.claims.standing import Standing
from rules.A1 import artifact_bytes
from rules.S1 import significance
from rules.T1 import training_time
from rules.T2 import evaluation_time
from rules.T3 import calibration
from tests.claims.test_standing import AHEAD, BEST, LINE, facts, submission

HERE = Evidence("train.log", 1, "a line")
RUN = RunFacts(
    "train.log",
    1,
    1.1,
    1.9,
    HERE,
    1000,
    80.0,
    Stated(599_000.0, HERE),
    eval_ms=Stated(500_000.0, HERE),
    world_size=8,
)


def read(tmp_path: Path, text: str) -> Policy:
    (tmp_path / "auditor.toml").write_text(text)
    return read_policy(tmp_path / "auditor.toml")


def timed(limits: Limits) -> Case:
    claims = dataclasses.replace(facts(standing_of(AHEAD)), claimed=RUN, runs=(RUN,), score_stated=True)
    where = dataclasses.replace(submission("records/track_10min_16mb/x", 500), track="record")
    return Case(where, Claim(), claims=claims, limits=limits)


def sized(limits: Limits) -> Case:
    case = timed(limits)
    assert case.claims is not None
    held = dataclasses.replace(case.claims.artifact, logged_total=Stated(15_900_000, HERE))
    claims: ClaimFacts = dataclasses.replace(case.claims, artifact=held)
    return dataclasses.replace(case, claims=claims)


def standing_of(scores: tuple[float, ...]) -> Standing:
    gain = BEST.mean - sum(scores) / len(scores)
    nats = math.log(2.0) * 2.4
    return Standing(
        Seeds(scores, tuple(range(len(scores))), "logs"), BEST, None, gain, gain * nats, welch(scores, BEST.seeds),
        welch(scores, BEST.seeds, 0.005 / nats), LINE, None,
    )  # fmt: skip


def record(limits: Limits) -> Finding:
    return significance(
        Case(
            submission("records/track_10min_16mb/x", 500),
            Claim(),
            claims=facts(standing_of(AHEAD)),
            limits=limits,
        )
    )


def test_the_limits_of_a_policy_are_read_and_the_others_are_the_challenges(tmp_path: Path) -> None:
    found = read(tmp_path, "[limits]\nartifact-bytes = 8_000_000\ntrain-seconds = 300\n").limits
    assert found == Limits(8_000_000, 300.0)
    assert read(tmp_path, "").limits == CHALLENGE


def test_other_limits_are_another_policy(tmp_path: Path) -> None:
    assert read(tmp_path, "[limits]\neval-seconds = 300\n").key() != Policy().key()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("limits = 3", "limits in .* is no table"),
        ("[limits]\nbytes = 3", "unknown key bytes"),
        ("[limits]\nartifact-bytes = 1.5", "artifact-bytes .* is no whole number"),
        ("[limits]\nartifact-bytes = true", "artifact-bytes .* is no whole number"),
        ("[limits]\ntrain-seconds = '600'", "train-seconds .* is no number"),
        ("[limits]\neval-seconds = 0", "eval-seconds .* must be above 0"),
        ("[limits]\neval-seconds = inf", "eval-seconds .* must be above 0"),
        ("[limits]\nsignificance-p = 1", "significance-p .* must be between 0 and 1"),
    ],
)
def test_limits_that_mean_nothing_are_errors(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(IntakeError, match=why):
        read(tmp_path, text)


def test_times_are_held_against_the_limits() -> None:
    short = Limits(train_seconds=300.0, eval_seconds=400.0)
    assert [rule(timed(CHALLENGE)).status for rule in (training_time, evaluation_time)] == [Status.PASS] * 2
    assert training_time(timed(short)).status is Status.FAIL
    assert "more than 300 s and a step" in training_time(timed(short)).summary
    assert "more than 400 s" in evaluation_time(timed(short)).summary
    assert calibration(timed(short)).status is Status.PASS


def test_the_artifact_is_held_against_the_limit() -> None:
    assert artifact_bytes(sized(CHALLENGE)).status is Status.PASS
    small = artifact_bytes(sized(Limits(artifact_bytes=15_000_000)))
    assert small.status is Status.FAIL
    assert "900,000 over the cap of 15,000,000" in small.summary


def test_a_significance_of_the_hosts_own_stands_in_place_of_both() -> None:
    assert record(CHALLENGE).status is Status.PASS
    assert record(Limits(significance_nats=0.01, significance_p=0.2)).status is Status.PASS
    much = record(Limits(significance_nats=0.5))
    assert much.status is Status.REVIEW
    assert "the host's (0.5 nats, p < 0.01) is not met" in much.summary


def test_reports_say_where_a_limit_is_not_the_challenges() -> None:
    given = Policy(warn=frozenset(), limits=Limits(artifact_bytes=8_000_000))
    size, time = exempted(
        [Finding("A1", Status.FAIL, "Large."), Finding("T1", Status.PASS, "Fast.")], given, "x"
    )
    assert size.summary == (
        "Large. By the host's policy an artifact has at most 8,000,000 bytes (the challenge: 16,000,000)."
    )
    assert time.summary == "Fast."
