"""What a submission's papers call it, and what its folder's place says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.case import Case, Origin, Script, Status, Submission
from harness.intake.assemble import track_of
from harness.intake.claim import claimed_configuration
from harness.intake.track import called_non_record
from harness.witnesses import claims
from rules.A1 import artifact_bytes
from rules.P1 import packaging
from rules.T1 import training_time
from tests.claims.test_papers import SOURCE, log

PLACE = "records/track_10min_16mb/2026-04-01_x"


def submission(root: Path, readme: str, data: dict[str, object], text: str = "") -> Submission:
    (root / "README.md").write_text(readme)
    (root / "submission.json").write_text(json.dumps({"val_bpb": 1.1234, **data}))
    if text:
        (root / "train.log").write_text(text)
    sizes = {p.name: p.stat().st_size for p in root.iterdir()}
    script = Script("train_gpt.py", len(SOURCE), "0" * 64, SOURCE, SOURCE, "train_gpt.py")
    return Submission("x", PLACE, root, Origin("x"), script, sizes, "record")


@pytest.mark.parametrize(
    ("place", "track"),
    [
        (PLACE, "record"),
        ("records/track_non_record_16mb/x", "non_record"),
        ("records/non_record/x", "non_record"),
        ("records/nonrecord_qat", "non_record"),
        ("non-records/methods", "non_record"),
        ("records/mine", "unknown"),
        ("", "unknown"),
    ],
)
def test_the_track_of_a_place(place: str, track: str) -> None:
    assert track_of(place) == track


@pytest.mark.parametrize(
    ("readme", "data", "called"),
    [
        ("# Non-record: an experiment\n", {}, True),
        ("# [Non-Record] Hybrid\n", {}, True),
        ("# A study\n\nThis is a **non-record** submission.\n", {}, True),
        ("# A study\n\n**val_bpb: 1.1** | Non-record submission (novel)\n", {}, True),
        ("# A study\n\n**val_bpb: 1.1** (non-record)\n", {}, True),
        ("# A study\n", {"track": "non-record-16mb"}, True),
        ("# A study\n", {"track": "non-record-unlimited-compute-16mb"}, True),
        ("# A study\n", {"blurb": "Non-record submission exploring a cache"}, True),
        ("# Record: fast\n\nIt beats all non-record submissions.\n", {}, False),
        ("# Fast\n\nThis is not a non-record submission.\n", {}, False),
        ("# Fast\n\nA grant enabled our prior non-record submission.\n", {}, False),
        ("# Fast\n\nThe idea is from the non-record track.\n", {"track": "10min_16mb"}, False),
        ("# Fast\n", {"blurb": "Faster than a non-record run of last week"}, False),
    ],
)
def test_papers_that_call_it_a_non_record(
    tmp_path: Path, readme: str, data: dict[str, object], called: bool
) -> None:
    held = submission(tmp_path, readme, data)
    assert (called_non_record(held, "submission.json", data) is not None) is called


@pytest.mark.parametrize(
    ("readme", "clock", "size"),
    [("# Record\n", Status.FAIL, Status.FAIL), ("# Non-record\n", Status.NOT_APPLICABLE, Status.REVIEW)],
)
def test_limits_of_what_is_called_a_non_record(
    tmp_path: Path, readme: str, clock: Status, size: Status
) -> None:
    held = submission(tmp_path, readme, {}, log(train_ms=900_000, model=16_100_000))
    claim = claimed_configuration(held)
    case = Case(held, claim, claims=claims.examine(held, claim))
    assert training_time(case).status is clock
    assert artifact_bytes(case).status is size
    told = packaging(case)
    assert told.status is Status.PASS
    assert ("record track" in told.summary) == (readme == "# Non-record\n")
