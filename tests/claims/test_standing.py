"""Seeds, Welch's test, the leaderboard's chronology, and what S1 says of them."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from scipy import stats

from harness.case import Case, Claim, Evidence, Finding, Origin, Status, Submission
from harness.witnesses.claims import Artifact, ClaimFacts
from harness.witnesses.claims.leaderboard import (
    Row,
    chain_before,
    joined,
    known_rows,
    own_row,
    rows_of_readme,
    state_of_the_art,
)
from harness.witnesses.claims.packaging import packaging
from harness.witnesses.claims.runs import RunFacts
from harness.witnesses.claims.seeds import Seeds, seeds_of, welch
from harness.witnesses.claims.standing import Standing, standing
from harness.witnesses.claims.submission_json import Claimed
from rules.S1 import significance

LINE = Evidence("train.log", 1, "")
BEST = Row(414, "2026-03-22", "2026-03-23", 1.1228, (1.12278, 1.12357, 1.1236), "records/x/2026-03-22_Best")


def run(name: str, seed: int | None, bpb: float) -> RunFacts:
    return RunFacts(name, seed, bpb, bpb * 1.688, LINE)


def test_welch_is_scipys() -> None:
    own, other = (1.0701, 1.0712, 1.0698), (1.0733, 1.0729, 1.0741, 1.0738)
    for by in (0.0, 0.002):
        shifted = [x + by for x in own]
        expected = stats.ttest_ind(shifted, other, equal_var=False, alternative="less").pvalue
        assert welch(own, other, by) == pytest.approx(expected, rel=1e-9)
    assert welch((1.07,), other) is None
    assert welch((1.07, 1.07), (1.08, 1.08)) is None


def test_seeds_are_those_behind_the_claimed_mean() -> None:
    runs = [run("a_seed1.log", 1, 1.07), run("a_seed2.log", 2, 1.08), run("b_seed1.log", 1, 1.05)]
    found = seeds_of(runs, (), Claimed("val_bpb", 1.075, 5))
    assert found is not None
    assert (found.scores, found.source, found.claimed) == ((1.07, 1.08), "logs", "mean")
    best = seeds_of(runs[:2], (), Claimed("val_bpb", 1.07, 5))
    assert best is not None
    assert (len(best.scores), best.claimed) == (2, "one")


def test_a_run_under_two_names_counts_once() -> None:
    found = seeds_of([run("train.log", 7, 1.07), run("train_seed7.log", 7, 1.07)], (), None)
    assert found == Seeds((1.07,), (7,), "logs", logs=("train_seed7.log",))


def test_seeds_of_submission_json_are_taken_where_logs_are_fewer() -> None:
    stated = [Claimed(f"seed_results.{s}.val_bpb", v, 4, s) for s, v in ((1, 1.07), (2, 1.08))]
    found = seeds_of([run("train.log", 1, 1.07)], stated, Claimed("val_bpb", 1.075, 4))
    assert found == Seeds((1.07, 1.08), (1, 2), "submission.json", "mean")


README = """# Challenge

## Leaderboard

