"""An experiment's word goes to the rule that is suspected, with the strongest grade, and is held back where settings are
in doubt."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from harness.case import Case, Claim, Evidence, Finding, Grade, Origin, Status, Submission
from harness.witnesses.probes import Future, Incompressibility, ProbeFacts, RandomRun
from harness.witnesses.probes.choose import AGAIN, INCOMPRESSIBILITY, REPEATING, chosen, merely_read
from harness.witnesses.static.facts import DEPENDS, Fact, Site, StaticFacts
from rules.experiments import strengthened

REASON = "For 4,083 uniformly random val tokens the claimed line stands for 30,000 bits."


def case(
    status: str = "proved", *, kind: str | None = None, ambiguous: bool = False, **changes: object
) -> Case:
    found = Incompressibility(status, REASON, **{"evidence": 900.0, **changes})  # type: ignore[arg-type]
    return Case(
        Submission("t", "t", Path("t"), Origin("t"), None, {}, "record"),
        Claim(ambiguous=("two commands disagree",) if ambiguous else ()),
        static=StaticFacts((Fact(kind, DEPENDS, "x"),) if kind else ()),
        probes=ProbeFacts(found),
    )


def said(case: Case, rule: str, status: Status = Status.PASS) -> Finding:
    return strengthened(case, rule, Finding(rule, status, "Nothing seen.", grade=Grade.TRACE))


def test_without_a_suspect_it_is_causality() -> None:
    found = said(case(), "C1")
    assert (found.status, found.grade, found.category) == (Status.FAIL, Grade.COUNTERFACTUAL, None)
    assert REASON in found.summary
    assert said(case(), "C3").status is Status.PASS


@pytest.mark.parametrize(
    ("kind", "rule"),
    [
        ("train_on_val_before_score", "C3"),
        ("multi_pass_rescore", "C4"),
        ("ngram_target_in_key", "C1"),
        ("unnormalised_mixture", "C2"),
    ],
)
def test_the_suspected_rule_gets_the_proof(kind: str, rule: str) -> None:
    found = {r: said(case(kind=kind), r).status for r in ("C1", "C2", "C3", "C4")}
    assert [r for r, status in found.items() if status is Status.FAIL] == [rule]


def test_an_invented_number_breaks_the_books() -> None:
    invented = case(invented=True, evidence=None)
    assert said(invented, "B1", Status.NOT_COVERED).status is Status.FAIL
    assert said(invented, "C1").status is Status.PASS


def test_doubtful_is_a_question() -> None:
    assert said(case("doubtful"), "C1").status is Status.REVIEW


@pytest.mark.parametrize(
    ("kind", "random", "rule"),
    [
        (None, "clear", "C2"),
        ("train_on_val_before_score", "clear", "C2"),
        ("target_gating", "clear", "C1"),
        ("unnormalised_mixture", "not_covered", "C2"),
        ("train_on_val_before_score", "proved", "C3"),
        (None, "proved", "C1"),
    ],
)
def test_what_shows_on_repeating_tokens_only_was_looked_up(kind: str | None, random: str, rule: str) -> None:
    made = case(random, kind=kind)
    assert made.probes is not None
    copied = Incompressibility("proved", "For 8,176 randomly repeating val tokens.", evidence=900.0)
    made = dataclasses.replace(made, probes=dataclasses.replace(made.probes, repeating=copied))
    found = {r: said(made, r) for r in ("C1", "C2", "C3", "C4")}
    assert [r for r, f in found.items() if "repeating" in f.summary] == [rule]
    assert (found[rule].status, found[rule].grade) == (Status.FAIL, Grade.COUNTERFACTUAL)


def test_settings_in_doubt_hold_it_back() -> None:
    assert said(case(ambiguous=True), "C1").status is Status.REVIEW


def test_nothing_shown_changes_nothing() -> None:
    for status in ("clear", "not_covered"):
        assert said(case(status, evidence=None), "C1", Status.NOT_COVERED).status is Status.NOT_COVERED


@pytest.mark.parametrize(
    ("share", "before", "after"),
    [
        (0.99, Status.PASS, Status.PASS),
        (0.86, Status.FAIL, Status.FAIL),
        (0.86, Status.NOT_COVERED, Status.REVIEW),
    ],
)
def test_bytes_that_no_predictor_reaches(share: float, before: Status, after: Status) -> None:
    run = RandomRun("s", 1, "scored", claimed=40_830.0, bound=40_824.0, byte_claimed=40_830.0 * share)
    miscounted = case("clear", evidence=-6.0, byte_evidence=5000.0, runs=(run,))
    assert said(miscounted, "B1", before).status is after


def test_bytes_that_balance_on_real_words_are_right_whatever_random_tokens_decode_to() -> None:
    run = RandomRun("s", 1, "scored", claimed=40_471.0, bound=40_465.0, byte_claimed=37_241.0)
    balanced = Finding("B1", Status.PASS, "It balances.", grade=Grade.TRACE)
    found = strengthened(case("clear", evidence=-6.0, byte_evidence=3224.0, runs=(run,)), "B1", balanced)
    assert found.status is Status.PASS
    assert "(-7.98%)" in found.summary
    read = dataclasses.replace(balanced, grade=Grade.STATIC)
    asked = strengthened(case("clear", evidence=-6.0, byte_evidence=3224.0, runs=(run,)), "B1", read)
    assert (asked.status, asked.category) == (Status.REVIEW, "byte_count")


@pytest.mark.parametrize(
    ("future", "rule", "status"),
    [
        (Future("proved", "Losses moved.", moved=40), "C1", Status.FAIL),
        (Future("doubtful", "Losses moved.", moved=4), "C1", Status.REVIEW),
        (Future("doubtful", "The artifact changed.", artifact="changed"), "D4", Status.REVIEW),
        (Future("proved", "Both.", moved=40, artifact="changed"), "D4", Status.FAIL),
        (Future("clear", "Nothing moved.", artifact="same"), "D4", Status.PASS),
    ],
)
def test_a_changed_future(future: Future, rule: str, status: Status) -> None:
    moved = dataclasses.replace(case(), probes=ProbeFacts(future=future))
    assert said(moved, rule).status is status


def test_auto_asks_only_where_something_is_open() -> None:
    clean = [Finding(r, Status.PASS, "", grade=Grade.TRACE) for r in ("C1", "C3", "B1", "N2")]
    assert chosen("auto", clean) == ()
    read = dataclasses.replace(clean[0], grade=Grade.STATIC)
    assert chosen("auto", [read, *clean[1:]]) == (INCOMPRESSIBILITY, "future")
    assert merely_read("auto", [read, *clean[1:]])
    assert not merely_read("all", [read, *clean[1:]])
    assert not merely_read("auto", [read, Finding("C3", Status.NOT_COVERED, "")])
    assert chosen("none", clean) == ()
    assert INCOMPRESSIBILITY in chosen("all", clean)
    assert INCOMPRESSIBILITY in chosen("auto", [*clean, Finding("N2", Status.REVIEW, "")])
    unread = [*clean, Finding("D4", Status.NOT_COVERED, "")]
    assert AGAIN not in chosen("auto", unread)
    assert AGAIN in chosen("auto", [*clean, Finding("D4", Status.REVIEW, "")])
    assert REPEATING in chosen("auto", [*clean, Finding("C2", Status.REVIEW, "")])
    assert REPEATING not in chosen("auto", [*clean, Finding("C3", Status.FAIL, "")])
    with pytest.raises(ValueError, match="no experiment"):
        chosen("some", clean)
    assert chosen("future, incompressibility", clean) == ("future", "incompressibility")


HELPER = Site("a C source, not followed", Evidence("hints.c", 0, ""))


class Balanced:
    covers = True
    choice = leak = None


def helped(
    *, natives: tuple[Site, ...] = (HELPER,), compared: int = 900, repeating: str = "clear", kind: str = ""
) -> Finding:
    facts = StaticFacts(
        (Fact(kind, DEPENDS, "x"),) if kind else (),
        natives=natives,
        score_followed=True,
        unfollowed=("what hints.so computes enters the score",),
    )
    made = ProbeFacts(
        Incompressibility("clear", "nothing"), Future("clear", "nothing", compared=compared), None,
        repeating=Incompressibility(repeating, "nothing"),
    )  # fmt: skip
    held = dataclasses.replace(case(), static=facts, trace=Balanced(), probes=made)  # type: ignore[arg-type]
    return strengthened(
        held, "C1", Finding("C1", Status.NOT_COVERED, "Not covered: hints.so enters the score.")
    )


def test_three_experiments_answer_for_a_helper_whose_source_was_read() -> None:
    found = helped()
    assert (found.status, found.grade) == (Status.PASS, Grade.COUNTERFACTUAL)
    assert "hints.so" in found.summary


def test_nothing_answers_for_a_binary_nor_without_every_experiment() -> None:
    assert helped(natives=()).status is Status.NOT_COVERED
    assert helped(compared=0).status is Status.NOT_COVERED
    assert helped(repeating="not_covered").status is Status.NOT_COVERED
    assert helped(kind="target_gating").status is Status.NOT_COVERED
