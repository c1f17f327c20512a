"""How far a sweep is, how fast it goes and how long it will take: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

EVERY_S = 10.0
"""Seconds between two lines where there is no terminal."""


def pace(done: int, total: int, seconds: float) -> str:
    """Rate and time left, from what was done in these seconds: "12.4 a second, 0:02:41 left"."""
    if not done or seconds <= 0:
        return ""
    rate = done / seconds
    left = round((total - done) / rate)
    shown = f"{rate:.1f} a second" if rate >= 1 else f"{60 * rate:.1f} a minute"
    return f"{shown}, {left // 3600}:{left // 60 % 60:02}:{left % 60:02} left"


@contextlib.contextmanager
def reporter(console: Console) -> Iterator[Callable[[int, int, str], None]]:
    """A function of (done, total, the last) that shows how far a sweep is."""
    started = time.monotonic()
    if console.is_terminal:
        columns = (
            TextColumn("auditing"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.description}"),
        )
        with Progress(*columns, console=console) as bar:
            task = bar.add_task("", total=None)

            def draw(done: int, total: int, last: str) -> None:
                words = f"{pace(done, total, time.monotonic() - started)} (last: {last})"
                bar.update(task, completed=done, total=total, description=words)

            yield draw
        return
    told = started

    def tell(done: int, total: int, last: str) -> None:
        nonlocal told
        now = time.monotonic()
        if now - told >= EVERY_S or done == total:
            told = now
            console.print(
                f"{done} of {total}, {pace(done, total, now - started)} (last: {last})", highlight=False
            )

    yield tell
