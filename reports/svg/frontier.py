"""The frontier plot: order of events to the right, val position upwards, what was trained on early in red."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from harness.analysis.frontier import Cell, Frontier, Mark
from reports.svg.canvas import Scale, figure, line, rect, short, text, ticks
from reports.text import clip
from reports.words import plural

WIDTH, HEIGHT = 1000, 470
LEFT, RIGHT, TOP, BOTTOM = 74, 930, 46, 404
STRIP, STRIP_WIDTH = 942, 16
LABEL_ROOM = 118

_MEANING = {
    "scored": "scored",
    "uncounted": "scored, not in the claimed number",
    "trained": "trained on",
    "leaked": "trained on before it was scored",
    "again": "scored more than once",
    "never": "never scored",
}
_DRAWN = ("uncounted", "scored", "trained", "leaked")
_MARKS = {"restore": "state restored", "taken": "state saved", "print": "claimed line printed"}


def frontier_plot(name: str, plot: Frontier) -> Markup:
    """The plot as SVG."""
    x, y = Scale(0, plot.columns, LEFT, RIGHT), Scale(0, plot.positions, BOTTOM, TOP)
    parts = [rect(LEFT, TOP, RIGHT - LEFT, BOTTOM - TOP, "ground"), *_axes(plot, x, y)]
    parts += _layers(plot)
    parts += _marks(plot.marks, x)
    parts += _strip(plot)
    return figure(name, WIDTH, HEIGHT, "Frontier plot", describe(plot), parts)


def describe(plot: Frontier) -> str:
    """What the plot shows, as one sentence: exact counts, for those who cannot or need not look."""
    words = f"{plural(plot.scored_positions, 'val position')} scored"
    if plot.scored_again:
        words += f", {plot.scored_again:,} of them more than once"
    words += f"; {plot.trained_positions:,} trained on; "
    return words + (
        f"{plot.leaked_positions:,} trained on before they were scored."
        if plot.leaked_positions
        else "none trained on before it was scored."
    )


def legend(plot: Frontier) -> list[tuple[str, str]]:
    """Colour class and meaning of what the plot holds; always the red of a leak: its absence tells."""
    held = {cell.layer for cell in (*plot.cells, *plot.coverage)}
    held |= {"leaked", "scored" if held & {"both", "once"} else "", "trained" if "both" in held else ""}
    return [(f"f-{layer}", words) for layer, words in _MEANING.items() if layer in held]


def _axes(plot: Frontier, x: Scale, y: Scale) -> list[str]:
    parts = []
    for tick in ticks(0, plot.positions):
        parts += [
            line(LEFT, y(tick), RIGHT, y(tick), "grid"),
            text(LEFT - 8, y(tick) + 4, short(tick), "tick", "end"),
        ]
    for column in sorted({round(i * (plot.columns - 1) / 6) for i in range(7)}):
        middle = x(column + 0.5)
        parts += [line(middle, BOTTOM, middle, BOTTOM + 5, "axis")]
        parts += [text(middle, BOTTOM + 20, f"#{plot.column_events[column]:,}", "tick", "middle")]
    parts += [line(LEFT, BOTTOM, RIGHT, BOTTOM, "axis"), line(LEFT, TOP, LEFT, BOTTOM, "axis")]
    parts += [
        text((LEFT + RIGHT) / 2, BOTTOM + 46, "events, in the order they happened  \u2192", "label", "middle")
    ]
    parts += [text(16, (TOP + BOTTOM) / 2, "position in the val stream  \u2192", "label", "middle", -90)]
    return parts


def _layers(plot: Frontier) -> list[str]:
    """One path a layer, in grid units: a page of a few thousand cells stays small."""
    across, up = (RIGHT - LEFT) / plot.columns, (BOTTOM - TOP) / plot.rows
    shapes = []
    for layer in _DRAWN:
        whole = [c for c in plot.cells if c.layer == layer or (layer == "scored" and c.layer == "both")]
        half = [c for c in plot.cells if layer == "trained" and c.layer == "both"]
        drawn = _outline(whole) + "".join(f"M{c.column}.5 {c.low}h.5v{c.high - c.low}h-.5z" for c in half)
        if drawn:
            shapes.append(f'<path class="f-{layer}" d="{drawn}"/>')
    grid = (
        f'transform="translate({LEFT} {BOTTOM}) scale({across:.5f} {-up:.5f})" shape-rendering="crispEdges"'
    )
    return [f"<g {grid}>", *shapes, "</g>"]


def _outline(cells: Sequence[Cell]) -> str:
    return "".join(f"M{c.column} {c.low}h1v{c.high - c.low}h-1z" for c in cells)


def _marks(marks: Sequence[Mark], x: Scale) -> list[str]:
    """Phases, restores and the claimed line as verticals; a label only where there is room for it."""
    parts, free = [], 0.0
    for mark in marks:
        at = x(mark.column + (0.5 if mark.kind == "print" else 0))
        parts.append(line(at, TOP - 6, at, BOTTOM, "mark mark-print" if mark.kind == "print" else "mark"))
        if at >= free:
            end = at + LABEL_ROOM > RIGHT
            words = _MARKS.get(mark.kind) or clip(mark.text, 22)
            parts.append(text(at, TOP - 12, words, "tick", "end" if end else "start"))
            free = at + LABEL_ROOM
    return parts


def _strip(plot: Frontier) -> list[str]:
    """Beside the plot, the fate of each position: scored once, again, never, or too late."""
    up = (BOTTOM - TOP) / plot.rows
    parts = []
    for cell in plot.coverage:
        style = f"f-{'scored' if cell.layer == 'once' else cell.layer}"
        parts.append(rect(STRIP, BOTTOM - cell.high * up, STRIP_WIDTH, (cell.high - cell.low) * up, style))
    label = text(
        STRIP + STRIP_WIDTH + 14, (TOP + BOTTOM) / 2, "fate of each position", "label", "middle", -90
    )
    return [*parts, label]
