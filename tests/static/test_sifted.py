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


BEST = """
import io
import zlib

def pack(state, clip):
    raw = io.BytesIO()
    torch.save({k: v * clip for k, v in state.items()}, raw)
    return zlib.compress(raw.getvalue())

def unpack(blob):
    return torch.load(io.BytesIO(zlib.decompress(blob)))

def choose(s, net, val):
    state = {k: v.clone() for k, v in net.state_dict().items()}
    best, kept = float("inf"), b""
    for clip in (1.0, 0.98, 0.95, 0.9, 0.85):
        tried = pack(state, clip)
        net.load_state_dict(unpack(tried))
        loss, _ = evaluate(s, net, val)
        if KEEP:
            best, kept = loss, tried
    net.load_state_dict(unpack(kept))
"""
CLIMB = """
def choose(s, net, val):
    best, _ = evaluate(s, net, val)
    for p in net.parameters():
        before = p.data.clone()
        p.data += 0.02 * torch.randn_like(p)
        loss, _ = evaluate(s, net, val)
        if KEEP:
            best = loss
        else:
            p.data.copy_(before)
"""


@pytest.mark.parametrize("way", [BEST, CLIMB])
@pytest.mark.parametrize(("keep", "asked"), [("loss < best", True), ("clock() < 9", False)])
def test_weights_chosen_by_their_loss_on_val_are_a_question(way: str, keep: str, *, asked: bool) -> None:
    tail = scripts.TAIL.replace("    loss, size", "    choose(s, net, val)\n    loss, size")
    facts = look(scripts.script(scripts.PLAIN + way.replace("KEEP", keep), tail=tail))
    assert kinds(facts) == set()
    assert kinds(facts, "depends") == ({"val_calibration"} if asked else set())


def test_a_chunk_s_own_loss_may_undo_its_update() -> None:
    body = scripts.SCORE_FIRST.replace(
        "total += net(x, y).sum()", "scored = net(x, y).sum()\n            total += scored"
    )
    body += "\n"
    undone = body.replace(
        "            opt.step()\n" if "            opt.step()\n" in body else "        opt.step()\n",
        "        opt.step()\n        if scored > 9.5 * y.numel():\n            net.head.weight.data.mul_(0.99)\n",
    )
    assert undone != body
    facts = look(scripts.script(undone))
    assert "val_calibration" not in kinds(facts) | kinds(facts, "depends")


WATCHED = """
class Feed:
    def __init__(self, tokens):
        self.tokens, self.at = tokens, 0

    def take(self, n):
        part = self.tokens[self.at : self.at + n + 1].long()
        self.at += n
        return part[:-1][None], part[1:][None]

def evaluate(s, net, feed):
    x, y = feed.take(65536)
    with torch.no_grad():
        return net(x, y).mean().item(), 2.4

def main():
    s = Settings()
    net = Net(1024, 64)
    train, feed = Feed(read_all(s.train_files)), Feed(read_all(s.val_files))
    opt = torch.optim.AdamW(net.parameters(), lr=1e-3)
    started = time.time()
    for step in range(100000):
        if time.time() - started > s.limit_s:
            break
        TRAINED
        if step % 100 == 0:
            loss, size = evaluate(s, net, feed)
            print(f"final val_loss:{loss:.4f} val_bpb:{loss / math.log(2) / size:.4f}")

main()
"""


@pytest.mark.parametrize("trains", [True, False])
def test_the_clock_of_a_training_loop_does_not_end_the_scoring(trains: bool) -> None:
    step = "net(*train.take(1024)).mean().backward(); opt.step()" if trains else "pass"
    facts = look(scripts.script(WATCHED.replace("TRAINED", step), tail=""))
    clocked = [f for f in facts.facts if "clock" in f.summary]
    assert bool(clocked) is not trains


def test_an_empty_span_of_val_is_passed_over() -> None:
    spans = (
        "        begin, end = int(ends[at - 1]), int(ends[at])\n"
        "        if end <= begin:\n            continue\n"
        "        part = val[begin : end + 1].long()\n"
    )
    body = scripts.PLAIN.replace(
        "    for start in range(0, val.numel() - 1, s.seq):\n        part = val[start : start + s.seq + 1].long()\n",
        "    ends = (val == 1).nonzero().flatten().tolist()\n    for at in range(1, len(ends)):\n" + spans,
    )
    assert spans in body
    assert look(scripts.script(body)).facts == ()
    longest = body.replace("end <= begin", "end - begin > s.seq")
    assert kinds(look(scripts.script(longest)), "depends") == {"partial_val"}


@pytest.mark.parametrize(("adapt", "asked"), [(0, False), (1, True)])
def test_a_share_on_a_way_that_is_not_taken_is_none(adapt: int, asked: bool) -> None:
    begun = "    total, count = torch.zeros(()), 0\n"
    share = (
        "    rank, world = 3, 8\n    if s.adapt:\n        size = val.numel() // world\n"
        "        val = val[rank * size : rank * size + size]\n"
    )
    script = scripts.script(scripts.PLAIN.replace(begun, share + begun), adapt=adapt)
    assert share in script
    assert any("share of val" in f.summary for f in look(script).facts) is asked


@pytest.mark.parametrize("flag", ["stop = True", "pass"])
def test_a_clock_behind_a_flag_ends_the_scoring(flag: str) -> None:
    begun = "    for start in range(0, val.numel() - 1, s.seq):\n"
    clock = (
        "    started, stop = time.time(), False\n"
        f"{begun}"
        f"        if time.time() - started > 550.0:\n            {flag}\n"
        "        if stop:\n            break\n"
    )
    body = scripts.PLAIN.replace(begun, clock)
    assert clock in body
    facts = look(scripts.script(body))
    assert any("clock has passed 550 s" in f.summary for f in facts.facts) is (flag != "pass")
