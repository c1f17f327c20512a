"""Training on val that is hidden in what Python calls by itself: leaving a `with`, deleting a name, the key of a sort."""

from __future__ import annotations

import pytest

from tests.static import scripts
from tests.static.test_order import kinds, look

CALL = "            tune(s, net, val)\n"
HOLDER = """
class Holder:
    def __init__(self, *held):
        self.held = held

    def __enter__(self):
        return self

    def {method}:
        {what}

def tune("""


def hidden(method: str, what: str, line: str) -> str:
    """A script that trains on val in a method of a class that only a statement calls."""
    holder = HOLDER.replace("{method}", method).replace("{what}", what)
    return scripts.script(
        scripts.BEFORE.replace(CALL, f"            {line}\n").replace("\ndef tune(", holder)
    )


TUNE = "tune(*self.held)"
PLACES = (
    ("__exit__(self, *error)", "with Holder(s, net, val):\n                pass"),
    ("__del__(self)", "held = Holder(s, net, val)\n            del held"),
    ("unused(self)", "sorted([1, 2], key=lambda _: tune(s, net, val))"),
)


@pytest.mark.parametrize(("method", "line"), PLACES)
def test_training_on_val_there_is_seen(method: str, line: str) -> None:
    assert "train_on_val_before_score" in kinds(look(hidden(method, TUNE, line)))


@pytest.mark.parametrize(("method", "line"), PLACES[:2])
def test_what_does_nothing_there_is_none(method: str, line: str) -> None:
    facts = look(hidden(method, "return None", line))
    assert facts.facts == ()
    assert facts.covered
