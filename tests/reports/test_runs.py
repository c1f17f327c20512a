"""The runs behind a score, in the page and in the comment: each with its log line, clocks and bytes."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from harness.case import Audit, Claim, Evidence, Origin, Submission
from harness.witnesses import claims
from harness.witnesses.claims.leaderboard import Row
from harness.witnesses.claims.seeds import Seeds
from harness.witnesses.claims.standing import Step
from reports.html import audit_html
from reports.markdown import audit_markdown


def with_runs(audit: Audit) -> Audit:
    """The audit with two runs behind its score; the second one's log says nothing of its clocks."""
    where = Submission("t", "t", Path("t"), Origin("t"), None, {})
    line = Evidence("seed1.log", 900, "final val_bpb:1.0625")
    first = claims.RunFacts(
        "seed1.log", 1, 1.0625, 2.75, line, steps=4830, train_ms=claims.Stated(599_700.0, line),
        total_bytes=claims.Stated(15_987_654, line), world_size=8,
        machine=claims.Machine(("NVIDIA H100",), 8, (("PyTorch", "2.9.1+cu128"),), line),
    )  # fmt: skip
    second = claims.RunFacts("seed2.log", 2, 1.0627, None, Evidence("seed2.log", 7, ""))
    seeds = Seeds((1.0625, 1.0627), (1, 2), "logs", "mean", ("seed1.log", "seed2.log"))
    before = Row(1855, "2026-04-27", "2026-04-30", 1.0611, (1.0609, 1.0613))
    chain = (Step(Row(7, "2026-03-18", "2026-03-19", 1.2), None, None), Step(before, 0.1389, 0.0123))
    standing = claims.Standing(seeds, before, None, -0.0015, -0.004, 0.97, 0.98, None, None, chain)
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


def test_the_chain_of_records_and_the_machine_are_in_the_page_and_in_the_comment(honest: Audit) -> None:
    for text in (audit_html(with_runs(honest)), audit_markdown(with_runs(honest))):
        text = text.replace("\\", "")
        for shown in ("1855", "2026-04-27", "1.06110", "0.13890", "0.012", "0.97", "This submission"):
            assert shown in text, shown
        assert "8 \u00d7 NVIDIA H100, PyTorch 2.9.1+cu128" in text
    bare = dataclasses.replace(honest, case=dataclasses.replace(honest.case, claims=None))
    for text in (audit_html(bare), audit_markdown(bare)):
        assert "Records before it" not in text
        assert "Machine of the claimed run" not in text
