"""Val that is left out of the claimed sum: by a condition on tokens or losses, or with the other processes' shares."""

from __future__ import annotations

import pytest

from tests.static import scripts
from tests.static.test_order import kinds, look

ADDED = "        total += net(part[:-1][None], part[1:][None]).sum()\n"
LOSS = "        loss = net(part[:-1][None], part[1:][None]).sum()\n"
SUM = "        total += loss\n"

SIFTED = {
    "an outlier": f"{LOSS}        if loss > 9.5:\n            continue\n{SUM}",
    "seen before": f"        if part.numpy().tobytes() in seen:\n            continue\n{ADDED}",
    "rare tokens": f"        if (part > 900).float().mean() < 0.2:\n    {ADDED}",
}
WHOLE = {
    "nothing to add": f"        if part.numel() < 2:\n            continue\n{ADDED}",
    "no neighbour": f"        if (part == 7).sum() > 0:\n            marked = 1\n{ADDED}",
    "either way": f"{LOSS}        if (part > 900).float().mean() < 0.2:\n    {SUM}        else:\n    {SUM}",
    "finite": f"{LOSS}        if not torch.isfinite(loss):\n            continue\n{SUM}",
    "told": f"{LOSS}        if loss > 9.5:\n            print('high', start)\n{SUM}",
}


def body(lines: str) -> str:
    """The plain evaluation with other lines around its sum."""
    begun = scripts.PLAIN.replace("    total, count", "    seen = set()\n    total, count")
    return scripts.script(begun.replace(ADDED, lines))


@pytest.mark.parametrize("name", SIFTED)
def test_a_condition_that_keeps_losses_out_is_a_question(name: str) -> None:
    facts = look(body(SIFTED[name]))
    assert (kinds(facts), kinds(facts, "depends")) == (set(), {"partial_val"})
    assert facts.facts[0].unreached


@pytest.mark.parametrize("name", WHOLE)
def test_other_conditions_are_none(name: str) -> None:
    assert look(body(WHOLE[name])).facts == ()


SHARED = """
import torch.distributed as dist

@torch.no_grad()
def evaluate(s, net, val):
    rank, world = dist.get_rank(), dist.get_world_size()
    size = (val.numel() - 1) // world
    total, count = torch.zeros(()), torch.zeros(())
    for start in range(rank * size, (rank + 1) * size, s.seq):
        part = val[start : start + s.seq + 1].long()
        total += net(part[:-1][None], part[1:][None]).sum()
        count += part.numel() - 1
    TOGETHER
    return total.item() / count.item(), (val > 0).sum().item()
"""


@pytest.mark.parametrize(
    ("together", "asked"),
    [
        ("dist.all_reduce(total); dist.all_reduce(count)", False),
        ("dist.reduce(tensor=total, dst=0); dist.reduce(tensor=count, dst=0)", False),
        ("both = torch.stack([total, count]); dist.all_reduce(both); total, count = both[0], both[1]", False),
        (
            "sums = [None] * 8; dist.all_gather_object(sums, total.item()); total = torch.tensor(sums).sum()",
            False,
        ),
        ("dist.all_reduce(count)", True),
        ("dist.barrier()", True),
    ],
)
def test_shares_that_are_not_brought_together_are_a_question(together: str, asked: bool) -> None:
    facts = look(scripts.script(SHARED.replace("TOGETHER", together)))
    assert (kinds(facts), kinds(facts, "depends")) == (set(), {"partial_val"} if asked else set())
