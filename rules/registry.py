"""The register of rules: a decorator to enter one, and the list that the audit walks through.

A rule is a pure function ``Case -> Finding``: it opens no file and runs no code. Each lives in a file of its own in this
package, is found by importing the package's modules, and its module docstring is what ``cli.py rules ID`` prints.
"""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
import sys
from collections.abc import Callable

from harness.case import Case, Finding
from rules.tools import asked_of_tools

RuleFunction = Callable[[Case], Finding]

MUST_HAVE = ("C1", "C2", "C3", "C4", "D1", "B1")
"""Rules that must be covered for a PASS (README of the challenge, issue 1017)."""


@dataclasses.dataclass(frozen=True)
class Rule:
    """One rule: its id, its title, the categories of rulings_dev.csv it can name, the witnesses it listens to."""

    id: str
    title: str
    categories: tuple[str, ...]
    needs: tuple[str, ...]
    check: RuleFunction

    @property
    def doc(self) -> str:
        """The documentation of the rule: the docstring of its module."""
        return (sys.modules[self.check.__module__].__doc__ or "").strip()


_RULES: dict[str, Rule] = {}


def rule(
    id: str, *, title: str, categories: tuple[str, ...] = (), needs: tuple[str, ...] = ()
) -> Callable[[RuleFunction], RuleFunction]:
    """Enter a function as rule `id`. Raises ValueError when another function holds that id."""

    def enter(check: RuleFunction) -> RuleFunction:
        held = _RULES.get(id)
        if held is not None and held.check.__module__ != check.__module__:
            raise ValueError(f"rule {id} is defined in {held.check.__module__} and in {check.__module__}")
        _RULES[id] = Rule(id, title, categories, needs, asked_of_tools(check))
        return check

    return enter


def all_rules() -> list[Rule]:
    """Every rule of this package, must-have rules first, then by id."""
    package = importlib.import_module("rules")
    for module in sorted(m.name for m in pkgutil.iter_modules(package.__path__)):
        importlib.import_module(f"rules.{module}")
    order = {id: i for i, id in enumerate(MUST_HAVE)}
    return sorted(_RULES.values(), key=lambda r: (order.get(r.id, len(order)), r.id))
