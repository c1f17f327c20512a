"""The runs behind a score, in the page and in the comment: each with its log line, clocks and bytes."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from harness.case import Audit, Claim, Evidence, Origin, Submission
from harness.witnesses import claims
from harness.witnesses.claims.seeds import Seeds
from reports.html import audit_html
from reports.markdown import audit_markdown


def with_runs(audit: Audit) -> Audit:
    """The audit with two runs behind its score; the second one's log says nothing of its clocks."""
    where = Submission("t", "t", Path("t"), Origin("t"), None, {})
    line = Evidence("seed1.log", 900, "final val_bpb:1.0625")
    first = claims.RunFacts(
        "seed1.log", 1, 1.0625, 2.75, line, steps=4830, train_ms=claims.Stated(599_700.0, line),
        total_bytes=claims.Stated(15_987_654, line), world_size=8,
    )  # fmt: skip
    second = claims.RunFacts("seed2.log", 2, 1.0627, None, Evidence("seed2.log", 7, ""))
    seeds = Seeds((1.0625, 1.0627), (1, 2), "logs", "mean", ("seed1.log", "seed2.log"))
    standing = claims.Standing(seeds, None, None, None, None, None, None, None, None)
    facts = dataclasses.replace(
        claims.examine(where, Claim()), claimed=first, runs=(first, second), standing=standing
    )
    return dataclasses.replace(audit, case=dataclasses.replace(audit.case, claims=facts))


def test_every_run_behind_the_score_is_in_the_page_and_in_the_comment(honest: Audit) -> None:
    page, comment = audit_html(with_runs(honest)), audit_markdown(with_runs(honest))
    for text in ("seed1.log", "seed2.log", "1.06250", "1.06270", "15,987,654"):
        assert text in page
        assert text in comment
    assert "seed1.log:900" in page
    assert "599.7" in page


def test_without_logs_there_is_no_table(honest: Audit) -> None:
    bare = dataclasses.replace(honest, case=dataclasses.replace(honest.case, claims=None))
    assert "Runs behind the score" not in audit_html(bare)
