"""The score in the title beside the claimed one, and what P2 asks of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.case import Case, Claim, Origin, Status, Submission
from harness.intake.claim import claimed_configuration
from harness.witnesses import claims
from rules.P2 import papers_agree
from tests.claims.test_papers import log


def judged(folder: Path, name: str, heading: str, *, merged: bool = False) -> tuple[float | None, Status]:
    """(the other score of the title, what P2 says) of a submission that claims 1.1234."""
    stated = {"author": "a", "name": name, "val_bpb": 1.1234}
    files = {
        "README.md": f"{heading}\n\nval_bpb 1.1234\n",
        "submission.json": json.dumps(stated),
        "a.log": log(),
    }
    for file, text in files.items():
        (folder / file).write_text(text)
    sizes = {n: len(t) for n, t in files.items()}
    where = Submission("t", "records/x/t", folder, Origin("t", merged=merged), None, sizes, "record")
    facts = claims.examine(where, claimed_configuration(where))
    found = papers_agree(Case(where, Claim(), claims=facts))
    return facts.title.value if facts.title else None, found.status


@pytest.mark.parametrize(
    ("name", "heading", "other", "status"),
    [
        ("Deep net", "# Deep net", None, Status.PASS),
        ("Deep net 1.1234 BPB", "# Deep net (val_bpb: 1.123)", None, Status.PASS),
        ("Deep net", "# Record: 1.2244 BPB to 1.1234 BPB", None, Status.PASS),
        ("EMA(0.997) and 1.1300 of width", "# Deep net", None, Status.PASS),
        ("Deep net, gain of BPB -0.0151", "# Deep net", None, Status.PASS),
        ("Deep net", "# Deep net (val_bpb: 1.1250)", 1.125, Status.PASS),
        ("Deep net (val_bpb=0.5527)", "# Deep net", 0.5527, Status.REVIEW),
        ("Deep net", "# Deep net: 1.1100 BPB", 1.11, Status.REVIEW),
    ],
)
def test_the_score_of_the_title(
    tmp_path: Path, name: str, heading: str, other: float | None, status: Status
) -> None:
    assert judged(tmp_path, name, heading) == (other, status)


def test_of_an_accepted_row_it_is_told_only(tmp_path: Path) -> None:
    assert judged(tmp_path, "0.5527 BPB", "# Deep net", merged=True) == (0.5527, Status.PASS)
