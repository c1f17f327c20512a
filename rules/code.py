"""What rules that listen to the static witness alone share: from its facts to a finding, with precedents."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.case import Case, Evidence, Finding, Grade, Status
from harness.witnesses.static import Fact, StaticFacts
from rules.precedents import cite

Seen = Callable[[Case, StaticFacts], Finding]

MOST = 10
"""Lines of evidence a finding carries."""


def from_code(case: Case, rule: str, kinds: Sequence[str], seen: Seen) -> Finding:
    """FAIL on a certain fact, REVIEW on a doubtful one, what `seen` says where the path was followed to the score."""
    facts = case.static
    if facts is None:
        return Finding(rule, Status.NOT_COVERED, "Not covered: the code was not examined.")
    found = facts.of(*kinds)
    if found:
        return judged(case, rule, found[0])
    if not facts.covered:
        return Finding(rule, Status.NOT_COVERED, f"Not covered: {why_not(facts)}.", evidence=where_not(facts))
    return seen(case, facts)


def judged(case: Case, rule: str, fact: Fact) -> Finding:
    """The finding of one fact: FAIL only where it is certain."""
    doubt = f" It depends on {fact.depends_on}." if fact.depends_on else ""
    return Finding(
        rule,
        Status.FAIL if fact.certainty == "certain" else Status.REVIEW,
        f"{capital(fact.summary)}.{doubt}{cite(fact.kind, case.submission.origin.pull_request)}",
        category=fact.kind,
        grade=Grade.STATIC,
        evidence=fact.path[:MOST],
    )


def capital(sentence: str) -> str:
    """A sentence with its first letter in upper case."""
    return sentence[:1].upper() + sentence[1:]


def why_not(facts: StaticFacts) -> str:
    """Why silence of the static witness means nothing here."""
    if not facts.parsed or not facts.followed:
        return facts.problems[0] if facts.problems else "the script could not be followed"
    if not facts.score_followed:
        return "no printed score could be traced back to losses of val tokens"
    return facts.unfollowed[0]


def where_not(facts: StaticFacts) -> tuple[Evidence, ...]:
    """The line up to which the score was followed."""
    return (facts.claimed_line,) if facts.claimed_line is not None else ()
