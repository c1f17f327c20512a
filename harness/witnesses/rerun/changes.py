"""Two passes over the same tokens beside each other: which tokens gained, which lost, and where."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from harness.witnesses.rerun.facts import Bucket, Change, TokenChange

EDGES = (-np.inf, -1.0, -0.3, -0.1, -0.03, -0.01, 0.01, 0.03, 0.1, 0.3, 1.0, np.inf)
PARTS = 40
TENTHS = 10
NAMED = 8


def change(
    title: str,
    before: npt.NDArray[np.float32],
    after: npt.NDArray[np.float32],
    targets: npt.NDArray[np.uint16],
    pieces: Sequence[str],
) -> Change | None:
    """The change from `before` to `after`, losses [targets] in nats with NaN where not seen; None without common tokens.

    `targets` are the ids of the tokens, `pieces` the text of each id. `by_difficulty` holds tenths of the tokens by their
    loss before, easiest first; `along` the mean change in parts of the stream.
    """
    both = np.flatnonzero(~np.isnan(before) & ~np.isnan(after))
    if not both.size:
        return None
    old, delta = before[both].astype(np.float64), (after[both] - before[both]).astype(np.float64)
    total = float(both.size)
    bins = np.digitize(delta, EDGES[1:-1])
    return Change(
        title=title,
        positions=int(both.size),
        mean=float(delta.mean()),
        gained=float((delta < 0).mean()),
        lost=float((delta > 0).mean()),
        histogram=tuple(
            Bucket(
                float(EDGES[i]),
                float(EDGES[i + 1]),
                int((bins == i).sum()),
                float(delta[bins == i].sum() / total),
            )
            for i in range(len(EDGES) - 1)
        ),
        by_difficulty=_by_difficulty(old, delta),
        along=tuple(float(part.mean()) for part in np.array_split(delta, min(PARTS, both.size))),
        gainers=_named(targets[both], delta, pieces, 1),
        losers=_named(targets[both], delta, pieces, -1),
    )


def _named(
    ids: npt.NDArray[np.uint16], delta: npt.NDArray[np.float64], pieces: Sequence[str], sign: int
) -> tuple[TokenChange, ...]:
    """The tokens whose occurrences gained (sign 1) or lost (-1) most in sum."""
    total = np.bincount(ids, weights=delta, minlength=len(pieces))
    tokens = np.bincount(ids, minlength=len(pieces))
    order = np.argsort(sign * total, kind="stable")[:NAMED]
    return tuple(
        TokenChange(pieces[i], int(tokens[i]), float(total[i] / tokens[i]), float(total[i] / delta.size))
        for i in order
        if sign * total[i] < 0
    )


def _by_difficulty(old: npt.NDArray[np.float64], delta: npt.NDArray[np.float64]) -> tuple[Bucket, ...]:
    order = np.argsort(old, kind="stable")
    parts = [p for p in np.array_split(order, TENTHS) if p.size]
    return tuple(
        Bucket(float(old[p].min()), float(old[p].max()), int(p.size), float(delta[p].mean())) for p in parts
    )
