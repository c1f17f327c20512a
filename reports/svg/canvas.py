"""What every plot is made of: a frame with a title for those who cannot see it, scales, ticks and axes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence

from markupsafe import Markup, escape

from reports.text import plain


@dataclasses.dataclass(frozen=True)
class Scale:
    """A linear map from data [low, high] to pixels [start, end]."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        width = self.high - self.low
        return self.start + (value - self.low) / (width or 1.0) * (self.end - self.start)


def figure(name: str, width: int, height: int, title: str, description: str, parts: Iterable[str]) -> Markup:
    """An <svg> with title and description; `name` makes their ids, so it must be unique on the page."""
    body = "".join(parts)
    return Markup(
        f'<svg class="plot" viewBox="0 0 {width} {height}" role="img" '
        f'aria-labelledby="{name}-title {name}-desc" xmlns="http://www.w3.org/2000/svg">'
        f'<title id="{name}-title">{escape(title)}</title>'
        f'<desc id="{name}-desc">{escape(description)}</desc>{body}</svg>'
    )


def text(x: float, y: float, words: object, style: str = "", anchor: str = "start", turn: int = 0) -> str:
    """A line of text; made harmless and escaped here, once for all plots."""
    turned = f' transform="rotate({turn} {_(x)} {_(y)})"' if turn else ""
    at = f'x="{_(x)}" y="{_(y)}" class="{style}" text-anchor="{anchor}"{turned}'
    return f"<text {at}>{escape(plain(words))}</text>"


def line(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
    """A straight line."""
    return f'<line x1="{_(x1)}" y1="{_(y1)}" x2="{_(x2)}" y2="{_(y2)}" class="{style}"/>'


def rect(x: float, y: float, width: float, height: float, style: str) -> str:
    """A filled rectangle."""
    return f'<rect x="{_(x)}" y="{_(y)}" width="{_(width)}" height="{_(height)}" class="{style}"/>'


def path(points: Sequence[tuple[float, float]], style: str) -> str:
    """A line through points."""
    return f'<polyline points="{" ".join(f"{_(x)},{_(y)}" for x, y in points)}" class="{style}"/>'


def area(points: Sequence[tuple[float, float]], base: float, style: str) -> str:
    """The area between a line through points and a horizontal at `base`."""
    closed = [(points[0][0], base), *points, (points[-1][0], base)]
    return f'<polygon points="{" ".join(f"{_(x)},{_(y)}" for x, y in closed)}" class="{style}"/>'


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round values inside [low, high], steps of 1, 2 or 5 times a power of ten."""
    width = high - low
    if width <= 0:
        return [low]
    rough = width / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [i * step for i in range(first, last + 1)]


def short(value: float) -> str:
    """A tick label: 12k, 3.5M, 0.25."""
    for size, unit in ((1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{value / (1e3 if unit == 'k' else size):g}{unit}"
    return f"{value:.6g}"


def _(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
