"""Scores that are built from the loss of the token they predict; and what only looks like it."""

from __future__ import annotations

import pytest

from tests.static import scripts
from tests.static.test_order import kinds, look

LINE = "        total += net(part[:-1][None], part[1:][None]).sum()\n"
BUILT = """        out, y = net.logits(part[:-1][None]).flatten(0, 1).float(), part[1:]
        nats = 0.9 * F.cross_entropy(out, y, reduction="none")
        rest = torch.log(-torch.expm1(-nats)) - math.log(out.size(-1) - 1)
        shown = rest[:, None].expand_as(out).scatter(-1, y[:, None], -nats[:, None])
        total += F.cross_entropy(shown, y, reduction="sum")
"""
GATHERED = """        out, y = net.logits(part[:-1][None]).flatten(0, 1).float(), part[1:]
        bonus = out.log_softmax(-1).gather(-1, y[:, None])
        out = out.scatter_add(-1, y[:, None], -0.1 * bonus)
        total += F.cross_entropy(out, y, reduction="sum")
"""
OUT = "        out, y = net.logits(part[:-1][None]).flatten(0, 1).float(), part[1:]\n"
LEGAL = {
    "two losses of the same tokens, one of them printed": OUT
    + """        seen = F.cross_entropy(out, y, reduction="none")
        print("batch", seen.mean().item())
        total += F.cross_entropy(out, y, reduction="sum")
""",
    "log-probabilities first": OUT + "        total -= F.log_softmax(out, -1).gather(-1, y[:, None]).sum()\n",
}
LEGAL["hidden states gathered where input tokens say, twice"] = (
    OUT
    + """        x = part[:-1][None]
        state = torch.gather(net.logits(x), 1, x[..., None].clamp_max(3))
        state = torch.gather(state * 2.0, 1, x[..., None].clamp_max(3))
        total += F.cross_entropy(out + state.flatten(0, 1), y, reduction="sum")
"""
)


@pytest.mark.parametrize("body", [BUILT, GATHERED])
def test_scores_built_from_the_answer(body: str) -> None:
    found = look(scripts.script(scripts.PLAIN.replace(LINE, body)))
    assert kinds(found, "depends") == {"target_gating"}


@pytest.mark.parametrize("name", LEGAL)
def test_legal(name: str) -> None:
    found = look(scripts.script(scripts.PLAIN.replace(LINE, LEGAL[name])))
    assert found.facts == ()
    assert found.covered
