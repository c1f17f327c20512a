"""Two audits side by side: what is different in verdict, rules, facts, settings, scores, and in the code."""

from __future__ import annotations

import dataclasses
import difflib
import json
from collections.abc import Mapping
from typing import Any

from reports.result import Found, Result, parse

CONTEXT = 3
MOST_LINES = 100_000
"""Scripts with more lines than this are not compared line by line."""


@dataclasses.dataclass(frozen=True)
class Side:
    """One of the two: its audit as JSON, and its unpacked source where the script is at hand."""

    name: str
    document: Mapping[str, Any]
    source: str | None = None


@dataclasses.dataclass(frozen=True)
class Pair:
    """One thing of both sides, in words; the two may be equal."""

    name: str
    left: str
    right: str

    @property
    def differs(self) -> bool:
        """Whether the two are not the same."""
        return self.left != self.right


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Everything that is compared. `code` are the lines of a unified diff, None where a source is not at hand."""

    left: Result
    right: Result
    rules: tuple[Pair, ...]
    categories: Pair
    scores: tuple[Pair, ...]
    settings: tuple[Pair, ...]
    events: tuple[Pair, ...]
    code: tuple[str, ...] | None


def compare(left: Side, right: Side) -> Comparison:
    """The comparison of two sides. Raises ValueError where a document is no audit of one submission."""
    one, other = _only(left), _only(right)
    return Comparison(
        left=one,
        right=other,
        rules=_rules(one, other),
        categories=Pair("categories", _categories(one), _categories(other)),
        scores=_scores(one, other),
        settings=tuple(p for p in _pairs(_settings(left.document), _settings(right.document)) if p.differs),
        events=_pairs(_events(left.document), _events(right.document)),
        code=_diff(left, right),
    )


def _only(side: Side) -> Result:
    results = parse(dict(side.document)).results
    if len(results) != 1:
        names = ", ".join(r.name for r in results[:6]) or "none"
        raise ValueError(
            f"{side.name} holds {len(results)} submissions ({names}); name one script or one audit."
        )
    return results[0]


def _rules(one: Result, other: Result) -> tuple[Pair, ...]:
    """The status of each rule, and the category where it names one."""

    def said(result: Result) -> dict[str, str]:
        words: dict[str, str] = {}
        for found in result.findings:
            words[found.rule] = "; ".join(filter(None, (words.get(found.rule), _status(found))))
        return words

    return _pairs(said(one), said(other))


def _status(found: Found) -> str:
    kind = f" ({found.category})" if found.category and found.status in ("fail", "review") else ""
    return f"{found.status.value.replace('_', ' ')}{kind}"


def _categories(result: Result) -> str:
    return ", ".join(sorted({f.category for f in result.loud() if f.category})) or "none"


def _scores(one: Result, other: Result) -> tuple[Pair, ...]:
    return tuple(
        Pair(name, _bpb(a), _bpb(b))
        for name, a, b in (
            ("claimed BPB", one.claimed_bpb, other.claimed_bpb),
            ("BPB in the miniature world", one.measured_bpb, other.measured_bpb),
        )
        if a is not None or b is not None
    )


def _bpb(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}"


def _settings(document: Mapping[str, Any]) -> dict[str, str]:
    """The claimed settings by name."""
    settings = _part(document, "claim").get("settings")
    rows = [s for s in settings if isinstance(s, dict)] if isinstance(settings, list) else []
    return {str(s.get("name")): str(s.get("value")) for s in rows}


def _events(document: Mapping[str, Any]) -> dict[str, str]:
    """How the run went: events by kind, positions scored, positions trained on before they were scored."""
    facts = {"run": str(_part(document, "run").get("outcome") or "not run")}
    analysis = _part(document, "analysis")
    kinds = _part(analysis, "events").get("kinds")
    for row in kinds if isinstance(kinds, list) else []:
        if isinstance(row, list) and len(row) == 2:
            facts[f"{row[0]} events"] = str(row[1])
    frontier = _part(analysis, "frontier")
    for name, key in (
        ("positions scored", "scored_positions"),
        ("trained on before scored", "leaked_positions"),
    ):
        if isinstance(frontier.get(key), int):
            facts[name] = str(frontier[key])
    return facts


def _part(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = document.get(name)
    return part if isinstance(part, dict) else {}


def _pairs(one: Mapping[str, str], other: Mapping[str, str]) -> tuple[Pair, ...]:
    return tuple(Pair(name, one.get(name, ""), other.get(name, "")) for name in dict.fromkeys((*one, *other)))


def _diff(left: Side, right: Side) -> tuple[str, ...] | None:
    if left.source is None or right.source is None:
        return None
    one, other = left.source.split("\n"), right.source.split("\n")
    if len(one) + len(other) > MOST_LINES:
        return None
    return tuple(difflib.unified_diff(one, other, left.name, right.name, n=CONTEXT, lineterm=""))


def load(text: str, name: str) -> Side:
    """A side from the JSON of an audit; its source is not in there. Raises ValueError where it is no JSON object."""
    document = json.loads(text)
    if not isinstance(document, dict):
        raise ValueError(f"{name} is no audit.")
    return Side(name, document)
