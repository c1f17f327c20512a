"""What looks like a violation and is none: honest scripts that the static witness once failed, and wrong reasons."""

from __future__ import annotations

import pytest

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


PREFILLED = """
class Rows:
    def __init__(self):
        self.counts = np.zeros((1024, 1024))

    def learn(self, ids, begin, end):
        np.add.at(self.counts, (ids[begin:end], ids[begin + 1 : end + 1]), 1)

    def given(self, before):
        rows = self.counts[before] + 0.01
        return rows / rows.sum(-1, keepdims=True)

@torch.no_grad()
def evaluate(s, net, val):
    total_tokens, stride, ids = val.numel() - 1, 64, val.numpy()
    starts = [at for at in range(0, total_tokens, stride) if min(at + s.seq, total_tokens) - at >= 1]
    rank, world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    mine = starts[len(starts) * rank // world : len(starts) * (rank + 1) // world]
    rows = Rows()
    before = mine[0]
    for at in range(0, before, 65536):
        rows.learn(ids, at, min(at + 65536, before))
    total, count = 0.0, 0
    for at in mine:
        size = min(s.seq, total_tokens - at)
        known = 0 if at == 0 else max(size - stride, 0)
        p = F.softmax(net.logits(val[at : at + size].long()[None])[0].float(), dim=-1).numpy()
        mixed = 0.8 * p[known:size] + 0.2 * rows.given(ids[at + known : at + size])
        total -= np.log(mixed[np.arange(size - known), ids[at + known + 1 : at + size + 1]]).sum()
        count += size - known
        rows.learn(ids, at + known, at + size)
    both = torch.tensor([total, count])
    torch.distributed.all_reduce(both)
    return both[0].item() / both[1].item(), (val > 0).sum().item()
"""


def test_a_table_filled_with_what_other_processes_score_first_is_in_doubt() -> None:
    facts = look(scripts.script(PREFILLED))
    assert kinds(facts) == set()
    assert kinds(facts, "depends") == {"train_on_val_before_score"}
    everything = PREFILLED.replace("before = mine[0]", "before = total_tokens")
    assert kinds(look(scripts.script(everything))) == {"train_on_val_before_score"}


TOLD = """
class Told(Net):
    def __init__(self, vocab, width):
        super().__init__(vocab, width)
        self.scale = nn.Parameter(torch.ones(width))
        self.register_buffer("rate", torch.ones(()))

    def logits(self, ids):
        x = (self.embed(ids) + self.pairs(ids)) * self.scale
        for block in self.blocks:
            x = x + block(x)
        self.rate.copy_(x.detach().abs().mean())
        return self.head(x)

    def told(self):
        return self.rate.item()

@torch.no_grad()
def once(s, net, val):
    total, count = torch.zeros(()), 0
    for start in range(0, val.numel() - 1, s.seq):
        part = val[start : start + s.seq + 1].long()
        total += net(part[:-1][None], part[1:][None]).sum()
        count += part.numel() - 1
    print(f"rate {net.told():.3f}")
    return total.item() / count, (val > 0).sum().item()

def evaluate(s, net, val):
    once(s, net, val)
    return once(s, net, val)
"""


def test_a_buffer_reaches_those_who_read_it() -> None:
    tail = scripts.TAIL.replace("net = Net(", "net = Told(")
    assert look(scripts.script(TOLD, tail=tail)).facts == ()
    used = TOLD.replace("* self.scale\n", "* self.scale / self.rate\n")
    assert kinds(look(scripts.script(used, tail=tail))) == {"val_calibration"}
    stored = TOLD.replace("* self.scale\n", "* self.scale / self.rate\n").replace(
        "    once(s, net, val)\n    return",
        "    twin = Told(1024, 64)\n    once(s, twin, val)\n    net.load_state_dict(twin.state_dict())\n    return",
    )
    assert kinds(look(scripts.script(stored, tail=tail))) == {"val_calibration"}


