"""Small scripts in the challenge's form, whole enough to be followed from the loader to the printed score."""

from __future__ import annotations

HEAD = '''
import glob, math, os, time
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

class Settings:
    data = os.environ.get("DATA_PATH", "./data/fineweb10B")
    train_files = os.path.join(data, "fineweb_train_*.bin")
    val_files = os.path.join(data, "fineweb_val_*.bin")
    adapt = bool(int(os.environ.get("ADAPT", "{adapt}")))
    epochs = int(os.environ.get("EPOCHS", "2"))
    seq = 1024
    limit_s = {limit}

def read_shard(path):
    return torch.from_numpy(np.fromfile(path, dtype="<u2", offset=1024).astype(np.int32))

def read_all(pattern):
    return torch.cat([read_shard(p) for p in sorted(glob.glob(pattern))])

class Attention(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.qkv = nn.Linear(width, 3 * width)

    def forward(self, x):
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)

class Pairs(nn.Module):
    """A table of hashed pairs of input tokens."""
    def __init__(self, rows, width):
        super().__init__()
        self.rows = rows
        self.table = nn.Embedding(rows, width)

    def forward(self, ids):
        hashed = torch.zeros_like(ids)
        hashed[..., 1:] = torch.bitwise_xor(36313 * ids[..., 1:], 27191 * ids[..., :-1]) % self.rows
        return self.table(hashed)

class Net(nn.Module):
    def __init__(self, vocab, width):
        super().__init__()
        self.embed = nn.Embedding(vocab, width)
        self.pairs = Pairs(4096, width)
        self.blocks = nn.ModuleList([Attention(width) for _ in range(4)])
        self.head = nn.Linear(width, vocab, bias=False)

    def logits(self, ids):
        x = self.embed(ids) + self.pairs(ids)
        for block in self.blocks:
            x = x + block(x)
        return self.head(x)

    def forward(self, ids, targets):
        out = self.logits(ids)
        return F.cross_entropy(out.flatten(0, 1).float(), targets.flatten(), reduction="none")

def fit(s, net):
    tokens = read_all(s.train_files)
    opt = torch.optim.AdamW(net.parameters(), lr=1e-3)
    started = time.perf_counter()
    step = 0
    while True:
        if time.perf_counter() - started >= s.limit_s:
            break
        batch = tokens[step * s.seq : (step + 1) * s.seq + 1].long()
        loss = net(batch[:-1][None], batch[1:][None]).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        step += 1
'''

TAIL = """
def main():
    s = Settings()
    net = Net(1024, 64)
    fit(s, net)
    val = read_all(s.val_files)
    loss, size = evaluate(s, net, val)
    print(f"final val_loss:{loss:.4f} val_bpb:{loss / math.log(2) / size:.4f}")

if __name__ == "__main__":
    main()
"""

PLAIN = """
@torch.no_grad()
def evaluate(s, net, val):
    total, count = torch.zeros(()), 0
    for start in range(0, val.numel() - 1, s.seq):
        part = val[start : start + s.seq + 1].long()
        total += net(part[:-1][None], part[1:][None]).sum()
        count += part.numel() - 1
    return total.item() / count, (val > 0).sum().item()
"""

BEFORE = """
def tune(s, net, val):
    opt = torch.optim.SGD(net.parameters(), lr=1e-3)
    for _ in range(s.epochs):
        for start in range(0, val.numel() - 1, s.seq):
            part = val[start : start + s.seq + 1].long()
            opt.zero_grad()
            net(part[:-1][None], part[1:][None]).mean().backward()
            opt.step()
""" + PLAIN.replace(
    "    total, count",
    "    if s.adapt:\n        with torch.enable_grad():\n            tune(s, net, val)\n    total, count",
)

SCORE_FIRST = """
def evaluate(s, net, val):
    opt = torch.optim.SGD(net.parameters(), lr=1e-3)
    total, count = torch.zeros(()), 0
    for start in range(0, val.numel() - 1, s.seq):
        part = val[start : start + s.seq + 1].long()
        x, y = part[:-1][None], part[1:][None]
        with torch.no_grad():
            total += net(x, y).sum()
        count += y.numel()
        for _ in range(s.epochs):
            opt.zero_grad()
            net(x, y).mean().backward()
            opt.step()
    return total.item() / count, (val > 0).sum().item()
"""

TRAIN_FIRST = SCORE_FIRST.replace(
    """        with torch.no_grad():
            total += net(x, y).sum()
        count += y.numel()
""",
    "",
).replace(
    "            opt.step()\n    return",
    """            opt.step()
        with torch.no_grad():
            total += net(x, y).sum()
        count += y.numel()
    return""",
)

