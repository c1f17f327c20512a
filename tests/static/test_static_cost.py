"""The benchmark of the static witness's time: faults are named, and a hang ends."""

from __future__ import annotations

import time

import pytest

from harness.bench import static_cost
from harness.bench.static_cost import Row, guarded, report
from harness.case import Claim
from tests.static import scripts
from tests.static.test_order import packed


def busy(*given: object) -> None:
    """Never comes to an end by itself."""
    started = time.process_time()
    while time.process_time() - started < 20:
        pass


FINE = Row(1, "a/train_gpt.py", 300, 0.2, 0.1, True, True, 0, "")
FAULT = Row(2, "b/train_gpt.py", 200, 0.4, 0.1, True, False, 0, "crash: ValueError: why")


def test_the_report_sums_names_the_slowest_and_every_fault() -> None:
    text = report([FINE, FAULT])
    assert "2 scripts of 2 pull requests, 500 lines" in text
    assert "Crashes, hangs and breakdowns: 1." in text
    assert text.index("| #2 b/train_gpt.py | 200 | 0.40 |") < text.index("| #1 a/train_gpt.py")
    assert "crash: ValueError: why" in text
    assert report([]) == "No scripts.\n"


def test_facts_of_a_fine_script_and_a_hang_that_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    script = packed(scripts.script(scripts.PLAIN))
    facts, problem = guarded(script, Claim(), {})
    assert facts is not None
    assert facts.covered
    assert problem == ""
    monkeypatch.setattr(static_cost, "HANG_S", 0.2)
    monkeypatch.setattr(static_cost.static, "examine", busy)
    facts, problem = guarded(script, Claim(), {})
    assert facts is None
    assert "hang" in problem
