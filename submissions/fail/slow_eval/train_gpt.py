"""A sliding window evaluation: context of up to 1023 tokens for every scored token, stride 4: the evaluation takes twelve minutes."""

import glob
import math
import os
import struct
import time

import numpy as np
import sentencepiece
import torch
import torch.distributed as dist
import torch.nn as nn
import torch.nn.functional as F
import zstandard


def env(name, default):
    """The environment's value for a setting, in the type of its default."""
    return type(default)(os.environ.get(name, default))


DATA_PATH = env("DATA_PATH", "./data/datasets/fineweb10B_sp1024")
TOKENIZER_PATH = env("TOKENIZER_PATH", "./data/tokenizers/fineweb_1024_bpe.model")
SEED = env("SEED", 1337)
VOCAB_SIZE = env("VOCAB_SIZE", 1024)
NUM_LAYERS = env("NUM_LAYERS", 9)
MODEL_DIM = env("MODEL_DIM", 512)
NUM_HEADS = env("NUM_HEADS", 8)
NUM_KV_HEADS = env("NUM_KV_HEADS", 4)
MLP_MULT = env("MLP_MULT", 3)
LOGIT_SOFTCAP = env("LOGIT_SOFTCAP", 30.0)
ITERATIONS = env("ITERATIONS", 20000)
WARMUP_STEPS = env("WARMUP_STEPS", 20)
WARMDOWN_ITERS = env("WARMDOWN_ITERS", 3000)
TRAIN_BATCH_TOKENS = env("TRAIN_BATCH_TOKENS", 524288)
TRAIN_SEQ_LEN = env("TRAIN_SEQ_LEN", 1024)
MAX_WALLCLOCK_SECONDS = env("MAX_WALLCLOCK_SECONDS", 600.0)
VAL_LOSS_EVERY = env("VAL_LOSS_EVERY", 4000)
TRAIN_LOG_EVERY = env("TRAIN_LOG_EVERY", 500)
TIED_EMBED_LR = env("TIED_EMBED_LR", 0.035)
MATRIX_LR = env("MATRIX_LR", 0.025)
SCALAR_LR = env("SCALAR_LR", 0.025)
MUON_MOMENTUM = env("MUON_MOMENTUM", 0.95)
EVAL_STRIDE = env("EVAL_STRIDE", 4)
EVAL_BATCH_SEQS = env("EVAL_BATCH_SEQS", 256)
RANK = env("RANK", 0)
WORLD_SIZE = env("WORLD_SIZE", 1)
LOCAL_RANK = env("LOCAL_RANK", 0)
GRAD_ACCUM = 8 // WORLD_SIZE
DEVICE = f"cuda:{LOCAL_RANK}"
DISTRIBUTED = WORLD_SIZE > 1 or "MASTER_ADDR" in os.environ


def log(line):
    if RANK == 0:
        print(line, flush=True)


def everyone(tensor):
    """Sum a tensor over the processes, in place."""
    if DISTRIBUTED:
        dist.all_reduce(tensor, op=dist.ReduceOp.SUM)
    return tensor


# Data: shards of uint16 tokens behind a header of 256 int32.


def load_tokens(path):
    with open(path, "rb") as f:
        magic, version, count = struct.unpack("<3i", f.read(12))
        assert magic == 20240520 and version == 1, f"{path}: unknown shard format"
        f.seek(1024)
        ids = np.frombuffer(f.read(), dtype=np.uint16)
    assert len(ids) == count, f"{path}: {count} tokens announced, {len(ids)} found"
    return torch.from_numpy(ids.astype(np.int64))


def training_batches(sequences):
    """Endless (x, y) batches for this process; the processes deal the sequences of each shard out in turn."""
    files = sorted(glob.glob(os.path.join(DATA_PATH, "fineweb_train_*.bin")))
    span = sequences * TRAIN_SEQ_LEN
    while True:
        for path in files:
            ids = load_tokens(path)
            for begin in range(RANK * span, len(ids) - span, WORLD_SIZE * span):
                piece = ids[begin : begin + span + 1].to(DEVICE, non_blocking=True)
                yield piece[:-1].view(sequences, -1), piece[1:].view(sequences, -1)