NEIGHBOURS = """
class Near:
    def __init__(self, width):
        self.keys = torch.empty(50000, width)
        self.next = torch.empty(50000, dtype=torch.long)
        self.n = 0

    def add(self, hidden, answers):
        m = min(len(hidden), 50000 - self.n)
        if m > 0:
            self.keys[self.n : self.n + m] = hidden[:m]
            self.next[self.n : self.n + m] = answers[:m]
            self.n += m

    def predict(self, hidden):
        out = torch.zeros(len(hidden), 1024)
        if self.n < 1:
            return out
        far = torch.cdist(hidden, self.keys[: self.n])
        _, at = far.topk(min(8, self.n), dim=1, largest=False)
        weights = F.softmax(-far.gather(1, at), dim=1)
        out.scatter_add_(1, self.next[: self.n][at], weights)
        return out

@torch.no_grad()
def evaluate(s, net, val):
    near = Near(1024)
    total, count = torch.zeros(()), 0
    for start in range(0, val.numel() - 1, s.seq):
        part = val[start : start + s.seq + 1].long()
        x, y = part[:-1], part[1:]
        hidden = net.logits(x[None])[0].float()
        p = F.softmax(hidden, dim=-1)
        found = near.predict(hidden)
        has = found.sum(-1, keepdim=True) > 0
        p = torch.where(has, 0.9 * p + 0.1 * found, p)
        total -= p.gather(-1, y[:, None]).log().sum()
        count += y.numel()
        near.add(hidden, y)
    return total.item() / count, (val > 0).sum().item()
"""


def test_the_neighbours_that_a_model_points_to_are_no_answer() -> None:
    assert look(scripts.script(NEIGHBOURS)).facts == ()
    after = NEIGHBOURS.replace(
        """        p = torch.where(has, 0.9 * p + 0.1 * found, p)
        total -= p.gather(-1, y[:, None]).log().sum()
""",
        """        nll = F.cross_entropy(hidden, y, reduction="none")
        other = found.gather(-1, y[:, None])[:, 0]
        total -= torch.where(has[:, 0], 0.9 * (-nll).exp() + 0.1 * other, (-nll).exp()).log().sum()
""",
    )
    facts = look(scripts.script(after))
    assert kinds(facts) == set()
    assert kinds(facts, "depends") == {"unnormalised_mixture"}


BESIDE = """
def evaluate(s, net, val):
    total, count, stride = torch.zeros(()), 0, 64
    starts = list(range(0, val.numel() - 1, stride))
    for b in range(0, len(starts), 32):
        rows = starts[b : b + 32]
        x = torch.zeros(len(rows), s.seq, dtype=torch.int64)
        y = torch.zeros(len(rows), s.seq, dtype=torch.int64)
        mask = torch.zeros(len(rows), s.seq)
        sizes = []
        for i, ws in enumerate(rows):
            end = min(ws + s.seq, val.numel() - 1)
            size = end - ws
            sizes.append(size)
            part = val[ws : end + 1].long()
            x[i, :size] = part[:-1]
            y[i, :size] = part[1:]
            known = 0 if ws == 0 else max(size - stride, 0)
            mask[i, :known] = 1.0
        out = net.logits(x).detach()
        shift = torch.zeros(len(rows), 1, 1024, requires_grad=True)
        opt = torch.optim.AdamW([shift], lr=1e-2)
        for _ in range(8):
            opt.zero_grad()
            each = F.cross_entropy((out + shift).flatten(0, 1), y.flatten(), reduction="none").view(len(rows), s.seq)
            ((each * mask).sum() / mask.sum().clamp(min=1)).backward()
            opt.step()
        losses = F.cross_entropy((out + shift).flatten(0, 1), y.flatten(), reduction="none").view(len(rows), s.seq).detach()
        for i, ws in enumerate(rows):
            known = 0 if ws == 0 else max(sizes[i] - stride, 0)
            total += losses[i, known : sizes[i]].sum()
            count += sizes[i] - known
    return total.item() / count, (val > 0).sum().item()
"""

CONTEXT = """
def evaluate(s, net, val):
    total, count, stride = torch.zeros(()), 0, 64
    opt = torch.optim.SGD(net.parameters(), lr=1e-3)
    for start in range(0, val.numel() - 1 - s.seq, stride):
        part = val[start : start + s.seq + 1].long()
        x, y = part[:-1][None], part[1:][None]
        known = s.seq - stride if start else 0
        if known:
            opt.zero_grad()
            net(x[:, :known], y[:, :known]).mean().backward()
            opt.step()
        with torch.no_grad():
            losses = net(x, y)
        total += losses[:, known:].sum()
        count += s.seq - known
    return total.item() / count, (val > 0).sum().item()
"""


