"""What looks like a violation and is none: honest scripts that the static witness once failed, and wrong reasons."""

from __future__ import annotations

from tests.static import scripts
from tests.static.test_order import kinds, look

DIRICHLET = """
class Orders:
    def __init__(self):
        self.before = [np.zeros(1 << 20) for _ in range(3)]
        self.whole = [np.zeros(1 << 20) for _ in range(3)]

    def keys(self, ids, where, width):
        context = np.zeros(len(where), dtype=np.uint64)
        for k in range(width):
            context ^= ids[where - width + k].astype(np.uint64) * np.uint64(36313 + 2 * k)
        return context & 0xFFFFF, (context ^ (ids[where].astype(np.uint64) * 27191)) & 0xFFFFF

    def blend(self, ids, where, p):
        mixed = p.copy()
        for i in range(3):
            context, key = self.keys(ids, where, i + 1)
            seen = self.before[i][context]
            found = np.minimum(self.whole[i][key], seen)
            known = seen > 0
            if known.any():
                at = np.nonzero(known)[0]
                mixed[at] = (5.0 * mixed[at] + found[known]) / (5.0 + seen[known])
        return mixed

    def learn(self, ids, where):
        for i in range(3):
            context, key = self.keys(ids, where, i + 1)
            np.add.at(self.before[i], context, 1)
            np.add.at(self.whole[i], key, 1)

@torch.no_grad()
def evaluate(s, net, val):
    orders, others, ids = Orders(), Orders(), val.numpy()
    total, count = 0.0, 0
    for start in range(0, val.numel() - 1, s.seq):
        part = val[start : start + s.seq + 1].long()
        x, y = part[:-1][None], part[1:][None]
        p = np.exp(-net(x, y)[0].numpy())
        where = np.arange(start + 1, start + 1 + y.numel())
        total += -np.log(others.blend(ids, where, orders.blend(ids, where, p))).sum()
        count += y.numel()
        orders.learn(ids, where)
        others.learn(ids, where)
    return total / count, (val > 0).sum().item()
"""


def test_a_blend_that_counts_divide_is_no_spread_over_bytes() -> None:
    assert kinds(look(scripts.script(DIRICHLET))) == {"ngram_target_in_key"}
