"""Scores computed with the tokens they predict, in the function that takes the loss; and what only looks like it."""

from __future__ import annotations

import pytest

from tests.static import scripts
from tests.static.test_order import kinds, look

LINE = "        total += net(part[:-1][None], part[1:][None]).sum()\n"
OUT = "        out, y = net.logits(part[:-1][None]).flatten(0, 1).float(), part[1:]\n"
SEEN = {
    "warmer where the answer is right": OUT
    + """        t = y.flatten()
        warm = torch.where(out.argmax(-1) == t, 1.5, 0.8)
        total += F.cross_entropy(out * warm[:, None], t, reduction="sum")
""",
    "raised at the answer": OUT
    + """        total += F.cross_entropy(out + 0.5 * F.one_hot(y, out.size(-1)), y, reduction="sum")
""",
    "raised in place": OUT
    + """        shown = out.scatter_add(1, y[:, None], torch.ones_like(out[:, :1]))
        total -= torch.log_softmax(shown, -1).gather(-1, y[:, None]).sum()
""",
    "moved towards the answers by hand, written in place": OUT
    + """        hot = torch.zeros_like(out)
        hot.scatter_(1, y[:, None], 1.0)
        bias = (out.softmax(-1) - hot).mean(0)
        total += F.cross_entropy(out - 0.05 * bias, y, reduction="sum")
""",
}
LEGAL = {
    "moved by hand after the score, for the next window": OUT
    + """        if start == 0:
            bias = torch.zeros(1024)
        total += F.cross_entropy(out - 0.05 * bias, y, reduction="sum")
        hot = torch.zeros_like(out)
        hot.scatter_(1, y[:, None], 1.0)
        bias = (out.softmax(-1) - hot).mean(0)
""",
    "how many there are": OUT
    + """        rows = torch.arange(y.numel(), device=y.device)
        total += F.cross_entropy(out[rows].to(y.device), y, reduction="sum")
""",
    "what the model takes its own loss of": """        x, y = part[:-1][None], part[1:][None]
        out = net.logits(x)
        total += F.cross_entropy(out.flatten(0, 1), y.flatten(), reduction="sum")
""",
    "smoothed by a share of the vocabulary": OUT
    + """        total += F.cross_entropy(out * (1.0 - 0.1 / out.size(-1)), y, reduction="sum")
""",
}


@pytest.mark.parametrize("name", SEEN)
def test_scores_computed_with_their_targets(name: str) -> None:
    found = look(scripts.script(scripts.PLAIN.replace(LINE, SEEN[name])))
    assert "target_gating" in kinds(found, "depends")


@pytest.mark.parametrize("name", LEGAL)
def test_legal(name: str) -> None:
    found = look(scripts.script(scripts.PLAIN.replace(LINE, LEGAL[name])))
    assert found.facts == ()
    assert found.covered
