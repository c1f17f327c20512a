"""The rerun in every format: claimed beside measured, times judged on 8xH100 alone, hostile names harmless."""

from __future__ import annotations

import dataclasses
import io
import json
import re

import numpy as np
import pytest
from rich.console import Console

from harness.case import Audit
from harness.limits import Limits
from harness.witnesses.rerun.changes import change
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
from harness.witnesses.rerun.quantization import compare, reference
from reports import rerun_words
from reports.html import audit_html
from reports.json_report import audit_json, dump
from reports.markdown import audit_markdown
from reports.rerun_terminal import print_rerun
from tests.reports.test_html import ALLOWED, Page

HOSTILE = "<script>alert(1)</script>[red]"
BEFORE = np.linspace(0.5, 8, 500, dtype=np.float32)
AFTER = BEFORE - np.float32(0.2) * (np.arange(500) % 3 == 0).astype(np.float32)

IDS = (np.arange(500) % 3).astype(np.uint16)


@pytest.fixture
def facts() -> RerunFacts:
    """A rerun on 8xH100 that agrees with its claim."""
    rng = np.random.default_rng(0)
    floats = {HOSTILE: rng.normal(size=(40, 64)).astype(np.float32)}
    yardstick, decoded = reference("int8", floats)
    changed = change("float -> decoded", BEFORE, AFTER, IDS, [HOSTILE, " the", "b"])
    assert changed is not None
    return RerunFacts(
        machine=Machine("cuda", "8 x NVIDIA H100 80GB HBM3", 8, "2.13.0", emulated=False, official=True),
        length=1024,
        stride=64,
        documents=50_000,
        targets=500,
        outcome=Outcome("scored", "ran to its end", "final", 1.9, 1.1201, train_s=599.0, eval_s=610.5),
        claimed=Claimed(1.12, 1.1204, "our sliding windows", 0.001, "two seeds", comparable=True),
        steps=(Step("run", 1300.0, 2**30, HOSTILE), Step("score", 70.0, 2**31, "decoded")),
        artifact=Artifact(HOSTILE, 15_900_000, "ab" * 32, 50_000, "identical"),
        measured=(Measured("decoded", 1.9, 1.1204, 500, 1000, 70.0), Measured("float", failed=HOSTILE)),
        quantization=compare(floats, decoded, 15_900_000),
        yardsticks=(yardstick,),
        passes=(OwnPass(HOSTILE, True, 500, 1.9, 1.12, 1.9, 1.12, 3, 2, 1, 0, 60.0),),
        changes=(changed,),
        notes=(HOSTILE,),
    )


def test_the_page_holds_the_rerun_and_stays_harmless(honest: Audit, facts: RerunFacts) -> None:
    text = audit_html(dataclasses.replace(honest, case=dataclasses.replace(honest.case, rerun=facts)))
    page = Page(text)
    assert {tag for tag, _ in page.tags} <= ALLOWED
    assert "<script" not in text
    ids = [a["id"] for _, a in page.tags if "id" in a]
    assert len(ids) == len(set(ids))
    assert {"rerun", "gains-1-title", "change-along-1-title"} <= set(ids)


def test_no_section_without_a_rerun(honest: Audit) -> None:
    assert 'id="rerun"' not in audit_html(honest)


def test_json_and_terminal(honest: Audit, facts: RerunFacts) -> None:
    document = audit_json(dataclasses.replace(honest, case=dataclasses.replace(honest.case, rerun=facts)))
    assert json.loads(dump(document))["rerun"]["claimed"]["measured"] == 1.1204
    out = io.StringIO()
    print_rerun(facts, Console(file=out, width=200))
    assert "within the tolerance" in out.getvalue()
    assert "<script>" in out.getvalue()


def test_times_are_judged_on_the_official_hardware_alone(facts: RerunFacts) -> None:
    assert rerun_words.times(facts).endswith("Too long: evaluation over 600 s.")
    host = Limits(train_seconds=120.0, eval_seconds=5000.0)
    assert rerun_words.times(facts, host).endswith("Too long: training over 120 s.")
    assert rerun_words.times(facts, Limits(train_seconds=900.0, eval_seconds=5000.0)).endswith(
        "Within 900 s and 5000 s."
    )
    other = dataclasses.replace(facts.machine, hardware="1 x NVIDIA H200", official=False)
    told = rerun_words.times(dataclasses.replace(facts, machine=other))
    assert "1 x NVIDIA H200, not on 8xH100: no pass and no fail on time" in told


def test_what_is_said_of_the_score(facts: RerunFacts) -> None:
    worse = dataclasses.replace(facts, claimed=dataclasses.replace(facts.claimed, measured=1.1211))
    assert "NOT within" in rerun_words.sentence(worse)
    other = dataclasses.replace(worse, claimed=dataclasses.replace(worse.claimed, comparable=False))
    assert "Not comparable: it was trained on 8 x NVIDIA H100" in rerun_words.sentence(other)
    small = dataclasses.replace(other, machine=dataclasses.replace(other.machine, emulated=True))
    assert "not comparable" in rerun_words.sentence(small)


def test_changes_add_up(facts: RerunFacts) -> None:
    (found,) = facts.changes
    assert found.mean == pytest.approx(float((AFTER - BEFORE).mean()), abs=1e-6)
    assert found.gained == pytest.approx(167 / 500)
    assert found.lost == 0
    assert sum(b.tokens for b in found.by_difficulty) == 500
    assert np.mean(found.along) == pytest.approx(found.mean, abs=0.01)
    (gainer,) = found.gainers
    assert (gainer.text, gainer.tokens, found.losers) == (HOSTILE, 167, ())
    assert gainer.mean == pytest.approx(-0.2, abs=1e-5)
    assert gainer.nats == pytest.approx(found.mean, abs=1e-9)


def test_the_comment_holds_the_rerun_and_stays_harmless(honest: Audit, facts: RerunFacts) -> None:
    text = audit_markdown(dataclasses.replace(honest, case=dataclasses.replace(honest.case, rerun=facts)))
    told = text[text.index("<summary>Rerun") :]
    for part in (
        "within the tolerance",
        "8 x NVIDIA H100",
        "Too long: evaluation over 600 s",
        "int8 per row",
        "float -> decoded",
    ):
        assert part in told.replace("\\", ""), part
    assert "<script" not in re.sub(r"`[^`\n]*`", "", text).replace("\\<", "")
    assert text.count("<details>") == text.count("</details>")


def test_no_part_of_the_comment_without_a_rerun(honest: Audit) -> None:
    assert "<summary>Rerun" not in audit_markdown(honest)


def test_a_pass_says_how_many_targets_it_leaves_out() -> None:
    found = OwnPass("final", True, 990, 1.9, 1.12, 1.9, 1.12, 10, 0, 0, 0, 10.0)
    told = "printed loss 1.900000; 10 scoring calls, 0 training calls"
    assert rerun_words.own_pass(found, 990) == told
    assert rerun_words.own_pass(found, 1_002) == f"{told}; 12 of 1,002 targets not seen"
