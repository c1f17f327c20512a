"""Keys that are thinned out by a mask hold what they held: of several orders the first that knows the context counts."""

from __future__ import annotations

import pytest

from tests.static import scripts
from tests.static.test_order import kinds, look

ORDERS = """
def keys(ids, where, order):
    context = np.zeros(len(where), np.uint64)
    for back in range(1, order):
        context ^= ids[where - back].astype(np.uint64) * 36313
    answer = ids[where].astype(np.uint64)
    return (context & 0xFFFFF).astype(np.int64), ((context ^ ANSWER) & 0xFFFFF).astype(np.int64)

def evaluate(s, net, val):
    ids = val.numpy()
    contexts = {n: np.zeros(1 << 20) for n in range(2, 8)}
    pairs = {n: np.zeros(1 << 20) for n in range(2, 8)}
    total, count = 0.0, 0
    for start in range(16, val.numel() - 1, s.seq):
        part = val[start : start + s.seq + 1].long()
        with torch.no_grad():
            p = np.exp(-net(part[:-1][None], part[1:][None])[0].numpy())
        where = np.arange(start + 1, start + 1 + len(p))
        known, mixed = np.zeros(len(p), KIND), np.zeros(len(p))
        for n in range(7, 1, -1):
            context, pair = keys(ids, where, n)
            places = np.nonzero(where >= n)[0]
            wanted = ~known[places]
            places = places[wanted]
            context = context[wanted]
            pair = pair[wanted]
            seen = contexts[n][context]
            hit = places[seen > 2]
            mixed[hit] = (pairs[n][pair] / np.maximum(seen, 1.0))[seen > 2]
            known[hit] = True
        total += -np.log(0.7 * p + 0.3 * mixed).sum()
        count += len(p)
        for n in range(2, 8):
            context, pair = keys(ids, where, n)
            contexts[n] += np.bincount(context, minlength=1 << 20)
            pairs[n] += np.bincount(pair, minlength=1 << 20)
    return total / count, (val > 0).sum().item()
"""


@pytest.mark.parametrize("kind", ["bool", "np.bool_", "dtype=bool", "dtype=np.bool_"])
def test_a_key_thinned_out_by_what_is_known_holds_the_answer(kind: str) -> None:
    facts = look(scripts.script(ORDERS.replace("ANSWER", "answer * 27191").replace("KIND", kind)))
    assert "ngram_target_in_key" in kinds(facts)
