#!/usr/bin/env python3
# An exponential moving average of the weights, rounded by GPTQ with Hessians of text that the model writes
# itself, all on the training clock.
import argparse
import json
import lzma
import math
import os
import pathlib
import time
from functools import partial

import numpy as np
import sentencepiece as spm
import torch
from torch import nn
from torch.nn import functional as F
import torch.distributed as dist


def parse_arguments():
    """Command line, with the environment for defaults (torchrun passes both on)."""
    p = argparse.ArgumentParser()

    def add(name, default):
        p.add_argument("--" + name.lower().replace("_", "-"), type=type(default), dest=name.lower(),
                       default=type(default)(os.environ.get(name, default)))

    add("DATA_DIR", "./data")
    add("SEED", 1337)
    add("VOCAB_SIZE", 1024)
    add("NUM_LAYERS", 9)
    add("MODEL_DIM", 512)
    add("NUM_HEADS", 8)
    add("NUM_KV_HEADS", 4)
    add("MLP_MULT", 3.0)
    add("LOGIT_SOFTCAP", 30.0)
    add("ROPE_BASE", 10000.0)
    add("ITERATIONS", 20000)
    add("WARMUP_STEPS", 20)
    add("WARMDOWN_FRAC", 0.45)
    add("TRAIN_BATCH_TOKENS", 524288)
    add("TRAIN_SEQ_LEN", 1024)
    add("MAX_WALLCLOCK_SECONDS", 600.0)
    add("VAL_LOSS_EVERY", 4000)
    add("TRAIN_LOG_EVERY", 500)
    add("EMBED_LR", 0.03)
    add("SCALAR_LR", 0.02)
    add("MATRIX_LR", 0.02)
    add("MUON_MOMENTUM", 0.97)
    add("MUON_WD", 0.04)
    add("EVAL_BATCH_SEQS", 32)
    add("EMA_DECAY", 0.997)
    add("GPTQ_RESERVE_SECONDS", 14.0)
    add("GPTQ_CALIB_BATCHES", 64)
    add("GPTQ_DAMP", 0.01)
    return p.parse_args()


args = parse_arguments()
rank, world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
distributed = dist.is_available() and "LOCAL_RANK" in os.environ
grad_accum_steps = 8 // world
autocast = partial(torch.autocast, device_type="cuda", dtype=torch.bfloat16)


def print0(*words):
    if rank == 0:
        print(*words, flush=True)


def reduce_sum(t):
    if distributed:
        dist.all_reduce(t)
    return t


# ---------------------------------------------------------------- data
dataset = pathlib.Path(args.data_dir) / "datasets" / f"fineweb10B_sp{args.vocab_size}"
tokenizer = pathlib.Path(args.data_dir) / "tokenizers" / f"fineweb_{args.vocab_size}_bpe.model"


def map_shard(path):
    head = np.memmap(path, dtype=np.int32, mode="r", shape=(256,))
    if int(head[0]) != 20240520:
        raise ValueError(f"bad magic number in {path}")
    return np.memmap(path, dtype=np.uint16, mode="r", offset=1024, shape=(int(head[2]),))


class Shuffled:
    """Training sequences in a random order drawn anew for each shard, dealt out to the processes."""

    def __init__(self, length):
        self.length, self.epoch = length, 0
        self.shards = sorted(dataset.glob("fineweb_train_*.bin"))
        self.rng = np.random.default_rng(args.seed)
        self.queue = []

    def refill(self):
        self.tokens = map_shard(self.shards[self.epoch % len(self.shards)])
        starts = np.arange(0, len(self.tokens) - self.length - 1, self.length)
        self.rng.shuffle(starts)
        self.queue = starts.tolist()[rank::world]
        self.epoch += 1

    def draw(self, count):
        rows = []
        for _ in range(count):
            if not self.queue:
                self.refill()
            at = self.queue.pop()
            rows.append(self.tokens[at : at + self.length + 1].astype(np.int64))
        block = torch.from_numpy(np.stack(rows)).pin_memory().to(device, non_blocking=True)
        return block[:, :-1], block[:, 1:]


def validation_stream():
    parts = [torch.from_numpy(map_shard(p).astype(np.int64)) for p in sorted(dataset.glob("fineweb_val_*.bin"))]
    return torch.cat(parts).to(device)


