"""What the probes say to a rule: its finding with the strongest grade where an experiment proves it.

An experiment on random tokens shows that answers were seen, not by which way. The rule that another witness suspects
gets the proof; where none does, C1 does: a number below the bound depends on the tokens that it predicts. What shows on
repeating tokens only was looked up in what was scored, so it is C1 or C2: C2 where no witness suspects a gate.

Where C code that was read and shows no gate is all that could not be followed, three experiments that find nothing answer
for it: random tokens, repeating tokens and a changed future.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

from harness.case import Case, Finding, Grade, Status
from harness.witnesses.probes.bits import PROVED as PROVED_BITS
from harness.witnesses.probes.facts import CLEAR, DOUBTFUL, PROVED, Future, Incompressibility
from harness.witnesses.probes.future import ANSWERS_DOUBTFUL
from harness.witnesses.static.detectors.bent_facts import FOR_A_READER
from rules.evidence import capped

Check = Callable[[Case], Finding]

KINDS = {
    "C4": ("multi_pass_rescore",),
    "C3": ("train_on_val_before_score",),
    "C1": ("ngram_target_in_key", "target_gating", "slot", "doc_boundary_leak"),
    "C2": ("unnormalised_mixture",),
}
FEWEST = 16
BYTES_APART = 0.03
"""Tokens without text are frequent among random ones; a byte count that differs by less may be right for real text."""


def tested(rule: str) -> Callable[[Check], Check]:
    """Put the probes' word above what a rule's own check finds."""

    def around(check: Check) -> Check:
        @functools.wraps(check)
        def checked(case: Case) -> Finding:
            return strengthened(case, rule, check(case))

        return checked

    return around


def strengthened(case: Case, rule: str, finding: Finding) -> Finding:
    """The finding, replaced or graded up where an experiment speaks on this rule."""
    if case.probes is None:
        return finding
    random, future = case.probes.incompressibility, case.probes.future
    said = []
    if random is not None and random.status in (PROVED, DOUBTFUL) and _rule_of(case, random) == rule:
        said.append((random.status == PROVED, random.reason))
    if future is not None and future.status in (PROVED, DOUBTFUL) and rule in _rules_of(case, future):
        said.append((future.status == PROVED, future.reason))
    said += _of_repeating(case, rule)
    once_more = case.probes.again
    if once_more is not None and once_more.status == DOUBTFUL and rule == "D4":
        said.append((False, once_more.reason))
    if said:
        return _with(
            case, finding, " ".join(reason for _, reason in said), proved=any(sure for sure, _ in said)
        )
    if random is not None and rule == "B1" and _bytes_only(random):
        return _miscounted(case, finding, random)
    return _answered(case, rule, finding)


def _answered(case: Case, rule: str, finding: Finding) -> Finding:
    """A pass where helpers whose source was read are all that was not followed, and every experiment on it is clear."""
    probes, facts = case.probes, case.static
    if (
        rule not in ("C1", "C2")
        or finding.status is not Status.NOT_COVERED
        or probes is None
        or facts is None
    ):
        return finding
    read = any(site.what.startswith("a C source") for site in facts.natives)
    followed = facts.parsed and facts.followed and facts.score_followed
    made = (probes.incompressibility, probes.repeating, probes.future)
    if not (read and followed and case.trace is not None and case.trace.covers):
        return finding
    if any(p is None or p.status != CLEAR for p in made) or facts.of(*KINDS["C1"], *KINDS["C2"]):
        return finding
    assert probes.future is not None
    if not probes.future.compared:
        return finding
    told = finding.summary.removeprefix("Not covered: ").rstrip(".")
    return dataclasses.replace(
        finding,
        status=Status.PASS,
        grade=Grade.COUNTERFACTUAL,
        summary=f"The code alone does not answer it ({told}; its source was read and shows no gate on the current token). "
        f"The experiments do: neither on random nor on repeating tokens is fewer bits claimed than any valid predictor "
        f"needs, and none of {probes.future.compared:,} losses moved with the tokens that are scored later.",
    )


def _of_repeating(case: Case, rule: str) -> list[tuple[bool, str]]:
    """What repeating tokens say to this rule: whether it is proved, and the sentence."""
    assert case.probes is not None
    found = case.probes.repeating
    if found is None or found.status not in (PROVED, DOUBTFUL):
        return []
    if found.invented:
        return [(found.status == PROVED, found.reason)] if rule == "B1" else []
    random = case.probes.incompressibility
    seen = random is not None and random.status == PROVED and not random.invented
    wanted = blamed(case) if seen else blamed(case, ("C2", "C1"))
    return [(found.status == PROVED, found.reason)] if rule == wanted else []


def _rule_of(case: Case, found: Incompressibility) -> str:
    """The rule that random tokens speak on: an invented number breaks the books, seen answers the suspected rule."""
    return "B1" if found.invented else blamed(case)


def _rules_of(case: Case, found: Future) -> tuple[str, ...]:
    """The rules that a changed future speaks on: the suspected one where losses moved, D4 where the artifact did."""
    of_artifact = ("D4",) if found.artifact == "changed" else ()
    seen = found.answers is not None and found.answers.bits >= ANSWERS_DOUBTFUL
    return (blamed(case), *of_artifact) if found.moved or found.own or seen else of_artifact


def blamed(case: Case, among: tuple[str, ...] = ("C1", *KINDS)) -> str:
    """The rule among these by which answers were seen, as the other witnesses suspect; the first where they suspect
    nothing."""
    trace = case.trace
    if "C3" in among and trace is not None and trace.covers:
        if trace.choice is not None:
            return "C4"
        if trace.leak is not None and trace.leak.positions >= FEWEST:
            return "C4" if trace.leak.rescored and not trace.leak.loose else "C3"
    if case.static is not None:
        for certain in (True, False):
            for rule, kinds in KINDS.items():
                if rule not in among:
                    continue
                if case.static.certain(*kinds) if certain else case.static.of(*kinds):
                    return rule
    return among[0]


def _with(case: Case, finding: Finding, reason: str, *, proved: bool) -> Finding:
    """The rule's own finding, what happened first, and then the experiment that shows it."""
    suspected = finding.status in (Status.FAIL, Status.REVIEW)
    status = Status.FAIL if proved or finding.status is Status.FAIL else Status.REVIEW
    return capped(
        case,
        dataclasses.replace(
            finding,
            status=status,
            summary=f"{_settled(case, finding.summary) if proved else finding.summary} {reason}"
            if suspected
            else reason,
            category=finding.category if suspected else None,
            grade=Grade.COUNTERFACTUAL if proved else finding.grade,
        ),
    )


