"""The claimed score: which number submission.json claims, and which line of which log states it."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Sequence

from harness.witnesses.claims.log import Log, ScoreLine
from harness.witnesses.claims.submission_json import Claimed, agrees


@dataclasses.dataclass(frozen=True)
class ClaimedLine:
    """The log and the line that state the claimed score, and how they were found (one sentence)."""

    log: Log
    line: ScoreLine
    how: str
    exact: bool


def claimed_line(
    main: Sequence[Claimed],
    seeds: Sequence[Claimed],
    logs: Sequence[Log],
    printable: Callable[[str], bool] = bool,
) -> ClaimedLine | None:
    """The line that states the claimed score, or the mean it is; None where no log has it.

    Tried in order: a result line equal to the claimed number; a label whose mean over the logs is that
    number (then the log nearest the mean); a line equal to a claimed per-seed score; a running figure equal
    to the claimed number. Lines whose label the script can print (`printable`) come before those that some
    other program wrote into the log.
    """
    for claimed in main:
        if claimed.decimals < 2 or (claimed.name == "val_loss" and len(main) > 1 and claimed is not main[0]):
            continue
        direct = _direct(claimed, logs, printable, progress=False)
        if direct is not None and direct.exact and min(claimed.decimals, direct.line.decimals) >= 5:
            return direct
        mean = _mean(claimed, seeds, logs, printable)
        if mean is not None and (direct is None or not direct.exact or direct.line.label != mean.line.label):
            return mean
        if direct is not None:
            return dataclasses.replace(direct, exact=True)
    target = main[0].value if main else None
    per_seed = [
        found
        for c in seeds
        if c.decimals >= 3 and (found := _direct(c, logs, printable, progress=False)) is not None
    ]
    if per_seed:
        best = min(per_seed, key=lambda f: abs(f.line.bpb - (target if target is not None else f.line.bpb)))
        return dataclasses.replace(best, how=f"{best.log.path} states a claimed seed's score; {best.how}")
    for claimed in main:
        if claimed.decimals >= 4 and (found := _direct(claimed, logs, printable, progress=True)) is not None:
            return found
    return None


def _direct(
    claimed: Claimed, logs: Sequence[Log], printable: Callable[[str], bool], *, progress: bool
) -> ClaimedLine | None:
    found: list[tuple[tuple[bool, bool, int, bool, int], Log, ScoreLine]] = []
    for log in logs:
        for line in log.scores if progress else log.finals():
            if agrees(claimed.value, claimed.decimals, line.bpb, line.decimals, loose=True):
                strict = agrees(claimed.value, claimed.decimals, line.bpb, line.decimals)
                mine = claimed.seed is None or log.seed == claimed.seed
                rank = (
                    strict,
                    printable(line.label),
                    min(line.decimals, claimed.decimals),
                    mine,
                    line.decimals,
                )
                found.append((rank, log, line))
    if not found:
        return None
    rank, log, line = max(found, key=lambda f: (f[0], "exact" in f[2].label, f[2].line))
    return ClaimedLine(log, line, f"line {line.line} states {claimed.name} = {claimed.value:g}", rank[0])


def _mean(
    claimed: Claimed, seeds: Sequence[Claimed], logs: Sequence[Log], printable: Callable[[str], bool]
) -> ClaimedLine | None:
    """The label whose mean over the logs (or over some three to six of them) is the claimed number."""
    by_label: dict[str, list[tuple[Log, ScoreLine]]] = {}
    for log in logs:
        for label, line in {s.label: s for s in log.finals()}.items():
            by_label.setdefault(label, []).append((log, line))
    wanted = {c.seed for c in seeds if c.seed is not None}
    found: list[tuple[int, list[tuple[Log, ScoreLine]], tuple[Log, ScoreLine]]] = []
    for group in by_label.values():
        for subset in _subsets(group, wanted):
            mean = sum(line.bpb for _, line in subset) / len(subset)
            decimals = min(line.decimals for _, line in subset)
            if agrees(claimed.value, claimed.decimals, mean, max(decimals, 4), loose=True):
                nearest = min(subset, key=lambda pair: abs(pair[1].bpb - claimed.value))
                found.append((decimals, subset, nearest))
                break
    if not found:
        return None
    _, subset, (log, line) = max(
        found, key=lambda f: (printable(f[2][1].label), f[0], len(f[1]), f[2][1].line)
    )
    claim = f"{claimed.name} = {claimed.value:g}"
    how = f"{claim} is the mean of this line over {len(subset)} logs; {log.path} is the nearest"
    return ClaimedLine(log, line, how, True)


def _subsets(group: list[tuple[Log, ScoreLine]], wanted: set[int]) -> list[list[tuple[Log, ScoreLine]]]:
    """All of them, those of the claimed seeds, then every choice of three to six where that is few."""
    result = [group] if len(group) > 1 else []
    chosen = [pair for pair in group if pair[0].seed in wanted]
    if len(chosen) > 1:
        result.insert(0, chosen)
    if 3 < len(group) <= 8:
        result += [
            list(c) for size in (3, 5, 4, 6) for c in itertools.combinations(group, size) if size < len(group)
        ]
    return result


def nearest_line(value: float | None, logs: Sequence[Log]) -> tuple[Log, ScoreLine] | None:
    """The result line nearest a claimed number; with no number the last result of the last log."""
    lines = [(log, line) for log in logs for line in log.finals()]
    if not lines:
        return None
    if value is None:
        return lines[-1]
    return min(lines, key=lambda pair: (abs(pair[1].bpb - value), -pair[1].decimals, -pair[1].line))
