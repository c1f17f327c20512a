"""Which probes an audit makes: all, none, named ones, or those that may answer what the other witnesses leave open."""

from __future__ import annotations

from collections.abc import Sequence

from harness.case import Finding, Grade, Status

MODES = ("auto", "all", "none")
INCOMPRESSIBILITY, FUTURE, AGAIN = "incompressibility", "future", "again"
REPEATING, TRANSPLANT, NEIGHBOUR = "repeating", "transplant", "neighbour"
ALL = (INCOMPRESSIBILITY, FUTURE, AGAIN, REPEATING, TRANSPLANT, NEIGHBOUR)

_ASKS = {  # NEIGHBOUR answers no rule's question: it is made with all only
    INCOMPRESSIBILITY: ("C1", "C2", "C3", "C4", "B1", "N2"),
    FUTURE: ("C1", "C3", "C4", "D4", "N2"),
    AGAIN: ("D4", "N1", "N2"),
    REPEATING: ("C1", "C2", "N2"),
    TRANSPLANT: ("D4", "D5", "N2"),
}
_DOUBTED = (Status.FAIL, Status.REVIEW)
_OPEN = {
    INCOMPRESSIBILITY: (*_DOUBTED, Status.NOT_COVERED),
    FUTURE: (*_DOUBTED, Status.NOT_COVERED),
    AGAIN: _DOUBTED,
    REPEATING: (*_DOUBTED, Status.NOT_COVERED),
    TRANSPLANT: _DOUBTED,
}
_BY_CODE = {"C1": (INCOMPRESSIBILITY, FUTURE), "D4": (TRANSPLANT,)}
"""Made too where a rule passes by the code alone: no list of words holds all ways in which a prediction looks ahead, or in
which something travels from training to the score beside the artifact."""


def named(mode: str) -> tuple[str, ...]:
    """The probes that a mode other than auto names. Raises ValueError for an unknown one."""
    if mode in MODES:
        return ALL if mode == "all" else ()
    names = tuple(dict.fromkeys(name.strip() for name in mode.split(",")))
    unknown = [name for name in names if name not in ALL]
    if unknown:
        raise ValueError(
            f"{unknown[0]!r} is no experiment: say {', '.join(MODES)}, or names out of {', '.join(ALL)}"
        )
    return names


def chosen(mode: str, findings: Sequence[Finding]) -> tuple[str, ...]:
    """The probes to make, by what the rules say without them. Raises ValueError for an unknown mode."""
    if mode != "auto":
        return named(mode)
    return tuple(
        probe for probe in ALL if probe in _ASKS and any(_open(probe, finding) for finding in findings)
    )


def merely_read(mode: str, findings: Sequence[Finding]) -> bool:
    """Whether random tokens are asked for only because causality passes by the code alone."""
    asks = [f for f in findings if f.rule in _ASKS[INCOMPRESSIBILITY]]
    return mode == "auto" and not any(f.status in _OPEN[INCOMPRESSIBILITY] for f in asks)


def _open(probe: str, finding: Finding) -> bool:
    """Whether a finding leaves a question open that the probe may answer."""
    if finding.rule not in _ASKS[probe]:
        return False
    read = finding.status is Status.PASS and finding.grade is Grade.STATIC
    return finding.status in _OPEN[probe] or (read and probe in _BY_CODE.get(finding.rule, ()))