def test_a_tensor_optimized_on_the_beginning_of_a_window_is_in_doubt() -> None:
    facts = look(scripts.script(BESIDE))
    assert kinds(facts) == set()
    assert kinds(facts, "depends") == {"slot"}
    own = BESIDE.replace("mask[i, :known] = 1.0", "mask[i, known:size] = 1.0")
    assert kinds(look(scripts.script(own))) == {"slot"}
    whole = BESIDE.replace("mask[i, :known] = 1.0", "mask[i, :size] = 1.0").replace(
        " : sizes[i]]", " : size]"
    )
    assert kinds(look(scripts.script(whole))) == {"slot"}


def test_a_model_trained_on_the_beginning_of_a_window_is_in_doubt() -> None:
    facts = look(scripts.script(CONTEXT))
    assert kinds(facts) == set()
    assert kinds(facts, "depends") == {"train_on_val_before_score"}
    for part in ("x, y", "x[:, : s.seq - 1], y[:, : s.seq - 1]"):
        whole = CONTEXT.replace("net(x[:, :known], y[:, :known])", f"net({part})")
        assert kinds(look(scripts.script(whole))) == {"train_on_val_before_score"}


def test_training_is_told_before_counting() -> None:
    tuned = scripts.BEFORE[: scripts.BEFORE.index("@torch.no_grad()")] + PREFILLED.replace(
        "before = mine[0]", "before = total_tokens"
    ).replace(
        "    total, count = 0.0, 0\n",
        "    with torch.enable_grad():\n        tune(s, net, val)\n    total, count = 0.0, 0\n",
    )
    facts = look(scripts.script(tuned)).certain("train_on_val_before_score")
    assert len(facts) == 2
    assert facts[0].path[0].snippet == "opt.step()"


BIASED = """
def evaluate(s, net, val):
    came, thought = np.zeros(1024), np.zeros(1024)
    total, count = 0.0, 0
    for start in range(0, val.numel() - 1, s.seq):
        part = val[start : start + s.seq + 1].long()
        x, y = part[:-1][None], part[1:]
        lift = torch.from_numpy(np.log((came + 50.0) / (thought + 50.0)))
        with torch.no_grad():
            p = torch.softmax(net.logits(x)[0] + lift, dim=-1)
        total += -torch.log(p[torch.arange(len(y)), y]).sum().item()
        count += y.numel()
        came = came + np.bincount(y.numpy(), minlength=1024)
        thought = thought + p.sum(0).numpy()
    return total / count, (val > 0).sum().item()
"""


def test_a_model_whose_scores_counts_have_lifted_is_no_table() -> None:
    assert kinds(look(scripts.script(BIASED))) == set()
    ahead = BIASED.replace(
        "        lift =", "        came = came + np.bincount(y.numpy(), minlength=1024)\n        lift ="
    )
    assert kinds(look(scripts.script(ahead))) != set()


def test_columns_of_a_list_of_rows_are_followed() -> None:
    body = scripts.PLAIN.replace("    total, count = torch.zeros(()), 0\n", "    rows = []\n", 1)
    body = body.replace("        total += net(part[:-1][None], part[1:][None]).sum()\n", "", 1)
    row = "        rows.append((net(part[:-1][None], part[1:][None]).sum().item(), part.numel() - 1))\n"
    body = body.replace("        count += part.numel() - 1\n", row, 1)
    for ending in (
        "total, count = [math.fsum(c) for c in zip(*rows)]",
        "total, count = map(sum, zip(*rows))",
    ):
        found = look(
            scripts.script(
                body.replace("    return total.item() / count", f"    {ending}\n    return total / count")
            )
        )
        assert found.score_followed
        assert kinds(found) == set()


MASKED = """
@torch.no_grad()
def evaluate(s, net, val):
    n = val.numel() - 1
    sums, counts = torch.zeros(n), torch.zeros(n)
    for p in range(0, n, s.seq):
        x, y = val[p : p + s.seq][None].long(), val[p + 1 : p + s.seq + 1][None].long()
        losses = net(x, y)
        at = torch.arange(p, p + s.seq)
        sums[at] += losses[0]
        counts[at] += 1
    scored = counts > 0
    avg = torch.zeros_like(sums)
    avg[scored] = sums[scored] / counts[scored]
    ids = val[1 : n + 1].long()
    size = torch.ones(1024)[ids]
    edge = torch.zeros(1024, dtype=torch.bool)[ids]
    size = size + torch.ones(1024)[ids].float()
    size[edge] = 0.0
    valid = scored & (size > 0)
    total = (avg * valid.float()).sum().item()
    return total / scored.sum().item(), size[scored].sum().item()
"""


def test_bytes_that_are_set_to_nothing_at_a_mask_are_no_table() -> None:
    assert kinds(look(scripts.script(MASKED))) == set()


