"""From what the machine saw to StaticFacts: runs the detectors, lists the places, says how far the path was followed."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence

from harness.case import Claim, Evidence, Script
from harness.limits import Limits
from harness.witnesses.static import natives
from harness.witnesses.static.detectors import (
    ahead_facts,
    answer_facts,
    bent_facts,
    boundary_facts,
    byte_facts,
    choice_facts,
    gate_facts,
    limit_facts,
    mixed_shards,
    mixture_facts,
    native_facts,
    network_facts,
    order_facts,
    part_facts,
    share_facts,
    sift_facts,
    table_facts,
    target_facts,
    training_time,
)
from harness.witnesses.static.events import Event, Note, Read, Update
from harness.witnesses.static.facts import Fact, Site, StaticFacts, Switch
from harness.witnesses.static.machine import Machine
from harness.witnesses.static.view import View, view_of

HASHED = "embedding of hashed input tokens"

BROKE = "broke down"
"""Words in a problem that is a fault of this witness, not of the script; benchmarks look for them."""

DETECTORS = (
    order_facts.detect,
    table_facts.detect,
    choice_facts.detect,
    mixture_facts.detect,
    training_time.detect,
    gate_facts.detect,
    answer_facts.detect,
    target_facts.detect,
    part_facts.detect,
    limit_facts.detect,
    sift_facts.detect,
    share_facts.detect,
    byte_facts.detect,
    native_facts.detect,
    network_facts.detect,
    mixed_shards.detect,
    boundary_facts.detect,
    bent_facts.detect,
    ahead_facts.detect,
)


def summarize(
    m: Machine, script: Script, claim: Claim, files: Mapping[str, str], limits: Limits, problems: list[str]
) -> StaticFacts:
    """All facts of a followed script."""
    view = view_of(m, script, claim, files, limits)
    facts, broken = detected(view)
    problems = problems + broken
    ended = not broken and not any("not followed to its end" in p for p in problems)
    return StaticFacts(
        facts=tuple(facts),
        switches=switches(view),
        entries=sites(
            view, "val is read", (e for e in m.events if isinstance(e, Read) and e.stream == "val")
        ),
        scores=sites(view, "the claimed loss", view.claimed),
        updates=sites(view, "val tokens change a state", on_val(view.updates.values())),
        tables=(
            *sites(view, "a table that val tokens fill", tables(view)),
            *sites(view, HASHED, noted(m, HASHED)),
        ),
        natives=natives.sites(m, view.lines),
        unfollowed=unfollowed(view),
        causal=sites(view, "causal attention", noted(m, "causal attention")),
        neighbours=boundary_facts.sites(view),
        reads=network_facts.reads(view),
        acausal=sites(view, "attention without a causal mask", noted(m, "attention without a causal mask")),
        half_causal=sites(
            view, "attention that is causal at times", noted(m, "attention that is causal at times")
        ),
        loss_kinds=tuple(sorted({loss.kind for loss in view.claimed})),
        claimed_line=view.lines.printed(view.line) if view.line is not None else None,
        followed=ended,
        score_followed=bool(view.claimed),
        problems=tuple(problems),
        decided={
            line: way for (file, line), way in sorted(m.decided.items()) if file == 0 and way is not None
        },
    )


def detected(view: View) -> tuple[list[Fact], list[str]]:
    """What every detector finds; a detector that breaks down on a stranger's code is named, and the others still speak."""
    facts: list[Fact] = []
    broken: list[str] = []
    for detect in DETECTORS:
        try:
            facts += [dataclasses.replace(f, path=decisive_first(f.summary, f.path)) for f in detect(view)]
        except Exception as error:
            where = detect.__module__.rpartition(".")[2]
            broken.append(f"the witness {BROKE} in {where} ({type(error).__name__}: {error})")
    return facts, broken


def decisive_first(sentence: str, path: Sequence[Evidence]) -> tuple[Evidence, ...]:
    """The lines that a sentence names, in its order, and then how val tokens get there: a reader may see only a few."""
    named = [int(number) for number in re.findall(r"\blines? (\d+)", sentence)]
    first = [e for number in dict.fromkeys(named) for e in path if e.line == number]
    return (*dict.fromkeys(first), *(e for e in path if e not in first))


def on_val(updates: Iterable[Update]) -> list[Update]:
    """The updates that val tokens made."""
    return [u for u in updates if any(t.stream == "val" for t in u.tokens)]


def unfollowed(view: View) -> tuple[str, ...]:
    """What enters the claimed number through code that was not followed: libraries and programs, by name."""
    marks = {mark for loss in view.claimed for mark in loss.marks}
    if view.line is not None:
        marks |= view.line.marks
    lines = sorted({mark[1] for mark in marks if mark[0] == "native"})
    said = [f"what {natives.named(view.m, line)} computes enters the claimed score" for line in lines]
    programs = sorted(
        {str(mark[1]) for mark in marks if mark[0] == "system" and not natives.harmless(mark[1])}
    )
    return (*said, *(f"what the program `{words}` prints enters the claimed score" for words in programs))


def noted(m: Machine, what: str) -> list[Note]:
    """The notes of one kind."""
    return [e for e in m.events if isinstance(e, Note) and e.what == what]


def tables(view: View) -> list[Update]:
    """The writes of tables that val tokens fill."""
    return [u for u in view.updates.values() if u.kind == "table"]


def sites(view: View, what: str, events: Iterable[Event]) -> tuple[Site, ...]:
    """The places of events, each once."""
    found: dict[tuple[int, int], Site] = {}
    for event in events:
        found.setdefault((event.file, event.line), Site(what, view.lines.of(event)))
    return tuple(found.values())


def switches(view: View) -> tuple[Switch, ...]:
    """Conditions that folded and keep code off, where a setting decides."""
    return tuple(
        Switch(b.names, b.test, b.taken, view.lines.at(b.file, b.line), b.first, b.last)
        for b in view.m.branches.values()
        if b.names and b.last >= b.first
    )
