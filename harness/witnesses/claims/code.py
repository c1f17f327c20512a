"""The script that a log embeds beside the script that was submitted: whether they are one, and where they differ."""

from __future__ import annotations

import ast
import dataclasses
import difflib
from collections import Counter
from collections.abc import Sequence

from harness.case import Evidence, Script
from harness.witnesses.claims.log import Log

_LEAST = 100  # fewer lines are no training script: a warning, or a fragment in a traceback
_SHOWN = 6
_MOST = 12_000


@dataclasses.dataclass(frozen=True)
class CodeOfLog:
    """The embedded script of one log that is nearest to the submitted one. Blank lines and indentation do not count.

    `lines` are the embedded script's, `missing` those of them that the submitted script lacks, `added` its lines that the
    embedded one lacks; `same` says that nothing differs but comments and layout. `diff` holds the first differing lines,
    at their place in the log ("-") or in the script ("+").
    """

    log: str
    lines: int
    missing: int
    added: int
    same: bool
    diff: tuple[Evidence, ...] = ()

    @property
    def share(self) -> float:
        """The share of lines that differ, 0 to 1."""
        return max(self.missing, self.added) / max(self.lines, 1)


def code_of(log: Log, script: Script) -> CodeOfLog | None:
    """The comparison; None where the log embeds no script of some length."""
    mine = _lines(script.source.split("\n"))
    nearest: CodeOfLog | None = None
    for start, end in log.source:
        theirs = _lines([log.text.get(n, "") for n in range(start, end + 1)])
        if not _LEAST <= len(theirs) <= _MOST:
            continue
        found = _compare(log, script, start, theirs, mine)
        if nearest is None or found.missing + found.added < nearest.missing + nearest.added:
            nearest = found
    return nearest


def _lines(text: Sequence[str]) -> list[tuple[int, str]]:
    """The lines that are not blank, stripped, with their 0-based number."""
    return [(n, stripped) for n, line in enumerate(text) if (stripped := line.strip())]


def _compare(
    log: Log, script: Script, start: int, theirs: list[tuple[int, str]], mine: list[tuple[int, str]]
) -> CodeOfLog:
    left, right = Counter(t for _, t in theirs), Counter(t for _, t in mine)
    missing, added = left - right, right - left
    same = not missing and not added
    if not same and missing.total() + added.total() <= _SHOWN * 50:
        whole = "\n".join(log.text.get(n, "") for n in range(start, start + theirs[-1][0] + 1))
        same = _program(whole) == _program(script.source) is not None
    shown = _diff(log, script, start, theirs, mine) if not same else ()
    return CodeOfLog(log.path, len(theirs), missing.total(), added.total(), same, shown)


def _program(source: str) -> str | None:
    """What Python makes of the text, without comments and layout; None where it is no Python."""
    try:
        return ast.dump(ast.parse(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _diff(
    log: Log, script: Script, start: int, theirs: list[tuple[int, str]], mine: list[tuple[int, str]]
) -> tuple[Evidence, ...]:
    """The first differing lines; those of the log first in each place, as a diff has them."""
    found: list[Evidence] = []
    matcher = difflib.SequenceMatcher(None, [t for _, t in theirs], [t for _, t in mine])
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind == "equal":
            continue
        found += [Evidence(log.path, start + n, f"- {t}"[:300]) for n, t in theirs[a:b][:2]]
        found += [Evidence(script.display, n + 1, f"+ {t}"[:300]) for n, t in mine[c:d][:2]]
        if len(found) >= _SHOWN:
            break
    return tuple(found[:_SHOWN])