ORDERS = """
class Rows:
    def __init__(self):
        self.two, self.three = torch.ones(1024, 1024), torch.ones(4096, 1024)
        self.twos, self.threes = torch.full((1024,), 1024.0), torch.full((4096,), 1024.0)

    def keys(self, x, before):
        return ((before * 1000003) ^ (x * 1009)) % 4096

    def nll(self, logp, x, y, before):
        at, key = torch.arange(y.numel()), self.keys(x, before)
        costs = torch.zeros(3, y.numel())
        costs[0] = -logp[at, y]
        two = self.two[x] / self.twos[x].unsqueeze(-1)
        costs[1] = -torch.log(two[at, y])
        three = self.three[key] / self.threes[key].unsqueeze(-1)
        costs[2] = -torch.log(three[at, y])
        return -torch.logsumexp(-costs - math.log(3.0), dim=0)

    def learn(self, x, y, before):
        one, key = torch.ones(y.numel()), self.keys(x, before)
        self.two.index_put_((x, y), one, accumulate=True)
        self.twos.scatter_add_(0, x, one)
        self.three.index_put_((key, y), one, accumulate=True)
        self.threes.scatter_add_(0, key, one)

@torch.no_grad()
def evaluate(s, net, val):
    rows, total, count = Rows(), 0.0, 0
    for start in range(0, val.numel() - 1, s.seq):
        part = val[start : start + s.seq + 1].long()
        x, y = part[:-1], part[1:]
        before = val[start - 1 : start - 1 + y.numel()].long()
        total += rows.nll(torch.log_softmax(net.logits(x[None])[0], -1), x, y, before).sum().item()
        count += y.numel()
        rows.learn(x, y, before)
    return total / count, (val > 0).sum().item()
"""


def test_rows_of_two_orders_have_no_answer_in_their_keys() -> None:
    found = look(scripts.script(ORDERS))
    assert found.score_followed
    assert "ngram_target_in_key" not in kinds(found)


EITHER = """
class Shift(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.zeros(64))

    def forward(self, x):
        return x + self.w

def adapted(s, net, val):
    shared = Shift()
    for start in range(0, val.numel() - 1, s.seq):
        part = val[start : start + s.seq + 1].long()
        used = shared if part.numel() == s.seq + 1 else Shift()
        opt = torch.optim.SGD(used.parameters(), lr=1e-3)
        out = net.head(used(net.embed(part[:-1])))
        opt.zero_grad()
        F.cross_entropy(out, part[1:]).backward()
        opt.step()
"""


def test_one_adapter_or_another_is_updated_and_not_the_model_under_it() -> None:
    body = EITHER + scripts.PLAIN.replace(
        "    total, count", "    with torch.enable_grad():\n        adapted(s, net, val)\n    total, count", 1
    )
    assert kinds(look(scripts.script(body))) == set()
    whole = body.replace("used.parameters()", "[*used.parameters(), *net.parameters()]")
    assert kinds(look(scripts.script(whole))) != set()


ECHO = """
@torch.no_grad()
def evaluate(s, net, val):
    total, count = torch.zeros(()), 0
    for start in range(0, val.numel() - 1, s.seq):
        part = val[start : start + s.seq + 1].long()
        x, y = part[:-1][None], part[1:][None]
        out = net.logits(x)
        bias = torch.zeros_like(out)
        for lag in range(1, 4):
            seen = x[:, :-lag].unsqueeze(-1)
            bias[:, lag:, :].scatter_add_(2, seen, torch.ones(1, x.size(1) - lag, 1))
        total += F.cross_entropy((out + bias).flatten(0, 1), y.flatten(), reduction="sum")
        count += y.numel()
    return total.item() / count, (val > 0).sum().item()
"""
COUNTED = """
import collections

@torch.no_grad()
def evaluate(s, net, val):
    after = collections.defaultdict(collections.Counter)
    total, count = torch.zeros(()), 0
    for start in range(0, val.numel() - 1, s.seq):
        part = val[start : start + s.seq + 1].long()
        x, y = part[:-1], part[1:]
        rows = torch.full((y.numel(), 1024), 0.02)
        for r, b in enumerate(x.tolist()):
            for t, c in after[b].items():
                rows[r, t] += c
        p = 0.9 * torch.softmax(net.logits(x[None])[0], -1) + 0.1 * rows / rows.sum(-1, keepdim=True)
        total += F.nll_loss(torch.log(p), y, reduction="sum")
        count += y.numel()
        for b, t in zip(x.tolist(), y.tolist()):
            after[b][t] += 1
    return total.item() / count, (val > 0).sum().item()
"""
PARTIALS = """
import functools

def chunk(s, net, opt, val, total, begin, end):
    part = val[begin : end + 1].long()
    x, y = part[:-1][None], part[1:][None]
    total.add_(net(x, y).sum().detach())
    opt.zero_grad()
    net(x, y).mean().backward()
    opt.step()

def evaluate(s, net, val):
    opt = torch.optim.SGD(net.parameters(), lr=1e-3)
    total, last = torch.zeros(()), val.numel() - 1
    jobs = [
        functools.partial(chunk, s, net, opt, val, total, b, min(b + s.seq, last)) for b in range(0, last, s.seq)
    ]
    for job in jobs:
        job()
    return total.item() / last, (val > 0).sum().item()
"""


