"""A cursor that a loop moves forward chooses the tokens of a round; one that is set back does not."""

from __future__ import annotations

import ast

import pytest

from harness.witnesses.static.cursors import cursors
from tests.static import scripts
from tests.static.test_order import kinds, look

ROUNDS = "    for start in range(0, val.numel() - 1, s.seq):\n"
BODY = "        part = val[start : start + s.seq + 1].long()\n"
FORWARD = {
    "an end that is the next start": (
        "    start = 0\n    while start < val.numel() - 1:\n        end = min(start + s.seq, val.numel() - 1)\n",
        "        part = val[start : end + 1].long()\n",
        "        start = end\n",
    ),
    "a sum": (
        "    start = 0\n    while start < val.numel() - 1:\n",
        BODY,
        "        start += s.seq\n",
    ),
    "a loop without an end of its own": (
        "    start, left = 0, True\n    while True:\n        if start >= val.numel() - 1:\n            break\n",
        BODY,
        "        start = start + s.seq\n",
    ),
    "rounds that only count": (
        "    start = 0\n    for _ in range((val.numel() - 1) // s.seq):\n",
        BODY,
        "        start += s.seq\n",
    ),
}


def moved(body: str, form: str) -> str:
    """The evaluation with its loop in another form."""
    head, part, step = FORWARD[form]
    assert body.count(ROUNDS + BODY) == 1
    return scripts.script(
        body.replace(ROUNDS + BODY, head + part).replace("    return total", step + "    return total")
    )


@pytest.mark.parametrize("form", FORWARD)
def test_score_first_in_any_form_of_loop(form: str) -> None:
    assert kinds(look(moved(scripts.SCORE_FIRST, form))) == set()


@pytest.mark.parametrize("form", FORWARD)
def test_training_first_in_any_form_of_loop(form: str) -> None:
    assert "train_on_val_before_score" in kinds(look(moved(scripts.TRAIN_FIRST, form)))


def test_a_cursor_that_is_set_back_is_asked_about() -> None:
    again = "        start = start + s.seq if start + s.seq < val.numel() - 1 else 0\n"
    body = scripts.SCORE_FIRST.replace(
        ROUNDS, "    start = 0\n    for _ in range(2 * (val.numel() // s.seq)):\n"
    )
    facts = look(scripts.script(body.replace("    return total", again + "    return total")))
    assert "multi_pass_rescore" in kinds(facts, "depends")


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ("a += 1", {"a"}),
        ("a, b = b, a + b", {"a", "b"}),
        ("end = a + 4\na = end", {"a", "end"}),
        ("a = a", set()),
        ("a += 1\nif a > 4:\n    a = 0", set()),
        ("a = (a + 1) % 8", set()),
        ("for a in range(3):\n    a += 1", set()),
        ("b = a + 1", set()),
    ],
)
def test_what_goes_forward(body: str, names: set[str]) -> None:
    loop = ast.parse("while True:\n" + "".join(f"    {line}\n" for line in body.split("\n"))).body[0]
    assert isinstance(loop, ast.While)
    assert cursors(loop, {}) == {("", name) for name in names}
