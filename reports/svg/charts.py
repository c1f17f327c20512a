"""The small plots of the per-token analysis: Lorenz curve, mean loss along a key, histogram."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from harness.analysis.tokens import Bin, TokenAnalysis
from reports.svg.canvas import Scale, area, figure, line, path, rect, short, text, ticks
from reports.words import number, percent

WIDTH, HEIGHT = 480, 280
LEFT, RIGHT, TOP, BOTTOM = 56, 456, 14, 232


def lorenz(name: str, tokens: TokenAnalysis) -> Markup:
    """The Lorenz curve of the loss: share of tokens, easiest first, against their share of the loss."""
    x, y = Scale(0, 1, LEFT, RIGHT), Scale(0, 1, BOTTOM, TOP)
    points = [(x(a), y(b)) for a, b in tokens.lorenz]
    parts = [*_frame(x, y, "share of tokens, easiest first", "share of loss", as_percent=True)]
    parts += [area(points, BOTTOM, "fill-a"), line(x(0), y(0), x(1), y(1), "even"), path(points, "line-a")]
    parts += [
        text(x(0.06), y(0.9), f"Gini {number(tokens.gini, 3)}", "strong"),
        text(
            x(0.06), y(0.9) + 18, f"hardest tenth: {percent(tokens.hardest_tenth_share)} of the loss", "small"
        ),
        text(x(0.62), y(0.62) - 8, "all tokens equally hard", "small", "middle", -28),
    ]
    words = f"Gini coefficient {number(tokens.gini, 3)}; the hardest tenth of the tokens carries "
    words += f"{percent(tokens.hardest_tenth_share)} of the loss."
    return figure(name, WIDTH, HEIGHT, "Lorenz curve of the loss", words, parts)


def along(name: str, title: str, label: str, bins: Sequence[Bin], mean: float) -> Markup:
    """Mean loss in nats along an integer key, as steps, with the overall mean dashed."""
    values = [b.mean_nats for b in bins] + [mean]
    pad = (max(values) - min(values)) * 0.12 or 0.05
    x = Scale(bins[0].low, bins[-1].high + 1, LEFT, RIGHT)
    y = Scale(min(values) - pad, max(values) + pad, BOTTOM, TOP)
    steps = [point for b in bins for point in ((x(b.low), y(b.mean_nats)), (x(b.high + 1), y(b.mean_nats)))]
    parts = [*_frame(x, y, label, "mean loss, nats"), area(steps, BOTTOM, "fill-a")]
    parts += [line(LEFT, y(mean), RIGHT, y(mean), "even"), path(steps, "line-a")]
    parts.append(text(RIGHT - 4, y(mean) - 5, f"mean {number(mean, 3)}", "small", "end"))
    first, last = number(bins[0].mean_nats, 3), number(bins[-1].mean_nats, 3)
    words = f"From {first} nats at the start to {last} at the end; overall mean {number(mean, 3)}."
    return figure(name, WIDTH, HEIGHT, title, words, parts)


def histogram(name: str, tokens: TokenAnalysis) -> Markup:
    """How many tokens cost how many nats, in bins of half a nat, with the median marked."""
    bins = tokens.histogram
    x = Scale(0, bins[-1].high, LEFT, RIGHT)
    y = Scale(0, max(b.tokens for b in bins) / tokens.tokens * 1.08, BOTTOM, TOP)
    parts = [*_frame(x, y, "loss of a token, nats", "share of tokens", percent_y=True)]
    for b in bins:
        top = y(b.tokens / tokens.tokens)
        parts.append(rect(x(b.low) + 0.5, top, x(b.high) - x(b.low) - 1, BOTTOM - top, "bar-a"))
    median = x(min(tokens.median_nats, bins[-1].high))
    side, shift = ("start", 5) if median < (LEFT + RIGHT) / 2 else ("end", -5)
    parts += [line(median, TOP, median, BOTTOM, "even")]
    parts += [text(median + shift, TOP + 10, f"median {number(tokens.median_nats, 2)}", "small", side)]
    words = f"Median {number(tokens.median_nats, 2)} nats, 90th percentile {number(tokens.p90_nats, 2)}, "
    words += f"99th percentile {number(tokens.p99_nats, 2)}, largest {number(tokens.max_nats, 2)}."
    return figure(name, WIDTH, HEIGHT, "Distribution of the loss", words, parts)


def _frame(
    x: Scale, y: Scale, x_label: str, y_label: str, *, as_percent: bool = False, percent_y: bool = False
) -> list[str]:
    """Axes with ticks, faint grid lines and labels."""
    parts = []
    for tick in ticks(y.low, y.high):
        label = f"{100 * tick:g} %" if as_percent or percent_y else short(tick)
        parts += [line(x.start, y(tick), x.end, y(tick), "grid")]
        parts += [text(x.start - 7, y(tick) + 4, label, "tick", "end")]
    for tick in ticks(x.low, x.high):
        label = f"{100 * tick:g} %" if as_percent else short(tick)
        parts += [line(x(tick), y.start, x(tick), y.start + 4, "axis")]
        parts += [text(x(tick), y.start + 18, label, "tick", "middle")]
    parts += [line(x.start, y.start, x.end, y.start, "axis")]
    parts += [text((x.start + x.end) / 2, y.start + 38, x_label, "label", "middle")]
    parts += [text(13, (y.start + y.end) / 2, y_label, "label", "middle", -90)]
    return parts
