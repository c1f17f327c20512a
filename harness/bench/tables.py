"""Tables of benchmark rows in Markdown, to be committed under benchmarks/."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence

from harness.bench.batch import Row

SHOWN = ("C1", "C2", "C3", "C4", "D1", "B1", "A1")
_LETTER = {
    "pass": "pass",
    "fail": "**fail**",
    "review": "review",
    "not_covered": "–",
    "not_applicable": "n/a",
}


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of them lie (nearest rank); 0 for none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def summary(rows: Sequence[Row]) -> str:
    """Verdicts, outcomes, shares of `pass` by rule, and times."""
    verdicts = Counter(r.verdict for r in rows)
    outcomes = Counter(r.outcome or "not run" for r in rows)
    lines = [
        f"{len(rows)} submissions: " + ", ".join(f"{n} {v}" for v, n in sorted(verdicts.items())) + ".",
        "Runs: " + ", ".join(f"{n} {o}" for o, n in outcomes.most_common()) + ".",
    ]
    for rule in SHOWN:
        states = Counter(r.rules[rule] for r in rows if rule in r.rules)
        if states:
            lines.append(f"{rule}: " + ", ".join(f"{n} {s}" for s, n in states.most_common()) + ".")
    times = [r.audit_s for r in rows if r.audit_s]
    if times:
        lines.append(
            f"Time of a full audit: median {statistics.median(times):.1f} s, p90 {quantile(times, 0.9):.1f} s."
        )
    return "\n".join(f"- {line}" for line in lines)


def table(rows: Sequence[Row]) -> str:
    """One line per submission."""
    head = ["target", "script", "verdict", *SHOWN, "run", "seconds", "why"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for r in rows:
        cells = [
            r.target, r.script, r.verdict, *(_LETTER.get(r.rules.get(rule, ""), "") for rule in SHOWN),
            r.outcome, f"{r.audit_s:.0f}", _cell(r.why if r.verdict != "PASS" else ""),
        ]  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(text: str) -> str:
    flat = " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
    return flat if len(flat) <= 160 else flat[:157] + "..."
