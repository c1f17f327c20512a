"""However a loop over chunks tells its rounds apart, scoring a chunk before training on it is told from the reverse."""

from __future__ import annotations

import pytest

from tests.static import scripts
from tests.static.test_cursors import BODY, ROUNDS
from tests.static.test_order import kinds, look

SPAN = "        part = val[BEGIN : END + 1].long()\n"
HELD = """
import types
from dataclasses import dataclass
from typing import NamedTuple

@dataclass
class Span:
    begin: int
    end: int

class Pair(NamedTuple):
    begin: int
    end: int

class Cursor:
    def __init__(self, last, size):
        self.last, self.size = last, size
        self.begin, self.end = 0, min(size, last)

    @property
    def finished(self):
        return self.begin >= self.last

    def advance(self):
        self.begin, self.end = self.end, min(self.end + self.size, self.last)

    def take(self):
        if self.begin >= self.last:
            return None
        begin = self.begin
        self.begin = min(begin + self.size, self.last)
        return begin, self.begin

def spans(last, size, make):
    for begin in range(0, last, size):
        yield make(begin, min(begin + size, last))

def taker(last, size):
    at = 0

    def take():
        nonlocal at
        if at >= last:
            return None
        begin, at = at, min(at + size, last)
        return begin, at

    return take
"""
STATE = "    last = val.numel() - 1\n"
FORMS = {
    "an attribute": (
        "    at = Cursor(last, s.seq)\n    while (span := at.take()) is not None:\n        b, e = span\n",
        "b",
        "e",
        "",
    ),
    "an attribute of a namespace": (
        "    at = types.SimpleNamespace(pos=0)\n    while at.pos < last:\n        e = min(at.pos + s.seq, last)\n",
        "at.pos",
        "e",
        "        at.pos = e\n",
    ),
    "an entry of a dictionary": (
        '    at = {"pos": 0}\n    while at["pos"] < last:\n        e = min(at["pos"] + s.seq, last)\n',
        'at["pos"]',
        "e",
        '        at["pos"] = e\n',
    ),
    "a name that a function moves": (
        "    take = taker(last, s.seq)\n    while (span := take()) is not None:\n        b, e = span\n",
        "b",
        "e",
        "",
    ),
    "dictionaries in a list": (
        '    plan = [{"b": b, "e": min(b + s.seq, last)} for b in range(0, last, s.seq)]\n    for c in plan:\n',
        'c["b"]',
        'c["e"]',
        "",
    ),
    "instances from a generator": ("    for c in spans(last, s.seq, Span):\n", "c.begin", "c.end", ""),
    "named tuples in a list": (
        "    for c in list(spans(last, s.seq, Pair)):\n",
        "c.begin",
        "c.end",
        "",
    ),
    "namespaces": (
        "    plan = [types.SimpleNamespace(b=b, e=min(b + s.seq, last)) for b in range(0, last, s.seq)]\n"
        "    for c in plan:\n",
        "c.b",
        "c.e",
        "",
    ),
    "names that a pattern binds": (
        "    for c in spans(last, s.seq, Pair):\n        match c:\n            case (b, e):\n                pass\n",
        "b",
        "e",
        "",
    ),
    "an iterator asked by the loop's condition": (
        "    ends = iter(range(0, last, s.seq))\n    while (b := next(ends, None)) is not None:\n",
        "b",
        "min(b + s.seq, last)",
        "",
    ),
}
LATER = """
def evaluate(s, net, val):
    opt = torch.optim.SGD(net.parameters(), lr=1e-3)
    total, count = torch.zeros(()), 0

    def go(begin):
        nonlocal count
        end = min(begin + s.seq, val.numel() - 1)
        part = val[begin : end + 1].long()
        x, y = part[:-1][None], part[1:][None]
        FIRST
        SECOND
        count += y.numel()
        if end < val.numel() - 1:
            go(end)

    go(0)
    return total.item() / count, (val > 0).sum().item()
"""
SCORE = "total.add_(net(x, y).sum().detach())"
TRAIN = "opt.zero_grad(); net(x, y).mean().backward(); opt.step()"


def with_rounds(body: str, form: str) -> str:
    """The evaluation with its chunks told in another form."""
    head, begin, end, step = FORMS[form]
    assert body.count(ROUNDS + BODY) == 1
    part = SPAN.replace("BEGIN", begin).replace("END", end)
    body = body.replace(ROUNDS + BODY, STATE + head + part)
    return scripts.script(HELD + body.replace("    return total", step + "    return total"))


@pytest.mark.parametrize("form", FORMS)
def test_score_first(form: str) -> None:
    assert kinds(look(with_rounds(scripts.SCORE_FIRST, form))) == set()


@pytest.mark.parametrize("form", FORMS)
def test_training_first(form: str) -> None:
    assert "train_on_val_before_score" in kinds(look(with_rounds(scripts.TRAIN_FIRST, form)))


def test_a_begin_that_lags_behind_its_end_is_not_accused() -> None:
    rounds = "    at = Cursor(val.numel() - 1, s.seq)\n    while not at.finished:\n"
    part = "        part = val[at.begin : at.end + 1].long()\n"
    body = scripts.SCORE_FIRST.replace(ROUNDS + BODY, rounds + part)
    body = body.replace("    return total", "        at.advance()\n    return total")
    assert kinds(look(scripts.script(HELD + body))) == set()


def test_a_function_that_calls_itself_chunk_by_chunk() -> None:
    honest = LATER.replace("FIRST", SCORE).replace("SECOND", TRAIN)
    early = LATER.replace("FIRST", TRAIN).replace("SECOND", SCORE)
    assert kinds(look(scripts.script(honest))) == set()
    assert "train_on_val_before_score" in kinds(look(scripts.script(early)))


def test_what_begins_where_no_loop_says_is_no_certain_second_look() -> None:
    tail = (
        "    rest = val[-s.seq - 1 :].long()\n"
        "    with torch.no_grad():\n"
        "        total += net(rest[:-1][None], rest[1:][None])[-7:].sum()\n"
        "    return total"
    )
    facts = look(scripts.script(scripts.SCORE_FIRST.replace("    return total", tail)))
    assert kinds(facts) == set()
    assert kinds(facts, "depends") & {"multi_pass_rescore", "train_on_val_before_score"}