def _settled(case: Case, summary: str) -> str:
    """The summary without what was left to a reader: whether the code bends the number is what was measured."""
    for fact in case.static.facts if case.static is not None else ():
        if fact.depends_on and fact.depends_on.endswith(FOR_A_READER):
            summary = summary.replace(f" It depends on {fact.depends_on}.", "")
    return summary


def _bytes_only(found: Incompressibility) -> bool:
    """Whether only the printed BPB passes the bound: the losses are honest, the bytes are not."""
    honest = found.evidence is not None and found.evidence < PROVED_BITS / 2
    return honest and found.byte_evidence is not None and found.byte_evidence >= PROVED_BITS


def _miscounted(case: Case, finding: Finding, found: Incompressibility) -> Finding:
    """Bits per byte that no predictor reaches, from losses that are possible."""
    worst = min(found.runs, key=lambda r: (r.byte_claimed or 0.0) / (r.claimed or 1.0))
    assert worst.claimed is not None
    assert worst.byte_claimed is not None
    apart = worst.byte_claimed / worst.claimed - 1
    if finding.status is not Status.FAIL and -apart < BYTES_APART:
        return finding
    if finding.status is Status.PASS and finding.grade is Grade.TRACE:
        # The bytes of real words balanced, marks in single bytes among them. Random tokens are no text: decoded and encoded
        # again, broken characters have other bytes, and a script that counts so counts real text rightly.
        told = f"{finding.summary} On random tokens, which are no text, its bytes differ ({apart:+.2%})."
        return dataclasses.replace(finding, summary=told)
    reason = (
        f"On random tokens the printed loss is possible and the printed BPB is not: over official bytes it stands for "
        f"{worst.byte_claimed:,.0f} bits where the loss stands for {worst.claimed:,.0f} ({apart:+.2%})."
    )
    proved = finding.status is Status.FAIL
    found_before = dataclasses.replace(finding, category="byte_count")
    if finding.status is Status.PASS:
        found_before = dataclasses.replace(found_before, status=Status.REVIEW)
    return _with(case, found_before, reason, proved=proved)
