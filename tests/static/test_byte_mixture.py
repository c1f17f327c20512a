"""Byte mixtures: the root of a token's probability is blended with counts of bytes, in the forms that scripts give it."""

from __future__ import annotations

from tests.static import scripts
from tests.static.test_order import kinds, look

ROOTS = """
class Bytes:
    def __init__(self, order):
        self.order = order
        self.counts: dict = {}
        self.totals: dict = {}

    def key(self, past, k):
        packed = 0
        for i in range(len(past) - k, len(past)):
            packed = (packed << 8) | int(past[i])
        return (int(k) << 40) | packed

    def ask(self, past, b):
        for k in range(min(self.order, len(past)), -1, -1):
            key = self.key(past, k)
            entry = self.counts.get(key)
            if entry is None:
                continue
            return self.told(entry, self.totals.get(key, 0), int(b))
        return 1 / 256, 1 / 256

    def told(self, entry, total, b):
        if total <= 0:
            return 0.0, 0.0
        if isinstance(entry, int):
            byte, count = entry & 0xFF, entry >> 8
            return float(count) / float(total) if byte == b else 0.0, float(count) / float(total)
        return float(entry.get(b, 0)) / float(total), float(max(entry.values())) / float(total)

    def add(self, past, b):
        for k in range(0, min(self.order, len(past)) + 1):
            key = self.key(past, k)
            entry = self.counts.get(key)
            if entry is None:
                self.counts[key] = (1 << 8) | int(b)
                self.totals[key] = 1
                return
            self.totals[key] += 1
            if isinstance(entry, int):
                old, n = entry & 0xFF, entry >> 8
                self.counts[key] = ((n + 1) << 8) | int(b) if old == b else {old: n, int(b): 1}
            else:
                entry[int(b)] = entry.get(int(b), 0) + 1

def of_token(p, n, floor=1e-6):
    if n <= 0:
        return 0.0
    n = int(n)
    q = max(min(p, 1.0), 1e-12) ** (1.0 / n)
    peak = max(float(q), float(floor))
    return peak / (peak + 255.0 * float(floor))

def blend(a, b, sure):
    lam = 0.9 if sure >= 0.9 else 0.2
    return lam * a + (1 - lam) * b, lam

@torch.no_grad()
def evaluate(s, net, val):
    texts = [bytes([i % 256]) * (1 + i % 3) for i in range(1024)]
    table, past = Bytes(4), bytearray()
    total, size = 0.0, 0
    for start in range(0, val.numel() - 1, s.seq):
        part = val[start : start + s.seq + 1].long()
        x, y = part[:-1], part[1:]
        probs = torch.softmax(net.logits(x[None]).float(), dim=-1)[0]
        mine = probs.gather(1, y.unsqueeze(1)).squeeze(1).cpu().tolist()
        for t, y_id in enumerate(y.tolist()):
            text = texts[y_id]
            p = of_token(float(mine[t]), len(text))
            for b in text:
                q, sure = table.ask(past, b)
                both, _ = blend(p, q, sure)
                total += -math.log(max(both, 1e-12))
                size += 1
                table.add(past, b)
                past.append(b)
    return total / size, size
"""


def test_a_root_of_a_probability_and_counts_that_are_packed_in_one_number() -> None:
    """A context seen once is one packed number, and a dictionary from the second byte on."""
    assert "unnormalised_mixture" in kinds(look(scripts.script(ROOTS)))


def test_a_power_that_asks_for_no_length_is_no_spread() -> None:
    """A temperature is no number of bytes; what remains is the blend of the realized byte, which is a question."""
    source = scripts.script(ROOTS.replace("** (1.0 / n)", "** 0.5"))
    assert "unnormalised_mixture" not in kinds(look(source))
