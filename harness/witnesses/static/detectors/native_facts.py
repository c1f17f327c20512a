"""What C code that the claimed score goes through does to losses and to the token that is being predicted.

The code is read by pattern, not followed: which arguments it gets is known, what it makes of them is what stands there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.case import Evidence
from harness.witnesses.static.facts import CERTAIN, DEPENDS, Fact
from harness.witnesses.static.natives import functions, reached, sources
from harness.witnesses.static.view import View

SHARE = re.compile(
    r"\b\w*(?:nll|loss|logp|nats)\w*\s*\[[^\]]+\]\s*/\s*(?:\(\s*(?:double|float)\s*\)\s*)?(?!\w*(?:LN2|ln2|log2))[A-Za-z_]\w*"
)
BLEND = re.compile(r"log\s*\(\s*exp\s*\(|log1p\s*\(\s*exp\s*\(|\(\s*1(?:\.0*)?f?\s*-\s*\w+\s*\)\s*\*")
FETCH = re.compile(r"\b(\w+)\s*=\s*(?:\([^()]*\)\s*)?(\w+)\s*\[\s*(\w+)\s*\]")
STORE = re.compile(r"\b(\w+)\s*\[\s*(\w+)\s*\]\s*=[^=]")
LOOP = re.compile(r"\bfor\s*\([^;]*?\b(\w+)\s*=[^;]*;")
CONDITION = re.compile(r"\bif\s*\((.*)")
REACH = 12
"""Rows after a condition in which what it decides is looked for."""


def detect(view: View) -> list[Fact]:
    """Facts of C sources, where the claimed number comes out of one."""
    marks = {mark for loss in view.claimed for mark in loss.marks}
    if view.line is not None:
        marks |= view.line.marks
    if not any(mark[0] == "native" for mark in marks):
        return []
    doubt = view.claim.ambiguous[0] if view.claim.ambiguous else None
    found: list[Fact] = []
    for name, first, text in sources(view.m):
        rows = text.split("\n")
        found += spread(view, name, first, rows, doubt)
        found += gates(view, name, first, rows)
    return found


def at(view: View, name: str | None, first: int, row: int, text: str) -> Evidence:
    """A row of a source: of a file, or of a string in the script."""
    return Evidence(name, row, text.strip()[:300]) if name is not None else view.lines.at(0, first + row - 1)


def spread(view: View, name: str | None, first: int, rows: list[str], doubt: str | None) -> list[Fact]:
    """The loss of a token divided evenly over its bytes, and each share blended with something else."""
    shared = next((n for n, row in enumerate(rows, 1) if SHARE.search(row)), 0)
    blended = next((n for n, row in enumerate(rows, 1) if BLEND.search(row)), 0)
    if not shared or not blended:
        return []
    lines = tuple(at(view, name, first, n, rows[n - 1]) for n in (shared, blended))
    return [
        Fact(
            "unnormalised_mixture",
            CERTAIN if doubt is None else DEPENDS,
            f"C code that makes the claimed score spreads the loss of a token evenly over its bytes (line "
            f"{lines[0].line}) and blends it byte by byte (line {lines[1].line}): the root of a token's probability is "
            "no distribution over bytes",
            lines,
            doubt,
        )
    ]


def gates(view: View, name: str | None, first: int, rows: list[str]) -> list[Fact]:
    """What is written for a token under a condition on that very token, in a function that may be called."""
    entered, held = reached(rows, view.m.called_natives), functions(rows)
    for condition, store in gated(rows):
        inside = {n for n, (a, b) in held.items() if a <= condition <= b}
        if entered is not None and inside and not inside & entered:
            continue
        lines = tuple(at(view, name, first, n, rows[n - 1]) for n in (condition, store))
        return [
            Fact(
                "target_gating",
                DEPENDS,
                f"C code that the claimed score goes through looks at the current token (line {lines[0].line}) and so "
                f"decides what it writes for that token (line {lines[1].line})",
                lines,
                "whether what is written there has a weight in the score: the C code was read, not followed",
            )
        ]
    return []


def gated(rows: list[str]) -> Iterator[tuple[int, int]]:
    """Rows with a condition on what was fetched at the loop's variable, and the rows that store at it below."""
    variables: set[str] = set()
    current: set[str] = set()
    for number, row in enumerate(rows, 1):
        variables |= set(LOOP.findall(row))
        for target, _, index in FETCH.findall(row):
            if index in variables | current:
                current.add(target)
        condition = CONDITION.search(row)
        if condition is None or not set(re.findall(r"\w+", condition[1])) & current:
            continue
        for below in range(number, min(number + REACH, len(rows))):
            if any(index in variables for _, index in STORE.findall(rows[below])):
                yield number, below + 1
                break
