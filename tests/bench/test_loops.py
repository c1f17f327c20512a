"""The rewritten loops do what they say: small loops are run, and the order of score and update is compared."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

import pytest

from harness.bench.loops import Spot, ahead, swapped, twice

PLAIN = """
def evaluate(n, score, learn):
    total = 0.0
    for c in range(n):
        start = 10 * c
        with open_box():
            for w in range(1):
                x = (start, w)
                total += score(c)  # scores
        last = c == n - 1
        if not last:
            for x in [start // 10]:
                learn(x)  # learns
    return total
evaluate(3, score, learn)
"""

SHARED = """
def evaluate(batches, score, learn):
    for ids in batches:
        rows = [0] * 2
        for i in range(2):
            rows[i] = ids
        if len(rows) > 0:
            with open_box():
                loss = score(rows[0])  # scores
            log.append(loss)
            learn(loss // 100)  # learns
evaluate([0, 1, 2], score, learn)
"""


def _order(source: str) -> list[str]:
    """What a script did, in order: s0 is a score of item 0, u0 an update from it."""
    import contextlib

    seen: list[str] = []

    def score(c: int) -> int:
        seen.append(f"s{c}")
        return 100 * c

    def learn(c: int) -> None:
        seen.append(f"u{c}")

    exec(source, {"score": score, "learn": learn, "open_box": contextlib.nullcontext, "log": []})
    return seen


def _spots(source: str) -> tuple[Spot, Spot]:
    lines = source.split("\n")
    at = {word: next(i for i, t in enumerate(lines, 1) if f"# {word}" in t) for word in ("scores", "learns")}
    start = next(i for i, t in enumerate(lines, 1) if t.startswith("def evaluate"))
    return Spot("evaluate", start, at["scores"]), Spot("evaluate", start, at["learns"])


Change = Callable[[str, Spot, Spot], str | None]


@pytest.mark.parametrize(
    ("source", "change", "order"),
    [
        (PLAIN, swapped, "u0 s0 u1 s1 s2"),
        (PLAIN, ahead, "s0 u1 s1 s2"),
        (PLAIN, twice, "s0 u0 s1 u1 s2 s0 u0 s1 u1 s2"),
        (SHARED, swapped, "s0 u0 s0 s1 u1 s1 s2 u2 s2"),
        (SHARED, ahead, "s0 s1 u1 s1 s2 u2 s2"),
        (SHARED, twice, "s0 u0 s1 u1 s2 u2 s0 u0 s1 u1 s2 u2"),
    ],
)
def test_order_after_the_change(source: str, change: Change, order: str) -> None:
    """An update that needs the loss of its own forward pass brings a copy of that pass; one that does not, none."""
    changed = change(source, *_spots(source))
    assert changed is not None
    assert _order(changed) == order.split()


def test_loop_in_a_block_of_tabs() -> None:
    """Scripts indent by tabs too; what stands around the loop keeps its lines."""
    source = textwrap.dedent(PLAIN).replace("    ", "\t")
    changed = swapped(source, *_spots(source))
    assert changed is not None
    assert _order(changed) == ["u0", "s0", "u1", "s1", "s2"]
    assert changed.split("\n")[:3] == source.split("\n")[:3]


def test_no_loop_around_both() -> None:
    """Score and update in different functions, or in no loop: nothing to rewrite."""
    source = "def evaluate(score, learn):\n    score(0)  # scores\n    learn(0)  # learns\n"
    score, update = _spots(source)
    assert swapped(source, score, update) is None
    assert ahead(source, score, Spot("main", 1, 3)) is None
