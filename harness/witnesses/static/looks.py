"""Which paths are looked at: the claimed one, and a second where the claim leaves a switch in doubt or contradicts itself.

When the claimed line's words stand only in code that the claimed settings keep off, the settings are incomplete: the run
that printed the line had that switch on, and that path is the claimed one. When the claim names a switch it is unsure of,
the other way is looked at too, and what is found only there depends on it.
"""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Mapping

from harness.case import Claim, Evidence, Script
from harness.limits import Limits
from harness.witnesses.static import claimed, program, summary
from harness.witnesses.static.events import Branch
from harness.witnesses.static.facts import CERTAIN, DEPENDS, Fact, StaticFacts
from harness.witnesses.static.machine import Machine

SWITCH = re.compile(r"\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\b")
OFF = frozenset(("", "0", "0.0", "false", "no", "off", "none"))


def look(script: Script, claim: Claim, files: Mapping[str, str], limits: Limits) -> StaticFacts:
    """Examine a script along the claimed path and, where needed, along a second one."""
    environment = claim.environment()
    m, problems = follow(script, claim, files, environment)
    missing = hidden_switches(m, claim)
    if missing:
        other, others = follow(script, claim, files, {**environment, **missing})
        line = claimed.claimed_line(other, claim.label)
        if line is not None and claimed.match(words_of(claim), claimed.words(line.text)) == 1:
            named = ", ".join(f"{k}={v}" for k, v in sorted(missing.items()))
            others.append(
                f"the claimed line is printed only with {named}, so that is the path that was followed"
            )
            return summary.summarize(other, script, claim, files, limits, others)
    facts = summary.summarize(m, script, claim, files, limits, problems)
    doubted, why = doubted_switches(m, claim), claim.ambiguous[0] if claim.ambiguous else ""
    if not doubted and not claim.label:
        doubted, why = unclaimed_scores(m, claim), "no log states the claimed score"
    if doubted:
        other, others = follow(script, claim, files, {**environment, **doubted})
        if len(doubted) == 1 and len(claim.ambiguous) == 1:
            sure = dataclasses.replace(claim, ambiguous=())
            ways = (summary.summarize(way, script, sure, files, limits, []) for way in (m, other))
            facts = with_certain(facts, *ways)
        return with_doubts(
            facts, summary.summarize(other, script, claim, files, limits, others), doubted, why
        )
    return facts


def follow(
    script: Script, claim: Claim, files: Mapping[str, str], environment: Mapping[str, str]
) -> tuple[Machine, list[str]]:
    """Follow the script under an environment."""
    return program.follow(script.runnable, script.display, environment, claim.argv, files)


def words_of(claim: Claim) -> list[str]:
    """The words of the claimed line."""
    return claimed.words(claim.label or "")


def hidden_switches(m: Machine, claim: Claim) -> dict[str, str]:
    """The switches that keep off the only code that prints the claimed line; empty where it is reached."""
    wanted = set(words_of(claim))
    line = claimed.claimed_line(m, claim.label)
    if not wanted or (line is not None and claimed.match(list(wanted), claimed.words(line.text)) == 1):
        return {}
    for branch in m.branches.values():
        if branch.names and branch.last >= branch.first and prints(m, branch, wanted):
            return {name: flipped(m, name) for name in branch.names if is_off(m, name) is not branch.taken}
    return {}


def prints(m: Machine, branch: Branch, wanted: set[str]) -> bool:
    """Whether code that is kept off has a string with all the words of the claimed line."""
    for node in m.sources[branch.file].strings:
        if branch.first <= node.lineno <= branch.last:
            parts = node.values if isinstance(node, ast.JoinedStr) else [node]
            text = "".join(str(p.value) for p in parts if isinstance(p, ast.Constant))
            if wanted <= set(claimed.words(text)):
                return True
    return False


def is_off(m: Machine, name: str) -> bool:
    """Whether a switch is off: set to nothing or zero, or not set at all."""
    return m.settings.get(name, "").strip().lower() in OFF


def flipped(m: Machine, name: str) -> str:
    """The other way of a switch."""
    return "1" if is_off(m, name) else "0"


def doubted_switches(m: Machine, claim: Claim) -> dict[str, str]:
    """The switches that the claim is unsure of, set the other way."""
    named = {name for sentence in claim.ambiguous for name in SWITCH.findall(sentence)}
    return {name: flipped(m, name) for name in sorted(named) if name in m.settings}


def unclaimed_scores(m: Machine, claim: Claim) -> dict[str, str]:
    """The switches, off and not mentioned by the claim, behind which further scores are printed, set the other way.

    Where no log states the claimed score, any of these may be it.
    """
    said = claim.environment()
    return {
        name: flipped(m, name)
        for branch in m.branches.values()
        if branch.names and branch.last >= branch.first and prints_score(m, branch)
        for name in branch.names
        if name not in said and is_off(m, name) is not branch.taken
    }


def prints_score(m: Machine, branch: Branch) -> bool:
    """Whether code that is kept off has a string that tells a BPB."""
    return any(
        isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and branch.first <= node.lineno <= branch.last
        and "bpb" in node.value.lower()
        for node in m.sources[branch.file].strings
    )


def with_certain(facts: StaticFacts, one: StaticFacts, other: StaticFacts) -> StaticFacts:
    """The facts of the claimed path; what is certain whichever way the one switch in doubt was set hangs on it no more."""
    both = {place_of(f) for f in one.facts if f.certainty == CERTAIN} & {
        place_of(f) for f in other.facts if f.certainty == CERTAIN
    }
    return dataclasses.replace(
        facts,
        facts=tuple(
            dataclasses.replace(f, certainty=CERTAIN, depends_on=None, whichever=True)
            if place_of(f) in both
            else f
            for f in facts.facts
        ),
    )


def place_of(fact: Fact) -> tuple[str, Evidence | None]:
    """What two paths have in common where they show the same: the kind of a fact and where it comes from."""
    return fact.kind, fact.path[-1] if fact.path else None


def with_doubts(facts: StaticFacts, other: StaticFacts, doubted: Mapping[str, str], why: str) -> StaticFacts:
    """The facts of the claimed path, and those of the other that hang on the switches in doubt."""
    known = {place_of(f) for f in facts.facts}
    named = " and ".join(f"{k}={v}" for k, v in doubted.items())
    doubt = f"whether the claimed run had {named}: {why}"
    extra = [weakened(f, doubt) for f in other.facts if place_of(f) not in known]
    return dataclasses.replace(facts, facts=(*facts.facts, *extra))


def weakened(fact: Fact, doubt: str) -> Fact:
    """A fact that holds only on a path in doubt."""
    return dataclasses.replace(fact, certainty=DEPENDS, depends_on=fact.depends_on or doubt)