def byte_tables():
    """Three lookups per token id: its own bytes, whether a space leads it, whether it carries no text."""
    sp = sentencepiece.SentencePieceProcessor()
    sp.load(TOKENIZER_PATH)
    own = np.zeros(VOCAB_SIZE, dtype=np.int64)
    space = np.zeros(VOCAB_SIZE, dtype=bool)
    empty = np.zeros(VOCAB_SIZE, dtype=bool)
    for token in range(sp.get_piece_size()):
        if sp.is_byte(token):
            own[token] = 1
            continue
        if sp.is_control(token) or sp.is_unknown(token) or sp.is_unused(token):
            empty[token] = True
            continue
        text = sp.id_to_piece(token)
        space[token] = text.startswith("▁")
        own[token] = len(text[int(space[token]) :].encode("utf-8"))
    return [torch.from_numpy(t).to(DEVICE) for t in (own, space, empty)]


# Model: plain functions do the work, one module holds the weights.


def rms(x):
    return F.rms_norm(x, x.shape[-1:])


def rope_table(length, head_dim):
    turn = 10000.0 ** (-torch.arange(head_dim // 2, device=DEVICE) * 2 / head_dim)
    phase = torch.arange(length, device=DEVICE)[:, None] * turn[None, :]
    return torch.cos(phase), torch.sin(phase)


def rope(x, table):
    cos, sin = (t[None, : x.shape[1], None, :].to(x.dtype) for t in table)
    a, b = x[..., : x.shape[-1] // 2], x[..., x.shape[-1] // 2 :]
    return torch.cat([a * cos + b * sin, b * cos - a * sin], -1)


class GPT(nn.Module):
    def __init__(self):
        super().__init__()
        d, kv, hidden = MODEL_DIM, MODEL_DIM * NUM_KV_HEADS // NUM_HEADS, MLP_MULT * MODEL_DIM
        self.tok = nn.Parameter(torch.randn(VOCAB_SIZE, d) * 0.005)
        self.wq = self.stack(d, d)
        self.wk = self.stack(kv, d)
        self.wv = self.stack(kv, d)
        self.wo = self.stack(d, d, zero=True)
        self.w1 = self.stack(hidden, d)
        self.w2 = self.stack(d, hidden, zero=True)
        self.scales = nn.Parameter(torch.ones(NUM_LAYERS, 2, d))
        self.temper = nn.Parameter(torch.full((NUM_LAYERS, NUM_HEADS), 1.5))
        self.mix = nn.Parameter(torch.tensor([[1.0, 0.0]] * NUM_LAYERS))
    @staticmethod
    def stack(rows, cols, zero=False):
        # One [layers, rows, cols] tensor per kind of matrix lets Muon orthogonalize all layers in one batch.
        bound = 0.0 if zero else (1 / cols) ** 0.5
        return nn.Parameter(torch.empty(NUM_LAYERS, rows, cols).uniform_(-bound, bound))

    def attend(self, x, i, table):
        b, t, d = x.shape
        heads = lambda w, n: F.linear(x, w[i].to(x.dtype)).view(b, t, n, d // NUM_HEADS)
        q, k, v = heads(self.wq, NUM_HEADS), heads(self.wk, NUM_KV_HEADS), heads(self.wv, NUM_KV_HEADS)
        q = rope(rms(q), table) * self.temper[i].to(x.dtype)[:, None]
        k = rope(rms(k), table)
        q, k, v = (h.transpose(1, 2) for h in (q, k, v))
        o = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=NUM_KV_HEADS < NUM_HEADS)
        return F.linear(o.transpose(1, 2).reshape(b, t, d), self.wo[i].to(x.dtype))

    def forward(self, ids):
        """Softcapped logits [batch, time, vocab] in float32."""
        table = rope_table(ids.shape[1], MODEL_DIM // NUM_HEADS)
        x = first = rms(F.embedding(ids, self.tok))
        for i in range(NUM_LAYERS):
            x = self.mix[i, 0].to(x.dtype) * x + self.mix[i, 1].to(x.dtype) * first
            x = x + self.scales[i, 0].to(x.dtype) * self.attend(rms(x), i, table)
            h = torch.relu(F.linear(rms(x), self.w1[i].to(x.dtype)))
            x = x + self.scales[i, 1].to(x.dtype) * F.linear(h * h, self.w2[i].to(x.dtype))
        logits = F.linear(rms(x), self.tok.to(x.dtype)).float()
        return LOGIT_SOFTCAP * torch.tanh(logits / LOGIT_SOFTCAP)


def mean_loss(net, x, y):
    with torch.autocast("cuda", torch.bfloat16):
        logits = net(x)
    return F.cross_entropy(logits.flatten(0, 1), y.flatten())


def token_nll(net, x, y):
    """Loss of every target in nats, shaped like y."""
    with torch.autocast("cuda", torch.bfloat16):
        logits = net(x)
    return F.cross_entropy(logits.transpose(1, 2), y, reduction="none")


# Optimizers: Muon on the stacked matrices, Adam on the rest.


@torch.compile
def newton_schulz(m):
    flip = m.shape[-2] > m.shape[-1]
    m = (m.transpose(-1, -2) if flip else m).bfloat16()
    m = m / (m.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(5):
        s = torch.bmm(m, m.transpose(-1, -2))
        m = 3.4445 * m + torch.bmm(-4.7750 * s + 2.0315 * torch.bmm(s, s), m)
    return m.transpose(-1, -2) if flip else m


class StackedMuon(torch.optim.Optimizer):
    def __init__(self, stacks):
        super().__init__(stacks, dict(lr=MATRIX_LR, beta=MUON_MOMENTUM))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                if "m" not in self.state[p]:
                    self.state[p]["m"] = torch.zeros_like(p)
                m = self.state[p]["m"].mul_(group["beta"]).add_(p.grad)
                u = newton_schulz(p.grad + group["beta"] * m)
                p.sub_(u.to(p.dtype), alpha=group["lr"] * max(1, p.shape[1] / p.shape[2]) ** 0.5)


def train(net, validate):
    fast = torch.compile(net, dynamic=False, fullgraph=True)
    stacks = [net.wq, net.wk, net.wv, net.wo, net.w1, net.w2]
    small = [net.scales, net.temper, net.mix]
    adam = torch.optim.Adam(
        [{"params": [net.tok], "lr": TIED_EMBED_LR}, {"params": small, "lr": SCALAR_LR}],
        betas=(0.9, 0.95), fused=True,
    )
    muon = StackedMuon(stacks)
    groups = adam.param_groups + muon.param_groups
    peaks = [g["lr"] for g in groups]
    sequences = max(TRAIN_BATCH_TOKENS // (8 * TRAIN_SEQ_LEN), 1)
    batches = training_batches(sequences)
    torch.cuda.synchronize()
    spent, since, step = 0.0, time.time(), 0
    while True:
        spent_now = spent + time.time() - since
        ending = step == ITERATIONS or spent_now >= MAX_WALLCLOCK_SECONDS - 0.15
        ending = bool(everyone(torch.tensor([float(ending)], device=DEVICE)).item())
        if ending or (VAL_LOSS_EVERY and step and step % VAL_LOSS_EVERY == 0):
            torch.cuda.synchronize()
            spent += time.time() - since
            loss, bpb = validate(net)
            log(f"step:{step}/{ITERATIONS} val_loss:{loss:.4f} val_bpb:{bpb:.4f} train_time:{1e3 * spent:.0f}ms")
            since = time.time()
        if ending:
            return
        left = (MAX_WALLCLOCK_SECONDS - spent_now) * step / max(spent_now, 1e-9) if step else ITERATIONS
        factor = min((step + 1) / WARMUP_STEPS, 1.0, max(min(left, ITERATIONS - step), 0) / WARMDOWN_ITERS)
        for g, peak in zip(groups, peaks):
            g["lr"] = peak * factor
        shown = 0.0
        for _ in range(GRAD_ACCUM):
            loss = mean_loss(fast, *next(batches)) / 8
            loss.backward()
            shown = shown + loss.detach()
        for p in net.parameters():
            everyone(p.grad)
        adam.step()
        muon.step()
        net.zero_grad(set_to_none=True)
        step += 1
        if step % TRAIN_LOG_EVERY == 0 or step == 1:
            log(f"step:{step}/{ITERATIONS} train_loss:{everyone(shown).item():.4f} "
                f"train_time:{1e3 * (spent + time.time() - since):.0f}ms")


# Artifact: int6 rows, four values in three bytes, zstd on top.


def to_int6(w):
    flat = w.reshape(-1, w.shape[-1])
    scale = (flat.abs().amax(1) / 31).clamp_min(1e-6).half()
    q = (flat / scale.float()[:, None]).round().clamp(-32, 31).to(torch.int16) + 32
    q = F.pad(q.flatten(), (0, -q.numel() % 4)).view(-1, 4)
    word = q[:, 0].int() | q[:, 1].int() << 6 | q[:, 2].int() << 12 | q[:, 3].int() << 18
    packed = torch.stack([word & 255, word >> 8 & 255, word >> 16 & 255], 1).to(torch.uint8)
    return packed.numpy().tobytes(), scale.numpy().tobytes()


def from_int6(packed, scale, shape):
    b = torch.frombuffer(bytearray(packed), dtype=torch.uint8).view(-1, 3).int()
    word = b[:, 0] | b[:, 1] << 8 | b[:, 2] << 16
    q = torch.stack([word >> s & 63 for s in (0, 6, 12, 18)], 1).flatten()[: math.prod(shape)]
    s = torch.frombuffer(bytearray(scale), dtype=torch.float16).float()
    return ((q - 32).float().view(len(s), -1) * s[:, None]).view(shape)


def save(net, path):
    """Weights in the order of named_parameters: matrices as int6, the rest as float16."""
    body = bytearray()
    for _, p in net.named_parameters():
        w = p.detach().float().cpu()
        parts = to_int6(w) if w.ndim > 1 and w.shape[-1] >= 16 else (w.half().numpy().tobytes(),)
        for part in parts:
            body += struct.pack("<I", len(part)) + part
    with open(path, "wb") as f:
        f.write(zstandard.ZstdCompressor(level=22).compress(bytes(body)))


def load(net, path):
    with open(path, "rb") as f:
        body = zstandard.ZstdDecompressor().decompress(f.read())
    at = 0

    def take():
        nonlocal at
        (size,) = struct.unpack_from("<I", body, at)
        at += 4 + size
        return body[at - size : at]

    for _, p in net.named_parameters():
        if p.ndim > 1 and p.shape[-1] >= 16:
            w = from_int6(take(), take(), tuple(p.shape))
        else:
            w = torch.frombuffer(bytearray(take()), dtype=torch.float16).float().view(p.shape)
        p.data.copy_(w)


# Evaluation: windows of TRAIN_SEQ_LEN tokens that move by EVAL_STRIDE, each scoring only what is new in it.


def windows(total):
    """(start, first) pairs: the window [start, start + TRAIN_SEQ_LEN) scores its targets from index `first` on."""
    found, done = [], 0
    while done < total:
        upto = min(max(done + EVAL_STRIDE, TRAIN_SEQ_LEN), total)
        start = max(upto - TRAIN_SEQ_LEN, 0)
        found.append((start, done - start))
        done = upto
    return found


def gather(val, group):
    """Inputs, targets and the mask of counted targets for a group of windows."""
    x = torch.stack([val[s : s + TRAIN_SEQ_LEN] for s, _ in group]).to(DEVICE)
    y = torch.stack([val[s + 1 : s + TRAIN_SEQ_LEN + 1] for s, _ in group]).to(DEVICE)
    first = torch.tensor([f for _, f in group], device=DEVICE)
    return x, y, torch.arange(TRAIN_SEQ_LEN, device=DEVICE)[None, :] >= first[:, None]


def count_bytes(tables, x, y):
    own, space, empty = tables
    return own[y] + (space[y] & ~empty[x])


def bits_per_byte(sums):
    """(loss, bpb) from the sums [nats, tokens, bytes] of all processes."""
    nats, tokens, size = everyone(sums).tolist()
    return nats / tokens, nats / math.log(2) / size


@torch.inference_mode()
def quick_validation(net, val, tables):
    """Disjoint sequences, for the training log only."""
    sums = torch.zeros(3, dtype=torch.float64, device=DEVICE)
    spans = [(s, 0) for s in range(0, len(val) - TRAIN_SEQ_LEN, TRAIN_SEQ_LEN)][RANK::WORLD_SIZE]
    for k in range(0, len(spans), EVAL_BATCH_SEQS):
        x, y, _ = gather(val, spans[k : k + EVAL_BATCH_SEQS])
        sums += torch.stack([token_nll(net, x, y).sum(), torch.tensor(y.numel(), device=DEVICE),
                             count_bytes(tables, x, y).sum()])
    return bits_per_byte(sums)


@torch.inference_mode()
def sliding_evaluation(net, val, tables):
    """Every target counts once: the first window counts whole, each later one only its new tail."""
    net.eval()
    mine = windows(len(val) - 1)[RANK::WORLD_SIZE]
    sums = torch.zeros(3, dtype=torch.float64, device=DEVICE)
    for k in range(0, len(mine), EVAL_BATCH_SEQS):
        x, y, counted = gather(val, mine[k : k + EVAL_BATCH_SEQS])
        nll = token_nll(net, x, y)
        sums[0] += nll[counted].double().sum()
        sums[1] += counted.sum()
        sums[2] += count_bytes(tables, x, y)[counted].sum()
    return bits_per_byte(sums)


def main():
    torch.cuda.set_device(DEVICE)
    if DISTRIBUTED:
        dist.init_process_group("nccl")
    torch.manual_seed(SEED)
    val = torch.cat([load_tokens(p) for p in sorted(glob.glob(os.path.join(DATA_PATH, "fineweb_val_*.bin")))])
    tables = byte_tables()
    net = GPT().to(DEVICE)
    log(f"seed={SEED} layers={NUM_LAYERS} dim={MODEL_DIM} params={sum(p.numel() for p in net.parameters())} "
        f"world_size={WORLD_SIZE} grad_accum={GRAD_ACCUM} val_tokens={len(val) - 1}")
    log(f"EVAL_STRIDE={EVAL_STRIDE} TRAIN_SEQ_LEN={TRAIN_SEQ_LEN} TRAIN_BATCH_TOKENS={TRAIN_BATCH_TOKENS} "
        f"MAX_WALLCLOCK_SECONDS={MAX_WALLCLOCK_SECONDS:.0f}")
    train(net, lambda n: quick_validation(n, val, tables))
    if RANK == 0:
        save(net, "final_model.int6.ptz")
    if DISTRIBUTED:
        dist.barrier()
    model_size, code_size = os.path.getsize("final_model.int6.ptz"), os.path.getsize(__file__)
    log(f"Serialized model int6+zstd: {model_size} bytes")
    log(f"Code size: {code_size} bytes")
    log(f"Total submission size int6+zstd: {model_size + code_size} bytes")
    load(net, "final_model.int6.ptz")
    torch.cuda.synchronize()
    begun = time.time()
    loss, bpb = sliding_evaluation(net, val, tables)
    torch.cuda.synchronize()
    log(f"final_int6_sliding_window val_loss:{loss:.4f} val_bpb:{bpb:.4f} stride:{EVAL_STRIDE} eval_time:{1e3 * (time.time() - begun):.0f}ms")
    log(f"final_int6_sliding_window_exact val_loss:{loss:.8f} val_bpb:{bpb:.8f}")
    if DISTRIBUTED:
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