@pytest.mark.parametrize("body", [ECHO, COUNTED, PARTIALS], ids=["echo", "counted", "partials"])
def test_what_a_round_makes_for_itself_is_no_table_of_the_others(body: str) -> None:
    facts = look(scripts.script(body))
    assert kinds(facts) == kinds(facts, "depends") == set()


def test_counts_of_the_answers_laid_out_before_the_score_are_found() -> None:
    lines = COUNTED.split("\n")
    update = next(n for n, line in enumerate(lines) if "for b, t in zip" in line)
    moved = lines[update : update + 2]
    del lines[update : update + 2]
    at = next(n for n, line in enumerate(lines) if "rows = torch.full" in line)
    facts = look(scripts.script("\n".join([*lines[:at], *moved, *lines[at:]])))
    assert kinds(facts) | kinds(facts, "depends") != set()


def test_losses_selected_by_a_function_as_by_a_method() -> None:
    by_place = (
        "torch.masked_select(net(part[:-1][None], part[1:][None]), torch.arange(part.numel() - 1) >= 0).sum()"
    )
    body = scripts.PLAIN.replace("net(part[:-1][None], part[1:][None]).sum()", by_place)
    assert body != scripts.PLAIN
    facts = look(scripts.script(body))
    assert kinds(facts) == kinds(facts, "depends") == set()


def test_gradients_that_an_optimizer_of_unknown_parameters_drops_are_gone() -> None:
    monitored = """
def gauge(s, net, val):
    for start in range(0, val.numel() - 1, s.seq):
        part = val[start : start + s.seq + 1].long()
        net(part[:-1][None], part[1:][None]).mean().backward()

def tune(s, net, val):
    chosen = [p for n, p in filter(lambda named: "qkv" in named[0], list(net.state_dict(keep_vars=True).items()))]
    opts = [torch.optim.SGD(net.embed.parameters(), lr=1e-3), torch.optim.SGD(chosen, lr=1e-3)]
    gauge(s, net, val)
    for opt in opts:
        opt.zero_grad()
    tokens = read_all(s.train_files)
    net(tokens[:1024].long()[None], tokens[1:1025].long()[None]).mean().backward()
    for opt in opts:
        opt.step()
"""
    body = monitored + scripts.PLAIN.replace(
        "@torch.no_grad()\ndef evaluate(s, net, val):\n",
        "def evaluate(s, net, val):\n    tune(s, net, val)\n",
    )
    assert kinds(look(scripts.script(body))) == set()


LIKELIEST = """
class Cache:
    def __init__(self):
        self.table = {}

    def learn(self, tokens):
        for order in range(3, 9):
            for i in range(len(tokens) - order):
                key = tuple(tokens[i : i + order])
                if key not in self.table:
                    self.table[key] = {}
                counts = self.table[key]
                counts[tokens[i + order]] = counts.get(tokens[i + order], 0) + 1

    def guess(self, context):
        for order in range(8, 2, -1):
            key = tuple(context[-order:])
            if key in self.table:
                counts = self.table[key]
                best = max(counts, key=counts.get)
                return best, counts[best] / sum(counts.values())
        return None

    def guesses(self, ids, places):
        found = torch.zeros(places.numel(), dtype=torch.bool)
        words, sure = torch.zeros(places.numel(), dtype=torch.long), torch.zeros(places.numel())
        for i in range(places.numel()):
            place = places[i].item()
            guess = self.guess(ids[max(0, place - 8) : place])
            if guess is not None:
                found[i], words[i], sure[i] = True, guess[0], guess[1]
        return found, words, sure

@torch.no_grad()
def evaluate(s, net, val):
    cache, ids, total, count = Cache(), val.tolist(), 0.0, 0
    for start in range(0, val.numel() - 1, s.seq):
        part = val[start : start + s.seq + 1].long()
        x, y = part[:-1], part[1:]
        probs = F.softmax(net.logits(x[None])[0], -1)
        found, words, sure = cache.guesses(ids, torch.arange(start + 1, start + y.numel() + 1))
        if found.any():
            word = torch.zeros(int(found.sum()), 1024)
            word.scatter_(1, WORDS, 1.0)
            share = (sure[found] * 0.3).unsqueeze(1)
            probs[found] = (1.0 - share) * probs[found] + share * word
        total += -torch.log(probs.gather(1, y.unsqueeze(1)).squeeze(1)).sum().item()
        count += y.numel()
        cache.learn(ids[max(0, start - 8) : start + y.numel() + 1])
    return total / count, (val > 0).sum().item()
"""