LAST_EPOCH = """
def evaluate(s, net, val):
    opt = torch.optim.SGD(net.parameters(), lr=1e-3)
    total, count = torch.zeros(()), 0
    for start in range(0, val.numel() - 1, s.seq):
        part = val[start : start + s.seq + 1].long()
        x, y = part[:-1][None], part[1:][None]
        for epoch in range(s.epochs):
            losses = net(x, y)
            if epoch == s.epochs - 1:
                total += losses.detach().sum()
            opt.zero_grad()
            losses.mean().backward()
            opt.step()
        count += y.numel()
    return total.item() / count, (val > 0).sum().item()
"""

FIRST_EPOCH = LAST_EPOCH.replace("if epoch == s.epochs - 1:", "if epoch == 0:")

TWICE = (
    SCORE_FIRST.replace("def evaluate", "def one_pass")
    + """
def evaluate(s, net, val):
    one_pass(s, net, val)
    return one_pass(s, net, val)
"""
)

MINIMUM = """
def evaluate(s, net, val):
    opt = torch.optim.SGD(net.parameters(), lr=1e-3)
    total, count = torch.zeros(()), 0
    for start in range(0, val.numel() - 1, s.seq):
        part = val[start : start + s.seq + 1].long()
        x, y = part[:-1][None], part[1:][None]
        best = torch.full((1, s.seq), float("inf"))
        for epoch in range(s.epochs):
            losses = net(x, y)
            best = torch.minimum(best, losses.detach())
            opt.zero_grad()
            losses.mean().backward()
            opt.step()
        total += best.sum()
        count += y.numel()
    return total.item() / count, (val > 0).sum().item()
"""

SLOT = """
def evaluate(s, net, val):
    total, count = torch.zeros(()), 0
    for start in range(0, val.numel() - 1, s.seq):
        part = val[start : start + s.seq + 1].long()
        x, y = part[:-1][None], part[1:][None]
        out = net.logits(x).detach()
        shift = torch.zeros(1, 1, 1024, requires_grad=True)
        opt = torch.optim.AdamW([shift], lr=1e-2)
        for _ in range(8):
            opt.zero_grad()
            F.cross_entropy((out + shift).flatten(0, 1), y.flatten()).backward()
            opt.step()
        total += F.cross_entropy((out + shift).flatten(0, 1), y.flatten(), reduction="sum").detach()
        count += y.numel()
    return total.item() / count, (val > 0).sum().item()
"""

LORA_AFTER = """
class Adapter(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.down = nn.Parameter(torch.randn(width, 4))
        self.up = nn.Parameter(torch.zeros(4, 1024))

    def forward(self, x):
        return x @ self.down @ self.up

def evaluate(s, net, val):
    total, count = torch.zeros(()), 0
    for document in range(0, val.numel() - 1, 8 * s.seq):
        adapter = Adapter(1024)
        opt = torch.optim.Adam(adapter.parameters(), lr=1e-2)
        for start in range(document, min(document + 8 * s.seq, val.numel() - 1), s.seq):
            part = val[start : start + s.seq + 1].long()
            x, y = part[:-1][None], part[1:][None]
            out = net.logits(x)
            losses = F.cross_entropy((out + adapter(out)).flatten(0, 1), y.flatten(), reduction="none")
            total += losses.detach().sum()
            count += y.numel()
            opt.zero_grad()
            losses.mean().backward()
            opt.step()
    return total.item() / count, (val > 0).sum().item()
"""

CACHE = """
@torch.no_grad()
def evaluate(s, net, val):
    context_counts = np.zeros(1 << 20)
    pair_counts = np.zeros(1 << 20)
    ids = val.numpy()
    total, count = 0.0, 0
    for start in range(0, val.numel() - 1, s.seq):
        part = val[start : start + s.seq + 1].long()
        x, y = part[:-1][None], part[1:][None]
        p = np.exp(-net(x, y)[0].numpy())
        where = np.arange(start + 1, start + 1 + y.numel())
        context = (ids[where - 1].astype(np.uint64) * 36313) & 0xFFFFF
        key = {key}
        seen = context_counts[context]
        guess = pair_counts[key] / np.maximum(seen, 1)
        mixed = np.where(seen > 1, 0.7 * p + 0.3 * guess, p)
        total += -np.log(mixed).sum()
        count += y.numel()
        np.add.at(context_counts, context, 1)
        np.add.at(pair_counts, key, 1)
    return total / count, (val > 0).sum().item()
"""

