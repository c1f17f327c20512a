"""Blends of a position with the one before it: found in every form, with the mask that keeps them within documents."""

from __future__ import annotations

import dataclasses

import pytest

from harness.case import Status
from rules.C1 import strict_causality
from tests.static import scripts
from tests.static.test_order import look
from tests.static.test_rules import case_of

PLACE = "        x = self.embed(ids) + self.pairs(ids)\n"
JOINED = "        x = torch.cat([x[:, :1], x[:, 1:] + g * x[:, :-1]], dim=1)\n"
FORMS = {
    "joined": JOINED,
    "shifted": "        w = torch.cat([torch.zeros_like(x[:, :1]), x[:, :-1]], dim=1)\n        x = (1 - g) * x + g * w\n",
    "padded": "        x = (1 - g) * x + g * F.pad(x[:, :-1], (0, 0, 1, 0))\n",
    "leaning": "        was = F.pad(x[:, :-1, :], (0, 0, 1, 0))\n        x = x + g * (was - x)\n",
    "lerp": "        x = torch.lerp(x, torch.roll(x, 1, dims=1), g)\n",
    "method": "        x = x.lerp(x.roll(1, 1), g)\n",
}
MASKS = {
    "factor": ("", JOINED.replace("x[:, :-1]]", "x[:, :-1] * (ids[:, 1:] != 1).unsqueeze(-1)]")),
    "filled": ("        g = g.masked_fill((ids[:, 1:] == BOS)[..., None], 0.0)\n", JOINED),
    "named": ("        keep = self.not_bos(ids)\n        g = g * keep\n", JOINED),
}
OUTSIDE = """
class Smear(nn.Module):
    def __init__(self):
        super().__init__()
        self.gate = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        g = torch.sigmoid(self.gate)
        return (1 - g) * x + g * F.pad(x[:, :-1], (0, 0, 1, 0))
"""


def smeared(body: str, *, place: str = PLACE) -> str:
    """A plain script whose model does `body` to its embedding; the gate is `g`."""
    source = scripts.script(scripts.PLAIN)
    assert place in source
    return source.replace(place, place + "        g = torch.sigmoid(self.head(x))[:, :1]\n" + body)


def line_of(source: str, words: str) -> int:
    """The line that holds these words."""
    return 1 + next(i for i, row in enumerate(source.split("\n")) if words in row)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_the_blend_is_told_and_not_judged(form: str) -> None:
    source = smeared(FORMS[form])
    facts = look(source)
    assert facts.facts == ()
    assert ["over document boundaries" in s.what for s in facts.neighbours] == [True]
    last = FORMS[form].rstrip().split("\n")[-1].strip()
    assert facts.neighbours[0].evidence.line == line_of(source, last)


@pytest.mark.parametrize("mask", MASKS)
def test_a_mask_is_shown_with_its_line(mask: str) -> None:
    before, blend = MASKS[mask]
    source = smeared(before + blend)
    facts = look(source)
    assert facts.facts == ()
    assert ["stops at document boundaries" in s.what for s in facts.neighbours] == [True]
    words = before.strip().split("\n")[0] if before else blend.strip()
    assert facts.neighbours[0].evidence.line == line_of(source, words)


def test_a_mask_around_the_call_of_the_module() -> None:
    place = "        self.pairs = Pairs(4096, width)\n"
    source = scripts.script(scripts.PLAIN).replace(place, place + "        self.smear = Smear()\n")
    source = source.replace("class Net(nn.Module)", OUTSIDE + "\nclass Net(nn.Module)")
    bare = look(source.replace(PLACE, PLACE + "        x = self.smear(x)\n"))
    assert ["over document boundaries" in s.what for s in bare.neighbours] == [True]
    kept = "        x = torch.where((ids == 1)[..., None], x, self.smear(x))\n"
    assert "stops" in look(source.replace(PLACE, PLACE + kept)).neighbours[0].what


def test_token_ids_that_are_put_together_are_no_blend() -> None:
    for hashed in (
        "        x = x + self.pairs.table((36313 * ids[:, 1:] + 27191 * ids[:, :-1]) % 4096)\n",
        "        was = torch.cat([ids[:, :1], ids[:, :-1]], dim=1)\n"
        "        x = x + self.pairs.table((was * 92821 + ids) % 4096)\n",
        "        k = 92821 * ids[:, :-1] + ids[:, 1:]\n        x = x + self.pairs.table(k % 4096)\n",
    ):
        assert look(smeared(hashed)).neighbours == ()


def test_one_path_with_the_mask_and_one_without_is_a_question() -> None:
    tuned = """
    def tuned(self, ids):
        x = self.embed(ids)
        g = torch.sigmoid(self.head(x))[:, :1]
        x = torch.cat([x[:, :1], x[:, 1:] + g * x[:, :-1]], dim=1)
        return self.head(x)

    def forward(self, ids, targets):
        self.tuned(ids)
"""
    source = smeared(MASKS["filled"][0] + JOINED)
    source = source.replace("\n    def forward(self, ids, targets):\n", tuned, 1)
    fact = look(source).facts[0]
    assert (fact.kind, fact.certainty) == ("doc_boundary_leak", "depends")
    assert [e.line for e in fact.path] == [
        line_of(source, "def tuned") + 3,
        line_of(source, "masked_fill"),
    ]


def test_a_gate_that_is_switched_off_is_not_told() -> None:
    body = "        if Settings.adapt:\n" + "    " + JOINED
    assert len(look(smeared(body)).neighbours) == 1
    assert look(smeared(body), ADAPT="0").neighbours == ()


def test_the_rule_tells_it_in_a_pass() -> None:
    case = case_of(scripts.PLAIN)
    assert case.static is not None
    told = look(smeared(JOINED))
    finding = strict_causality(dataclasses.replace(case, static=told))
    assert finding.status is Status.PASS
    assert "over document boundaries" in finding.summary
    assert told.neighbours[0].evidence in finding.evidence