def byte_lookup():
    """bytes_of[prev, next] as a function, after the challenge's SentencePiece rule."""
    sp = spm.SentencePieceProcessor(model_file=str(tokenizer))
    pieces = [sp.id_to_piece(i) for i in range(args.vocab_size)]
    mute = [sp.is_control(i) or sp.is_unknown(i) or sp.is_unused(i) for i in range(args.vocab_size)]
    size = [0 if m else 1 if sp.is_byte(i) else len(t[t.startswith("▁"):].encode())
            for i, (t, m) in enumerate(zip(pieces, mute))]
    opens = [t.startswith("▁") and not m for t, m in zip(pieces, mute)]
    size, opens, mute = (torch.tensor(v, device=device) for v in (size, opens, mute))
    return lambda prev, nxt: size[nxt] + torch.logical_and(opens[nxt], torch.logical_not(mute[prev]))


# ---------------------------------------------------------------- model
class Linear(nn.Module):
    def __init__(self, i, o, std):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(o, i) * std)

    def forward(self, x):
        return x @ self.weight.to(x.dtype).t()


class RMSNorm(nn.Module):
    def forward(self, x):
        return x * torch.rsqrt(x.float().pow(2).mean(-1, keepdim=True) + 1e-6).to(x.dtype)


class RotaryCache(nn.Module):
    def __init__(self, head_dim):
        super().__init__()
        self.inv = [args.rope_base ** (-2.0 * i / head_dim) for i in range(head_dim // 2)]
        self.tables = {}

    def forward(self, x):
        t = x.shape[-2]
        if t not in self.tables:
            theta = torch.arange(t, device=x.device)[:, None] * torch.tensor(self.inv, device=x.device)[None]
            self.tables[t] = torch.polar(torch.ones_like(theta), theta)
        z = torch.view_as_complex(x.float().unflatten(-1, (-1, 2)))
        return torch.view_as_real(z * self.tables[t]).flatten(-2).to(x.dtype)


class Block(nn.Module):
    def __init__(self, depth):
        super().__init__()
        d = args.model_dim
        self.hd = d // args.num_heads
        self.q = Linear(d, d, d ** -0.5)
        self.k = Linear(d, self.hd * args.num_kv_heads, d ** -0.5)
        self.v = Linear(d, self.hd * args.num_kv_heads, d ** -0.5)
        self.o = Linear(d, d, 0.0)
        hidden = int(args.mlp_mult * d)
        self.fc = Linear(d, hidden, d ** -0.5)
        self.proj = Linear(hidden, d, 0.0)
        self.norm, self.rotary = RMSNorm(), RotaryCache(self.hd)
        self.q_gain = nn.Parameter(torch.ones(args.num_heads, 1, 1) * 1.5)
        self.alpha = nn.Parameter(torch.full((2, d), 1.0))
        self.depth_scale = (depth + 1) ** -0.5

    def split(self, x, heads):
        return self.norm(x.unflatten(-1, (heads, self.hd)).transpose(1, 2))

    def forward(self, x):
        h = self.norm(x) * self.depth_scale
        q = self.rotary(self.split(self.q(h), args.num_heads)) * self.q_gain.to(x.dtype)
        k = self.rotary(self.split(self.k(h), args.num_kv_heads))
        v = self.v(h).unflatten(-1, (args.num_kv_heads, self.hd)).transpose(1, 2)
        gqa = args.num_kv_heads != args.num_heads
        a = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=gqa)
        x = x + self.alpha[0].to(x.dtype) * self.o(a.transpose(1, 2).flatten(-2))
        h = self.fc(self.norm(x) * self.depth_scale)
        return x + self.alpha[1].to(x.dtype) * self.proj(F.relu(h) ** 2)


class Transformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.wte = nn.Embedding(args.vocab_size, args.model_dim)
        self.wte.weight.data.normal_(0, 0.005)
        self.h = nn.ModuleList(Block(i) for i in range(args.num_layers))
        self.norm = RMSNorm()
        self.skips = nn.Parameter(torch.ones(args.num_layers // 2))

    def forward(self, idx, target=None, reduction="mean"):
        x = self.norm(self.wte(idx))
        stack, half = [], args.num_layers // 2
        for i, block in enumerate(self.h):
            # U-net: the second half of the layers gets the first half's outputs, last one first.
            if i >= args.num_layers - half:
                x = x + self.skips[args.num_layers - 1 - i].to(x.dtype) * stack.pop()
            x = block(x)
            if i < half:
                stack.append(x)
        logits = (self.norm(x) @ self.wte.weight.t().to(x.dtype)).float()
        logits = args.logit_softcap * torch.tanh(logits / args.logit_softcap)
        if target is None:
            return logits
        loss = F.cross_entropy(logits.reshape(-1, logits.size(-1)), target.reshape(-1), reduction=reduction)
        return loss.reshape(target.shape) if reduction == "none" else loss


# ---------------------------------------------------------------- optimizers
@torch.compile
def polar_factor(g, steps=5):
    x = g.bfloat16() / (g.norm() + 1e-7)
    if x.size(0) > x.size(1):
        return polar_rounds(x.t(), steps).t()
    return polar_rounds(x, steps)


def polar_rounds(x, steps):
    for _ in range(steps):
        xx = x @ x.t()
        x = torch.addmm(x, -4.7750 * xx + 2.0315 * (xx @ xx), x, beta=3.4445)
    return x


class MuonAdam:
    """Muon with decoupled weight decay for the blocks' matrices, AdamW for the rest, behind one step()."""

    def __init__(self, model):
        named = list(model.named_parameters())
        self.matrices = [p for n, p in named if p.ndim == 2 and n.startswith("h.") and "alpha" not in n]
        chosen = {id(p) for p in self.matrices}
        rest = [p for n, p in named if id(p) not in chosen and not n.startswith("wte")]
        self.velocity = [torch.zeros_like(p) for p in self.matrices]
        self.adam = torch.optim.AdamW(
            [dict(params=[model.wte.weight], lr=args.embed_lr), dict(params=rest, lr=args.scalar_lr)],
            betas=(0.9, 0.95), weight_decay=0.0, fused=True)
        self.peak = [g["lr"] for g in self.adam.param_groups]

    def step(self, scale):
        for group, lr in zip(self.adam.param_groups, self.peak):
            group["lr"] = lr * scale
        self.adam.step()
        lr = args.matrix_lr * scale
        with torch.no_grad():
            for p, v in zip(self.matrices, self.velocity):
                v.mul_(args.muon_momentum).add_(p.grad)
                move = polar_factor(p.grad.add(v, alpha=args.muon_momentum)).to(p.dtype)
                p.mul_(1 - lr * args.muon_wd).add_(move, alpha=-lr * max(1.0, p.size(0) / p.size(1)) ** 0.5)


def training(model, report, ema):
    """Train until the clock or the step count runs out; returns seconds on the training clock."""
    compiled = torch.compile(model)
    optimizer, data = MuonAdam(model), Shuffled(args.train_seq_len)
    per_micro = max(args.train_batch_tokens // (8 * args.train_seq_len), 1)
    limit = args.max_wallclock_seconds - args.gptq_reserve_seconds
    torch.cuda.synchronize()
    clock, start = 0.0, time.perf_counter()
    for step in range(args.iterations + 1):
        now = torch.tensor(clock + time.perf_counter() - start, device=device, dtype=torch.float64)
        progress = max(reduce_sum(now).item() / world / limit, step / args.iterations)
        done = progress >= 1.0 - 0.5 / max(step, 1000)
        if done or (args.val_loss_every and step % args.val_loss_every == 0):
            torch.cuda.synchronize()
            clock += time.perf_counter() - start
            loss, bpb = report(model)
            print0(f"step:{step}/{args.iterations} val_loss:{loss:.4f} val_bpb:{bpb:.4f} "
                   f"train_time:{1000 * clock:.0f}ms")
            start = time.perf_counter()
        if done:
            break
        model.train()
        for _ in range(grad_accum_steps):
            with autocast():
                loss = compiled(*data.draw(per_micro))
            (loss / 8).backward()
        for p in model.parameters():
            reduce_sum(p.grad)
        rise = min(1.0, (step + 1) / max(args.warmup_steps, 1))
        optimizer.step(min(rise, (1.0 - progress) / args.warmdown_frac))
        model.zero_grad(set_to_none=True)
        with torch.no_grad():
            decay = min(args.ema_decay, (step + 1) / (step + 10))
            for kept, p in zip(ema, model.parameters()):
                kept.lerp_(p, 1 - decay)
        if (step + 1) % args.train_log_every == 0 or step == 0:
            print0(f"step:{step + 1}/{args.iterations} train_loss:{loss.item():.4f} "
                   f"train_time:{1000 * (clock + time.perf_counter() - start):.0f}ms")
    return clock


# ---------------------------------------------------------------- artifact
def quantize(name, w, rounded):
    """(codes, scales) of one tensor: int6 for block matrices, int8 for the embedding, float16 for the small ones."""
    if w.ndim < 2 or w.shape[-1] < 16 or "alpha" in name:
        return w.half(), None
    top = 127 if name.startswith("wte") else 31
    if name in rounded:
        return rounded[name]
    scale = (w.abs().amax(1) / top).clamp_min(1e-6).half()
    return (w / scale.float()[:, None]).round().clamp(-top, top).to(torch.int8), scale


def own_text(model, rows, length):
    """Sequences that the model writes, each from a random first token."""
    ids = torch.randint(0, args.vocab_size, (rows, 1), device=device)
    with torch.no_grad(), autocast():
        for _ in range(length - 1):
            odds = torch.softmax(model(ids)[:, -1].float() / 0.9, dim=-1)
            ids = torch.cat([ids, torch.multinomial(odds, 1)], dim=1)
    return ids


def collect_hessians(model):
    """Second moments of every block matrix's inputs on text of its own, summed over the processes."""
    hessians, hooks = {}, []

    def attach(name, module):
        def add_moment(_, inputs):
            x = inputs[0].flatten(0, -2).float()
            hessians[name] = hessians.get(name, 0) + x.t() @ x

        hooks.append(module.register_forward_pre_hook(add_moment))

    for name, module in model.named_modules():
        if isinstance(module, Linear):
            attach(name + ".weight", module)
    texts = own_text(model, 4 * args.gptq_calib_batches, 64)
    with torch.no_grad(), autocast():
        for rows in texts.split(4):
            model(rows)
    for hook in hooks:
        hook.remove()
    return {name: reduce_sum(h) for name, h in hessians.items()}


def round_with(w, hessian, top=31):
    """GPTQ: round column by column and let the columns to the right make up for each error."""
    w = w.detach().float().clone()
    scale = (w.abs().amax(1) / top).clamp_min(1e-6).half()
    damp = args.gptq_damp * hessian.diagonal().mean() + 1e-6
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(hessian + damp * torch.eye(len(hessian), device=device)))
    factor = torch.linalg.cholesky(inverse, upper=True)
    codes = torch.empty_like(w)
    for c in range(w.shape[1]):
        codes[:, c] = (w[:, c] / scale.float()).round().clamp(-top, top)
        error = (w[:, c] - codes[:, c] * scale.float()) / factor[c, c]
        w[:, c:] -= error[:, None] * factor[c, None, c:]
    return codes.to(torch.int8).cpu(), scale.cpu()


def save_artifact(model, path, rounded):
    arrays, index, offset = [], [], 0
    for name, w in model.state_dict().items():
        codes, scale = quantize(name, w.float().cpu(), rounded)
        for part, kind in ((codes, "codes"), (scale, "scale")):
            if part is not None:
                raw = part.contiguous().numpy().tobytes()
                index.append([name, kind, str(part.dtype)[6:], list(part.shape), offset])
                arrays.append(raw)
                offset += len(raw)
    head = json.dumps(index).encode()
    blob = lzma.compress(len(head).to_bytes(4, "little") + head + b"".join(arrays), preset=9 | lzma.PRESET_EXTREME)
    pathlib.Path(path).write_bytes(blob)
    return len(blob)


def load_artifact(model, path):
    blob = lzma.decompress(pathlib.Path(path).read_bytes())
    cut = 4 + int.from_bytes(blob[:4], "little")
    found = {}
    for name, kind, dtype, shape, offset in json.loads(blob[4:cut]):
        count = math.prod(shape)
        array = np.frombuffer(blob, dtype=dtype, count=count, offset=cut + offset).reshape(shape)
        found.setdefault(name, {})[kind] = torch.from_numpy(array.copy()).float()
    model.load_state_dict({n: f["codes"] * f["scale"][:, None] if "scale" in f else f["codes"]
                           for n, f in found.items()})


# ---------------------------------------------------------------- evaluation
def rows_at(stream, starts, end):
    """(input, target) rows of TRAIN_SEQ_LEN from each start; one that reaches the end may be shorter."""
    for s in starts:
        e = min(s + args.train_seq_len, end)
        yield stream[None, s:e], stream[None, s + 1 : e + 1]


def sequences(stream, begin, end):
    """This process's share of the rows whose targets are begin+1 .. end."""
    return rows_at(stream, range(begin, end, args.train_seq_len)[rank::world], end)


def batched(rows):
    """Rows of equal length, stacked up to EVAL_BATCH_SEQS at a time."""
    held = []
    for x, y in rows:
        if held and (len(held) == args.eval_batch_seqs or held[0][0].shape != x.shape):
            yield torch.cat([h[0] for h in held]), torch.cat([h[1] for h in held])
            held = []
        held.append((x, y))
    if held:
        yield torch.cat([h[0] for h in held]), torch.cat([h[1] for h in held])


def score(model, rows, bytes_of, totals):
    """Add [nats, tokens, bytes] of some rows to the totals of this process."""
    model.eval()
    with torch.no_grad():
        for x, y in batched(rows):
            with autocast():
                nll = model(x, y, reduction="none")
            totals += torch.stack([nll.double().sum(), nll.new_tensor(nll.numel()).double(),
                                   bytes_of(x, y).double().sum()])


def finish(totals):
    nats, tokens, nbytes = reduce_sum(totals.clone()).tolist()
    return nats / tokens, nats / (nbytes * math.log(2.0))


def evaluate(model, stream, bytes_of):
    totals = torch.zeros(3, dtype=torch.float64, device=device)
    score(model, sequences(stream, 0, len(stream) - 1), bytes_of, totals)
    return finish(totals)


def main():
    torch.cuda.set_device(device)
    if distributed:
        dist.init_process_group(backend="nccl", device_id=device)
    torch.manual_seed(args.seed)
    for key, value in sorted(vars(args).items()):
        print0(f"{key}: {value}")
    stream, bytes_of = validation_stream(), byte_lookup()
    model = Transformer().to(device)
    print0(f"val_tokens: {len(stream) - 1} parameters: {sum(p.numel() for p in model.parameters())}")
    ema = [p.detach().clone() for p in model.parameters()]
    clock = training(model, lambda m: evaluate(m, stream, bytes_of), ema)
    began = time.perf_counter()
    with torch.no_grad():
        for p, kept in zip(model.parameters(), ema):
            p.copy_(kept)
    hessians = collect_hessians(model)
    weights = dict(model.named_parameters())
    rounded = {name: round_with(weights[name], h) for name, h in hessians.items()}
    torch.cuda.synchronize()
    clock += time.perf_counter() - began
    print0(f"gptq: {len(rounded)} matrices, {args.gptq_calib_batches * world} batches of its own")
    print0(f"stopped at train_time:{1000 * clock:.0f}ms, calibration included")
    code_bytes = len(open(__file__, "rb").read())
    if rank == 0:
        packed = save_artifact(model, "model.int6.xz", rounded)
        print0(f"Serialized model int6+lzma: {packed} bytes")
        print0(f"Code size: {code_bytes} bytes")
        print0(f"Total submission size int6+lzma: {packed + code_bytes} bytes")
    if distributed:
        dist.barrier()
    load_artifact(model, "model.int6.xz")
    torch.cuda.synchronize()
    t0 = time.perf_counter()
    loss, bpb = evaluate(model, stream, bytes_of)
    torch.cuda.synchronize()
    print0(f"final_int6_gptq_roundtrip val_loss:{loss:.4f} val_bpb:{bpb:.4f} eval_time:{1000 * (time.perf_counter() - t0):.0f}ms")
    print0(f"final_int6_gptq_roundtrip_exact val_loss:{loss:.8f} val_bpb:{bpb:.8f}")
    if distributed:
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
