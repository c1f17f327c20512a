"""Whether the runs behind a mean had one configuration: settings that their logs print with different values."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Sequence

from harness.case import Evidence
from harness.witnesses.claims.log import Log
from harness.witnesses.claims.runs import RunFacts

_OWN = re.compile(r"seed|run_?(?:id|name)|path|dir|file|port|rank|host|log|output|wandb|name|date|tag")
"""Names of settings that may differ from run to run."""

_NUMBER = re.compile(r"-?\d{1,30}(?:\.\d{1,30})?(?:e[-+]?\d{1,3})?")


@dataclasses.dataclass(frozen=True)
class Difference:
    """One setting that differs: its name and, for each value, the first log line that prints it."""

    name: str
    values: tuple[tuple[str, Evidence], ...]


def differences(
    logs: Sequence[Log], runs: Sequence[RunFacts], names: Collection[str]
) -> tuple[Difference, ...]:
    """The settings called `names` (environment variables, in any case) that the runs' logs print with several values.

    The last value before a run's score counts, of lines that hold nothing but the setting: in others a comma or a word
    may end or begin something else. Only numbers and switches are compared. A log that does not print a setting says
    nothing of it.
    """
    wanted = {n.lower() for n in names if not _OWN.search(n.lower())}
    printed: dict[str, dict[str, Evidence]] = {}
    texts = {log.path: log for log in logs}
    for run in runs:
        log = texts.get(run.log)
        if log is None:
            continue
        last = {
            p.key.lower(): p
            for p in log.settings
            if p.alone and p.line <= run.score.line and p.key.lower() in wanted
        }
        for name, found in last.items():
            printed.setdefault(name, {}).setdefault(_plain(found.value), log.evidence(found.line))
    return tuple(
        Difference(name, tuple(values.items()))
        for name, values in sorted(printed.items())
        if len(values) > 1 and _all_numbers(values)
    )


def _all_numbers(values: Collection[str]) -> bool:
    """Whether each value is a number or a switch: words under the name of a setting may be a message of the run."""
    return all(_NUMBER.fullmatch(v) for v in values)


def _plain(value: str) -> str:
    """One spelling for one value: 1, 1.0 and 1e0 are the same, as are True and 1."""
    low = value.strip().lower()
    low = {"true": "1", "false": "0", "yes": "1", "no": "0"}.get(low, low)
    try:
        return f"{float(low.replace('_', '')):g}"
    except ValueError:
        return low
