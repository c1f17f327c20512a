"""Where a violation is put around the statement that evaluates."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from harness.bench.injections import KINDS, put_in
from harness.case import Script

SOURCE = """\
seen = []
def evaluate(name,
             model):
    seen.append(name)
    return name
if True: a = 1; loss = evaluate(
    "é",
    None,
); b = 2  # the end
"""


def _script() -> Script:
    return Script("train_gpt.py", len(SOURCE), "", SOURCE, SOURCE, "train_gpt.py")


def _trace(line: int, turn: object = None) -> Any:
    return SimpleNamespace(evaluated_at=line, turn=turn)


@pytest.mark.parametrize(
    ("kind", "learns", "order"),
    [
        ("train first", True, ["step", "é"]),
        ("second pass", True, ["é", "é"]),
        ("second pass", False, ["é", "step", "é"]),
    ],
)
def test_around_the_evaluation(kind: str, learns: bool, order: list[str]) -> None:
    """Statements over several lines and beside others: the rest of the line stays, and lines keep their numbers."""
    turn = SimpleNamespace(score=(), update=()) if learns else None
    found = put_in(_script(), _trace(6, turn), kind)
    assert found is not None
    text = found[0].runnable
    assert text.count("\n") == SOURCE.count("\n")
    names: dict[str, Any] = {"seen": []}
    exec(
        text.replace("__import__('injected').step(__import__('sys')._getframe())", "seen.append('step')"),
        names,
    )
    assert names["seen"] == order
    assert (names["a"], names["loss"], names["b"]) == (1, "é", 2)


def test_no_place() -> None:
    """A trace that names no statement, or no loop, gives no script."""
    for kind in KINDS:
        assert put_in(_script(), _trace(0), kind) is None
