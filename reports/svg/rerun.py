"""The plots of a rerun: by how much tokens gained or lost between two passes, and where in the stream."""

from __future__ import annotations

import math

from markupsafe import Markup

from harness.witnesses.rerun.facts import Bucket, Change
from reports.svg.canvas import Scale, figure, line, path, rect, short, text, ticks
from reports.words import number, percent

WIDTH, HEIGHT = 480, 280
LEFT, RIGHT, TOP, BOTTOM = 56, 456, 14, 232


def gains_plot(name: str, change: Change) -> Markup:
    """Bars for classes of change: how much of the tokens each holds; gains on the left, losses in another colour."""
    buckets = change.histogram
    y = Scale(0, max(b.tokens for b in buckets) / change.positions * 1.08, BOTTOM, TOP)
    width = (RIGHT - LEFT) / len(buckets)
    parts = [line(LEFT, y(t), RIGHT, y(t), "grid") for t in ticks(y.low, y.high)]
    parts += [text(LEFT - 7, y(t) + 4, f"{100 * t:g} %", "tick", "end") for t in ticks(y.low, y.high)]
    for place, bucket in enumerate(buckets):
        x, top = LEFT + place * width, y(bucket.tokens / change.positions)
        style = "f-scored" if bucket.high <= 0 else "f-leaked" if bucket.low >= 0 else "bar-a"
        parts.append(rect(x + 1, top, width - 2, BOTTOM - top, style))
        if place:
            parts.append(text(x, BOTTOM + 18, short(bucket.low), "tick", "middle"))
    parts += [line(LEFT, BOTTOM, RIGHT, BOTTOM, "axis")]
    parts.append(text((LEFT + RIGHT) / 2, BOTTOM + 38, "change of a token's loss, nats", "label", "middle"))
    parts.append(text(13, (TOP + BOTTOM) / 2, "share of tokens", "label", "middle", -90))
    told = f"{percent(change.gained)} of the tokens gained, {percent(change.lost)} lost; "
    told += "; ".join(f"{_range(b)}: {b.tokens}" for b in buckets if b.tokens) + "."
    return figure(name, WIDTH, HEIGHT, f"Change of each token's loss: {change.title}", told, parts)


def along_plot(name: str, change: Change) -> Markup:
    """The mean change in equal parts of the val stream, from its beginning to its end."""
    values = [*change.along, 0.0]
    pad = (max(values) - min(values)) * 0.12 or 0.01
    x = Scale(0, 100, LEFT, RIGHT)
    y = Scale(min(values) - pad, max(values) + pad, BOTTOM, TOP)
    parts = []
    for tick in ticks(y.low, y.high):
        parts += [line(LEFT, y(tick), RIGHT, y(tick), "grid")]
        parts.append(text(LEFT - 7, y(tick) + 4, short(tick), "tick", "end"))
    parts += [text(x(t), BOTTOM + 18, f"{t:g} %", "tick", "middle") for t in ticks(0, 100)]
    step = 100 / len(change.along)
    points = [p for i, v in enumerate(change.along) for p in ((x(i * step), y(v)), (x((i + 1) * step), y(v)))]
    parts += [line(LEFT, y(0), RIGHT, y(0), "even"), path(points, "line-a")]
    parts += [line(LEFT, BOTTOM, RIGHT, BOTTOM, "axis")]
    parts.append(text((LEFT + RIGHT) / 2, BOTTOM + 38, "place in the val stream", "label", "middle"))
    parts.append(text(13, (TOP + BOTTOM) / 2, "mean change, nats", "label", "middle", -90))
    told = (
        f"From {number(change.along[0], 4)} nats at the start to {number(change.along[-1], 4)} at the end; "
    )
    told += f"mean {number(change.mean, 4)}."
    return figure(name, WIDTH, HEIGHT, f"Mean change along the stream: {change.title}", told, parts)


def _range(bucket: Bucket) -> str:
    if math.isinf(bucket.low):
        return f"below {bucket.high:g}"
    return f"above {bucket.low:g}" if math.isinf(bucket.high) else f"{bucket.low:g} to {bucket.high:g}"