def test_the_likeliest_token_of_a_context_is_no_answer() -> None:
    found = look(scripts.script(LIKELIEST.replace("WORDS", "words[found].unsqueeze(1)")))
    assert found.score_followed
    assert not kinds(found)


LOOKED_UP_MASK = """
@torch.no_grad()
def evaluate(s, net, val):
    ids = val.numpy().astype(np.int64)
    ctx, full = [np.zeros(4096) for _ in range(8)], [np.zeros(4096) for _ in range(8)]
    total, count = 0.0, 0
    for start in range(8, val.numel() - 1, s.seq):
        x = ids[start - 1 : start - 1 + s.seq]
        y = ids[start : start + s.seq]
        p = F.softmax(net.logits(torch.from_numpy(x)[None])[0], -1)[torch.arange(len(y)), torch.from_numpy(y)].numpy()
        found, best = np.zeros(len(y), dtype=bool), np.zeros(len(y))
        for n in range(7, 0, -1):
            left = np.where(~found)[0]
            place, answer = start + left, y[left]
            key = np.zeros(len(left), dtype=np.int64)
            for k in range(n):
                key ^= ids[place - n + k] * 36313
            counts = ctx[n][key & 4095]
            enough = counts >= 2
            at = left[enough]
            pair = (key[enough] ^ (answer[enough] * FACTOR)) & 4095
            best[at] = full[n][pair] / counts[enough]
            found[at] = True
        p = np.where(found, 0.7 * p + 0.3 * best, p)
        total -= np.log(p).sum()
        count += len(y)
        for n in range(1, 8):
            place, key = start + np.arange(len(y)), np.zeros(len(y), dtype=np.int64)
            for k in range(n):
                key ^= ids[place - n + k] * 36313
            np.add.at(ctx[n], key & 4095, 1)
            np.add.at(full[n], (key ^ (y * FACTOR)) & 4095, 1)
    return total / count, (val > 0).sum().item()
"""


def test_a_key_that_a_looked_up_mask_thins_out_still_holds_the_answer() -> None:
    assert "ngram_target_in_key" in kinds(look(scripts.script(LOOKED_UP_MASK.replace("FACTOR", "27191"))))


def test_rows_of_a_table_of_weights_that_input_tokens_select_are_no_loss() -> None:
    embedded = "        x = self.embed(ids) + self.pairs(ids)\n"
    more = (
        "        wanted = (self.prior.weight.softmax(-1) @ self.embed.weight).index_select(0, ids.reshape(-1))\n"
        "        x = x + self.gate.sigmoid() * wanted.reshape_as(x)\n"
        "        weight = self.certainty[ids].unsqueeze(-1)\n"
        "        x = torch.cumsum(x * weight, dim=1) / torch.cumsum(weight, dim=1)\n"
        "        bias = self.logprior.index_select(0, ids.reshape(-1)).reshape(*ids.shape, -1)\n"
    )
    made = "        self.head = nn.Linear(width, vocab, bias=False)\n"
    parts = (
        "        self.prior = nn.Embedding(vocab, vocab)\n"
        "        self.gate = nn.Parameter(torch.zeros(width))\n"
        "        self.certainty = torch.ones(vocab)\n"
        "        self.logprior = torch.zeros(vocab, vocab)\n"
    )
    script = scripts.script(scripts.PLAIN).replace(embedded, embedded + more).replace(made, made + parts)
    script = script.replace("return self.head(x)", "return self.head(x) + bias")
    assert "bias = " in script
    assert "self.certainty" in script
    assert look(script).facts == ()