TARGET_IN_KEY = CACHE.replace("{key}", "(context ^ (ids[where].astype(np.uint64) * 27191)) & 0xFFFFF")

FULL_ROWS = """
@torch.no_grad()
def evaluate(s, net, val):
    counts = torch.zeros(1024, 1024)
    total, count = torch.zeros(()), 0
    for start in range(0, val.numel() - 1, s.seq):
        part = val[start : start + s.seq + 1].long()
        x, y = part[:-1], part[1:]
        p = F.softmax(net.logits(x[None])[0].float(), dim=-1)
        rows = counts[x] + 0.01
        rows = rows / rows.sum(-1, keepdim=True)
        mixed = 0.8 * p + 0.2 * rows
        total -= mixed.gather(-1, y[:, None]).log().sum()
        count += y.numel()
        counts.index_put_((x, y), torch.ones(y.numel()), accumulate=True)
    return total.item() / count, (val > 0).sum().item()
"""

ORACLE = FULL_ROWS.replace(
    """        mixed = 0.8 * p + 0.2 * rows
        total -= mixed.gather(-1, y[:, None]).log().sum()
""",
    """        model_nll = -p.gather(-1, y[:, None]).log()
        table_nll = -rows.gather(-1, y[:, None]).log()
        total += torch.minimum(model_nll, table_nll).sum()
""",
)

COUNTED_HELP = FULL_ROWS.replace(
    """        mixed = 0.8 * p + 0.2 * rows
        total -= mixed.gather(-1, y[:, None]).log().sum()
""",
    """        mixed = 0.8 * p + 0.2 * rows
        for t in range(y.numel()):
            alone = -math.log(p[t, y[t]].item())
            together = alone
            if counts[x[t]].sum() > 0:
                together = -math.log(mixed[t, y[t]].item())
                if together < alone:
                    helped += 1
            total += together
""",
).replace("total, count = torch.zeros(()), 0", "total, count, helped = torch.zeros(()), 0, 0")

KEPT_LOWER = COUNTED_HELP.replace(
    """                    helped += 1
            total += together""",
    """                    alone = together
            total += alone""",
)

STABLE_SUM = FULL_ROWS.replace(
    """        mixed = 0.8 * p + 0.2 * rows
        total -= mixed.gather(-1, y[:, None]).log().sum()
""",
    """        a = p.gather(-1, y[:, None]).log() + math.log(0.8)
        b = rows.gather(-1, y[:, None]).log() + math.log(0.2)
        total -= (torch.maximum(a, b) + torch.log1p(torch.exp(-(a - b).abs()))).sum()
""",
)

CALIBRATED = (
    PLAIN
    + """
def calibrate(s, net):
    tokens = read_all(s.train_files)
    for start in range(0, 64 * s.seq, s.seq):
        net.logits(tokens[start : start + s.seq].long()[None])

def quantize(net):
    net.load_state_dict({name: p.round() for name, p in net.state_dict().items()})
"""
)

TEMPERED = CALIBRATED.replace(
    """        net.logits(tokens[start : start + s.seq].long()[None])
""",
    """        part = tokens[start : start + s.seq + 1].long()
        logits = net.logits(part[:-1][None])[0]
        for t in (0.9, 1.0, 1.1):
            loss = F.cross_entropy(logits / t, part[1:]).item()
            if loss < best:
                best, s.temperature = loss, t
""",
).replace("    tokens = read_all(s.train_files)\n", "    tokens, best = read_all(s.train_files), math.inf\n")

HOOKED = CALIBRATED.replace(
    """        net.logits(tokens[start : start + s.seq].long()[None])
""",
    """        part = tokens[start : start + s.seq + 1].long()
        net(part[:-1][None], part[1:][None])
""",
).replace(
    "    tokens = read_all(s.train_files)\n",
    "    tokens, seen = read_all(s.train_files), []\n"
    "    net.register_forward_hook(lambda module, given, made: seen.append(given[0]))\n",
)

GOVERNED = """
class Governed(Net):
    def __init__(self, vocab, width):
        super().__init__(vocab, width)
        self.share = nn.Parameter(torch.ones(()), requires_grad=False)

    def logits(self, ids):
        if self.training:
            self.share.copy_(ids.float().mean())
        return super().logits(ids) * self.share
""" + PLAIN.replace("    total, count", "    net.eval()\n    total, count", 1)


def script(body: str, *, adapt: int = 1, limit: str = "600.0", tail: str = TAIL) -> str:
    """A whole script around one way of evaluating."""
    return HEAD.replace("{adapt}", str(adapt)).replace("{limit}", limit) + body + tail