| Run | Score | Author | Summary | Date | Info |
|-----|------:|--------|---------|------|------|
| A | 1.0611 | x | y (p=0.1) | 2026-04-27 | [info](https://github.com/openai/parameter-golf/pull/1855), [more](z) |
| B | 1.0810 | x | On PR #3 | 2026-04-09 | [info](records/track_10min_16mb/2026-04-09_B/README.md) |
| broken | one | x | y | 2026-04-09 | [info](https://github.com/openai/parameter-golf/pull/5) |

#### Unlimited Compute Leaderboard

| C | 1.2074 | x | y | 2026-03-18 | [info](records/track_non_record_16mb/C/README.md) |
"""


def test_rows_of_a_readme() -> None:
    rows = rows_of_readme(README)
    assert [(r.pr, r.bpb, r.folder) for r in rows] == [
        (1855, 1.0611, ""),
        (None, 1.081, "records/track_10min_16mb/2026-04-09_B"),
    ]
    assert [r.pr for r in joined([Row(1855, "", "", 1.0)], rows)] == [1855, None]


def submission(folder: str, number: int | None = None, *, merged: bool = False) -> Submission:
    origin = Origin("t", number, merged=merged)
    return Submission("t", folder, Path("t"), origin, None, {}, "record")


def test_the_state_of_the_art_is_the_best_row_opened_before() -> None:
    rows = known_rows()
    own = own_row(rows, submission("records/track_10min_16mb/x", 1493))
    best = state_of_the_art(rows, own, 1493, None)
    assert best is not None
    assert best.name == "#1477"
    by_date = state_of_the_art(rows, None, None, "2026-03-23")
    assert by_date is not None
    assert by_date.name == "#414"
    assert state_of_the_art(rows, None, None, None) is None


def test_a_borrowed_folder_name_makes_no_row_of_a_pull_request() -> None:
    name = BEST.folder
    assert own_row([BEST], submission(name)) is BEST
    assert own_row([BEST], submission(name, 414)) is BEST
    assert own_row([BEST], submission(name, 9999)) is None


def facts(found: Standing) -> ClaimFacts:
    held = packaging(submission("x"), {}, 0)
    artifact = Artifact(0, 0, 0, None, None, None, None, None)
    return ClaimFacts(None, (), artifact, held, (), None, False, None, found)


def judged(
    scores: tuple[float, ...],
    *,
    record: bool = True,
    number: int = 500,
    merged: bool = False,
    systems: bool = False,
) -> Finding:
    gain = BEST.mean - sum(scores) / len(scores)
    found = Standing(
        Seeds(scores, tuple(range(len(scores))), "logs"), BEST, None, gain, gain * 1.7, welch(scores, BEST.seeds),
        welch(scores, BEST.seeds, 0.003), LINE if record else None, LINE if systems else None,
    )  # fmt: skip
    where = submission("records/track_10min_16mb/x", number, merged=merged)
    return significance(Case(where, Claim(), claims=facts(found)))


AHEAD, EVEN, BEHIND = (1.1001, 1.1003, 1.1002), (1.1231, 1.1235, 1.1233), (1.13, 1.1302, 1.1301)


@pytest.mark.parametrize(
    ("scores", "status"),
    [(AHEAD, Status.PASS), (EVEN, Status.REVIEW), (BEHIND, Status.REVIEW), ((1.11,), Status.REVIEW)],
)
def test_a_claimed_record_that_the_runs_do_not_show_is_a_question(
    scores: tuple[float, ...], status: Status
) -> None:
    found = judged(scores)
    assert found.status is status
    assert "#414" in found.summary


def test_what_claims_no_record_was_merged_or_is_a_speed_up_is_none() -> None:
    assert judged(BEHIND, record=False).status is Status.PASS
    assert judged(BEHIND, merged=True).status is Status.PASS
    assert judged(BEHIND, systems=True).status is Status.PASS


def test_both_thresholds_are_told() -> None:
    assert "0.005 nats, p < 0.01) is met" in judged(AHEAD).summary
    assert "chain (p < 0.25) is met" in judged(AHEAD).summary


@pytest.mark.parametrize(
    ("readme", "claims_one"),
    [
        ("# Record: fast\n", True),
        ("# Non-record: study\n", False),
        ("# Record attempt\nThis is not a record.\n", False),
        ("# Notes\n", False),
        ("# Our SOTA submission - 1.2\n", True),
        ("# Small SOTA: more layers\n", True),
        ("# Built on the SOTA stack\n", False),
    ],
)
def test_what_calls_itself_a_record(tmp_path: Path, readme: str, claims_one: bool) -> None:
    (tmp_path / "README.md").write_text(readme)
    where = Submission(
        "t",
        "records/track_10min_16mb/2026-05-01_x",
        tmp_path,
        Origin("t"),
        None,
        {"README.md": len(readme)},
        "record",
    )
    found = standing(where, None, [run("a.log", 1, 1.05)], (), None)
    assert found is not None
    assert (found.record_claim is not None) is claims_one
    assert found.against is not None
    assert found.against.name == "#2014"


def test_a_claim_without_a_run_stands_for_itself() -> None:
    alone = seeds_of((), (), Claimed("val_bpb", 1.1190, 4))
    assert alone is not None
    assert (alone.scores, alone.source, alone.deviation) == ((1.1190,), "claim", None)
    assert seeds_of((), (), Claimed("val_bpb", 1.1, 1)) is None


def test_the_chain_before_a_pull_request_holds_what_was_best_of_its_day() -> None:
    number = 1493
    chain = chain_before(known_rows(), None, number, None)
    assert all(r.pr is None or r.pr < number for r in chain)
    assert all(a.mean > b.mean for a, b in itertools.pairwise(chain))
    best = state_of_the_art(known_rows(), None, number, None)
    assert chain[-1] is best
    assert [r.pr for r in chain[:2]] == [39, 49]
    assert chain_before((), None, number, None) == ()
