"""Which printed line carries the claimed score, and which losses entered it."""

from __future__ import annotations

import re

from harness.witnesses.static.events import Loss, Printed
from harness.witnesses.static.machine import Machine
from harness.witnesses.static.updates import closure

WORD = re.compile(r"[a-z_]+")


def words(text: str) -> list[str]:
    """The words of a log line without numbers and punctuation."""
    return [w.strip("_") for w in WORD.findall(text.lower()) if w.strip("_")]


def scored(m: Machine, event: Printed) -> frozenset[int]:
    """The losses of val tokens behind a printed line."""
    return frozenset(n for n in event.losses if isinstance(e := m.events[n], Loss) and e.on_val)


def claimed_line(m: Machine, label: str | None) -> Printed | None:
    """The printed line of the claimed score: the one whose words match the label, else the last that tells a BPB.

    A line with just the label's words is the claimed one even where no loss could be followed to it: another line must
    not stand for it.
    """
    printed = [e for e in m.events if isinstance(e, Printed)]
    lines = [e for e in printed if scored(m, e)]
    if label:
        wanted = words(label)
        ranked = sorted(lines, key=lambda e: (match(wanted, words(e.text)), e.number))
        if ranked and match(wanted, words(ranked[-1].text)) >= 0.6:
            return ranked[-1]
        bare = [e for e in printed if e.numbers and match(wanted, words(e.text)) == 1]
        if bare:
            return bare[-1]
    told = [e for e in lines if "bpb" in e.text.lower() or "bits" in e.text.lower()]
    final = [e for e in told if not step_line(e.text)]
    best = final or told or lines
    return best[-1] if best else None


def step_line(text: str) -> bool:
    """Whether a line is one of a training loop's."""
    return bool(re.match(r"\s*(step|iter|epoch)?[:\s]*\d*/", text.lower()))


def match(wanted: list[str], found: list[str]) -> float:
    """How well two lists of words agree: 1 for the same words."""
    if not wanted or not found:
        return 0.0
    a, b = set(wanted), set(found)
    return len(a & b) / len(a | b)


def claimed_losses(m: Machine, line: Printed | None) -> list[Loss]:
    """The losses of val tokens in the claimed number, with those they were mixed from."""
    if line is None:
        return []
    numbers = closure(m, scored(m, line))
    return [e for n in sorted(numbers) if isinstance(e := m.events[n], Loss) and e.on_val]
