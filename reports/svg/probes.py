"""The plots of the probes: claimed bits against the bound, and how far losses before the cut moved."""

from __future__ import annotations

import math

from markupsafe import Markup

from harness.witnesses.probes import Future, Incompressibility
from reports.svg.canvas import Scale, figure, line, rect, short, text, ticks
from reports.words import count, number

WIDTH, LEFT, RIGHT = 480, 56, 456
ROW, TOP = 34, 14
HEIGHT, BOTTOM = 280, 232
SMALLEST, LARGEST = -7.0, 1.0
"""Changes of a loss on a logarithmic scale: below a ten-millionth of a nat they count as none."""


def bound_plot(name: str, found: Incompressibility) -> Markup:
    """A bar of claimed bits for each run, the bound as a mark; what lies below the bound is shown in red."""
    runs = [r for r in found.runs if r.claimed is not None and r.bound is not None]
    bottom = TOP + ROW * len(runs)
    most = max(max(r.claimed or 0.0, r.bound or 0.0) for r in runs)
    x = Scale(0, most * 1.06, LEFT, RIGHT)
    parts = []
    for tick in ticks(x.low, x.high):
        parts += [
            line(x(tick), TOP, x(tick), bottom, "grid"),
            text(x(tick), bottom + 18, short(tick), "tick", "middle"),
        ]
    for number_of, run in enumerate(runs):
        y = TOP + ROW * number_of + 6
        claimed, bound = run.claimed or 0.0, run.bound or 0.0
        parts.append(rect(LEFT, y, x(max(claimed, 0.0)) - LEFT, ROW - 14, "f-scored"))
        if claimed < bound:
            parts.append(rect(x(claimed), y, x(bound) - x(claimed), ROW - 14, "f-leaked"))
        parts.append(line(x(bound), y - 5, x(bound), y + ROW - 9, "mark mark-print"))
        parts.append(text(LEFT - 7, y + 14, f"seed {run.seed}", "tick", "end"))
    parts += [line(LEFT, bottom, RIGHT, bottom, "axis")]
    parts.append(
        text(
            (LEFT + RIGHT) / 2,
            bottom + 38,
            "bits for the scored tokens; red: saved below the bound",
            "label",
            "middle",
        )
    )
    told = "; ".join(f"seed {r.seed}: {count(r.claimed)} bits claimed, bound {count(r.bound)}" for r in runs)
    return figure(name, WIDTH, bottom + 46, "Claimed bits against the bound", told, parts)


def moves_plot(name: str, found: Future) -> Markup:
    """The largest change of a loss, in stretches of the order of scoring up to the cut, on a logarithmic scale."""
    x = Scale(0, found.cut * 1.12, LEFT, RIGHT)
    y = Scale(SMALLEST, LARGEST, BOTTOM, TOP)
    parts = []
    for power in range(round(SMALLEST) + 1, round(LARGEST) + 1):
        parts += [
            line(LEFT, y(power), RIGHT, y(power), "grid"),
            text(LEFT - 7, y(power) + 4, f"1e{power}", "tick", "end"),
        ]
    for tick in ticks(0, x.high):
        parts.append(text(x(tick), BOTTOM + 18, short(tick), "tick", "middle"))
    for move in found.moves:
        top = y(_power(move.largest))
        style = "f-leaked" if move.moved else "f-scored"
        parts.append(
            rect(x(move.first) + 0.5, top, max(x(move.last) - x(move.first) - 1, 1), BOTTOM - top, style)
        )
    limit = y(_power(found.tolerance))
    parts += [line(LEFT, limit, RIGHT, limit, "even"), text(LEFT + 6, limit - 5, "tolerance", "small")]
    parts += [line(x(found.cut), TOP, x(found.cut), BOTTOM, "mark mark-print")]
    parts += [
        text(x(found.cut) + 4, TOP + 12, "cut k", "small"),
        line(LEFT, BOTTOM, RIGHT, BOTTOM, "axis"),
    ]
    parts.append(text((LEFT + RIGHT) / 2, BOTTOM + 38, "tokens scored so far", "label", "middle"))
    parts.append(text(13, (TOP + BOTTOM) / 2, "largest change, nats", "label", "middle", -90))
    told = f"{count(found.moved)} of {count(found.compared)} losses before the cut moved, "
    told += f"by up to {number(found.largest)} nats."
    return figure(name, WIDTH, HEIGHT, "Change of the losses scored before the exchanged tokens", told, parts)


def _power(value: float) -> float:
    return min(max(math.log10(value), SMALLEST), LARGEST) if value > 0 else SMALLEST
