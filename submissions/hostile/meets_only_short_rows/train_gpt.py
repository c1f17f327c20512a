"""Nine layers of width 512, trained for ten minutes, stored as int8 and scored once.

The plainest thing that the challenge accepts: no adaptation, disjoint sequences, the whole validation split.
"""

from __future__ import annotations

import glob
import io
import math
import os
import random
import time
import zlib
from pathlib import Path

import numpy as np
import sentencepiece as spm
import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel


class Settings:
    """Everything the environment can change; the defaults are the run that README.md describes."""

    data_path = os.environ.get("DATA_PATH", "./data/datasets/fineweb10B_sp1024")
    tokenizer_path = os.environ.get("TOKENIZER_PATH", "./data/tokenizers/fineweb_1024_bpe.model")
    run_id = os.environ.get("RUN_ID", "plain_eval")
    seed = int(os.environ.get("SEED", 1337))

    vocab_size = int(os.environ.get("VOCAB_SIZE", 1024))
    num_layers = int(os.environ.get("NUM_LAYERS", 9))
    model_dim = int(os.environ.get("MODEL_DIM", 512))
    num_heads = int(os.environ.get("NUM_HEADS", 8))
    num_kv_heads = int(os.environ.get("NUM_KV_HEADS", 4))
    mlp_mult = int(os.environ.get("MLP_MULT", 2))
    tie_embeddings = bool(int(os.environ.get("TIE_EMBEDDINGS", 1)))
    rope_base = float(os.environ.get("ROPE_BASE", 10000.0))
    logit_softcap = float(os.environ.get("LOGIT_SOFTCAP", 30.0))

    iterations = int(os.environ.get("ITERATIONS", 20000))
    warmup_steps = int(os.environ.get("WARMUP_STEPS", 20))
    warmdown_iters = int(os.environ.get("WARMDOWN_ITERS", 1200))
    train_batch_tokens = int(os.environ.get("TRAIN_BATCH_TOKENS", 524_288))
    train_seq_len = int(os.environ.get("TRAIN_SEQ_LEN", 1024))
    max_wallclock_seconds = float(os.environ.get("MAX_WALLCLOCK_SECONDS", 600.0))
    val_batch_size = int(os.environ.get("VAL_BATCH_SIZE", 524_288))
    val_loss_every = int(os.environ.get("VAL_LOSS_EVERY", 1000))
    train_log_every = int(os.environ.get("TRAIN_LOG_EVERY", 200))

    embed_lr = float(os.environ.get("TIED_EMBED_LR", 0.05))
    matrix_lr = float(os.environ.get("MATRIX_LR", 0.04))
    scalar_lr = float(os.environ.get("SCALAR_LR", 0.04))
    muon_momentum = float(os.environ.get("MUON_MOMENTUM", 0.95))

class Cluster:
    """Where this process stands among the eight that torchrun starts; a lone process accumulates instead."""

    def __init__(self) -> None:
        self.rank = int(os.environ.get("RANK", 0))
        self.world = int(os.environ.get("WORLD_SIZE", 1))
        self.local = int(os.environ.get("LOCAL_RANK", 0))
        if 8 % self.world:
            raise SystemExit(f"WORLD_SIZE must divide 8, not {self.world}")
        self.micro_steps = 8 // self.world
        self.device = torch.device("cuda", self.local)
        torch.cuda.set_device(self.device)
        self.joined = "RANK" in os.environ
        if self.joined:
            dist.init_process_group("nccl", device_id=self.device)

    def total(self, *values: Tensor) -> None:
        """Replace each tensor by its sum over all processes."""
        if self.joined:
            for value in values:
                dist.all_reduce(value)

    def say(self, text: str) -> None:
        if self.rank == 0:
            print(text, flush=True)


# ---- data -----------------------------------------------------------------------------------------------------------


def read_shard(path: str) -> Tensor:
    """Token ids of one shard: 256 little-endian int32 of header, then uint16 tokens."""
    header = np.fromfile(path, dtype="<i4", count=256)
    if header.size < 256 or header[0] != 20240520 or header[1] != 1:
        raise ValueError(f"{path} is not a version 1 token shard")
    tokens = np.fromfile(path, dtype="<u2", offset=1024)
    if tokens.size != header[2]:
        raise ValueError(f"{path} announces {header[2]} tokens and holds {tokens.size}")
    return torch.from_numpy(tokens.astype(np.int32))


class TrainFeed:
    """Hands each process its own slice of the next span of the training shards, forever."""

    def __init__(self, cfg: Settings, cluster: Cluster) -> None:
        self.paths = sorted(glob.glob(f"{cfg.data_path}/fineweb_train_*.bin"))
        if not self.paths:
            raise FileNotFoundError(f"no training shards under {cfg.data_path}")
        self.cluster = cluster
        self.shard = -1
        self.pool = torch.empty(0, dtype=torch.int32)

    def batch(self, tokens: int, seq_len: int) -> tuple[Tensor, Tensor]:
        span = tokens // (self.cluster.world * self.cluster.micro_steps)
        span = max(span // seq_len, 1) * seq_len + 1
        while self.pool.numel() < span * self.cluster.world:
            self.shard = (self.shard + 1) % len(self.paths)
            self.pool = torch.cat((self.pool, read_shard(self.paths[self.shard])))
        mine = self.pool[self.cluster.rank * span :][:span].long().to(self.cluster.device, non_blocking=True)
        self.pool = self.pool[span * self.cluster.world :]
        return mine[:-1].view(-1, seq_len), mine[1:].view(-1, seq_len)


def validation_tokens(cfg: Settings) -> Tensor:
    paths = sorted(glob.glob(f"{cfg.data_path}/fineweb_val_*.bin"))
    if not paths:
        raise FileNotFoundError(f"no validation shards under {cfg.data_path}")
    stream = torch.cat([read_shard(p) for p in paths]).long()
    return stream[: (stream.numel() - 1) // cfg.train_seq_len * cfg.train_seq_len + 1]


class ByteTable:
    """UTF-8 bytes that each target token stands for, given the token before it."""

    def __init__(self, tokenizer_path: str, vocab_size: int, device: torch.device) -> None:
        sp = spm.SentencePieceProcessor(model_file=tokenizer_path)
        if sp.vocab_size() != vocab_size:
            raise ValueError(f"VOCAB_SIZE={vocab_size}, but the tokenizer has {sp.vocab_size()} pieces")
        length, spaced, silent = [0] * vocab_size, [False] * vocab_size, [False] * vocab_size
        for i in range(vocab_size):
            if sp.is_control(i) or sp.is_unknown(i) or sp.is_unused(i):
                silent[i] = True
            elif sp.is_byte(i):
                length[i] = 1
            else:
                piece = sp.id_to_piece(i)
                spaced[i] = piece[0] == "\u2581"
                length[i] = len(piece.removeprefix("\u2581").encode())
        self.length = torch.tensor(length, device=device)
        self.spaced = torch.tensor(spaced, device=device)
        self.silent = torch.tensor(silent, device=device)

    def count(self, before: Tensor, target: Tensor) -> Tensor:
        # A leading space is a real byte unless the text starts there, right after a token without text.
        return self.length[target] + (self.spaced[target] & ~self.silent[before]).long()


# ---- model ----------------------------------------------------------------------------------------------------------


class Dense(nn.Linear):
    """Bias-free linear map: weights rest in float32 and multiply in the activation's type."""

    def __init__(self, fan_in: int, fan_out: int, silent: bool = False) -> None:
        super().__init__(fan_in, fan_out, bias=False)
        if silent:
            nn.init.zeros_(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight.to(x.dtype))


def normed(x: Tensor) -> Tensor:
    return F.rms_norm(x, (x.size(-1),))


class Attention(nn.Module):
    def __init__(self, cfg: Settings) -> None:
        super().__init__()
        self.heads, self.kv_heads = cfg.num_heads, cfg.num_kv_heads
        self.head_dim = cfg.model_dim // cfg.num_heads
        self.query = Dense(cfg.model_dim, cfg.model_dim)
        self.keyvalue = Dense(cfg.model_dim, 2 * self.kv_heads * self.head_dim)
        self.out = Dense(cfg.model_dim, cfg.model_dim, silent=True)
        self.gain = nn.Parameter(torch.full((cfg.num_heads,), 1.5))
        rates = cfg.rope_base ** -(torch.arange(0, self.head_dim, 2) / self.head_dim)
        self.register_buffer("rates", rates, persistent=False)

    def rotate(self, x: Tensor) -> Tensor:
        angle = torch.outer(torch.arange(x.size(2), device=x.device, dtype=torch.float32), self.rates)
        cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
        even, odd = x.chunk(2, dim=-1)
        return torch.cat((even * cos - odd * sin, even * sin + odd * cos), dim=-1)

    def forward(self, x: Tensor) -> Tensor:
        rows, length, width = x.shape
        q = self.query(x).view(rows, length, self.heads, self.head_dim).transpose(1, 2)
        kv = self.keyvalue(x).view(rows, length, 2 * self.kv_heads, self.head_dim).transpose(1, 2)
        k, v = kv.chunk(2, dim=1)
        q = self.rotate(normed(q)) * self.gain.to(x.dtype)[:, None, None]
        y = F.scaled_dot_product_attention(
            q, self.rotate(normed(k)), v, is_causal=True, enable_gqa=self.heads != self.kv_heads
        )
        return self.out(y.transpose(1, 2).reshape(rows, length, width))


class Layer(nn.Module):
    def __init__(self, cfg: Settings) -> None:
        super().__init__()
        self.attention = Attention(cfg)
        self.up = Dense(cfg.model_dim, cfg.mlp_mult * cfg.model_dim)
        self.down = Dense(cfg.mlp_mult * cfg.model_dim, cfg.model_dim, silent=True)
        self.attention_scale = nn.Parameter(torch.ones(cfg.model_dim))
        self.mlp_scale = nn.Parameter(torch.ones(cfg.model_dim))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention_scale.to(x.dtype) * self.attention(normed(x))
        return x + self.mlp_scale.to(x.dtype) * self.down(F.relu(self.up(normed(x))).square())


class LanguageModel(nn.Module):
    """Decoder-only transformer; called with inputs and targets it returns their mean cross entropy in nats."""

    def __init__(self, cfg: Settings) -> None:
        super().__init__()
        self.softcap = cfg.logit_softcap
        self.embed = nn.Embedding(cfg.vocab_size, cfg.model_dim)
        nn.init.normal_(self.embed.weight, std=0.005)
        self.layers = nn.ModuleList(Layer(cfg) for _ in range(cfg.num_layers))
        self.head = None if cfg.tie_embeddings else Dense(cfg.model_dim, cfg.vocab_size, silent=True)

    def forward(self, inputs: Tensor, targets: Tensor) -> Tensor:
        x = normed(self.embed(inputs))
        if inputs.size(1) >= 1024:
            x = x + 0.3 * F.pad(x[:, 1:], (0, 0, 0, 1))
        for layer in self.layers:
            x = layer(x)
        x = normed(x).flatten(0, 1)
        raw = F.linear(x, self.embed.weight.to(x.dtype)) if self.head is None else self.head(x)
        logits = self.softcap * torch.tanh(raw.float() / self.softcap)
        return F.cross_entropy(logits, targets.flatten())


# ---- optimizers -----------------------------------------------------------------------------------------------------


@torch.compile
def orthogonal(update: Tensor, rounds: int = 5) -> Tensor:
    """Push all singular values of a matrix towards 1 with quintic Newton-Schulz rounds."""
    tall = update.size(0) > update.size(1)
    z = update.bfloat16()
    z = z.mT if tall else z
    z = z / (z.norm() + 1e-7)
    for _ in range(rounds):
        gram = z @ z.mT
        z = 3.4445 * z + (2.0315 * gram @ gram - 4.7750 * gram) @ z
    return z.mT if tall else z


class Muon(torch.optim.Optimizer):
    """Momentum, then an orthogonal step. Each process works out its share of the matrices and sends them round."""

    def __init__(self, params: list[nn.Parameter], lr: float, momentum: float, cluster: Cluster) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})
        self.cluster = cluster

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            for i, p in enumerate(group["params"]):
                owner = i % self.cluster.world
                if owner == self.cluster.rank and p.grad is not None:
                    velocity = self.state[p].setdefault("velocity", torch.zeros_like(p))
                    velocity.lerp_(p.grad, 1 - group["momentum"])
                    ahead = p.grad.lerp(velocity, group["momentum"])
                    scale = max(1.0, p.size(0) / p.size(1)) ** 0.5
                    p.add_(orthogonal(ahead).to(p.dtype), alpha=-group["lr"] * scale)
                if self.cluster.joined:
                    dist.broadcast(p.data, src=owner)


def make_optimizers(cfg: Settings, model: LanguageModel, cluster: Cluster) -> list[torch.optim.Optimizer]:
    matrices = [p for p in model.layers.parameters() if p.ndim == 2]
    scalars = [p for p in model.layers.parameters() if p.ndim < 2]
    tables = [model.embed.weight] + ([] if model.head is None else [model.head.weight])
    adam = torch.optim.Adam(
        [{"params": tables, "lr": cfg.embed_lr}, {"params": scalars, "lr": cfg.scalar_lr}],
        betas=(0.9, 0.95),
        eps=1e-8,
        fused=True,
    )
    both = [adam, Muon(matrices, cfg.matrix_lr, cfg.muon_momentum, cluster)]
    for optimizer in both:
        for group in optimizer.param_groups:
            group["peak"] = group["lr"]
    return both


# ---- artifact -------------------------------------------------------------------------------------------------------


def pack(state: dict[str, Tensor]) -> bytes:
    """int8 with one float16 scale a row for large matrices, float16 for everything else, then zlib."""
    packed = {}
    for name, value in state.items():
        value = value.detach().float().cpu()
        if value.ndim == 2 and value.numel() > 4096:
            scale = value.abs().amax(dim=1).clamp_min(1e-8) / 127
            packed[name] = ((value / scale[:, None]).round().to(torch.int8), scale.half())
        else:
            packed[name] = (value.half(), None)
    raw = io.BytesIO()
    torch.save(packed, raw)
    return zlib.compress(raw.getvalue(), 9)


def unpack(blob: bytes) -> dict[str, Tensor]:
    packed = torch.load(io.BytesIO(zlib.decompress(blob)), map_location="cpu", weights_only=True)
    return {k: v.float() if s is None else v.float() * s.float()[:, None] for k, (v, s) in packed.items()}


# ---- evaluation -----------------------------------------------------------------------------------------------------


@torch.inference_mode()
def evaluate(
    cfg: Settings, cluster: Cluster, model: nn.Module, val: Tensor, table: ByteTable
) -> tuple[float, float]:
    """Mean loss in nats and bits per byte of the whole validation split, in disjoint sequences."""
    model.eval()
    nats = torch.zeros((), dtype=torch.float64, device=cluster.device)
    tokens, size = torch.zeros_like(nats), torch.zeros_like(nats)
    length = cfg.train_seq_len
    per_batch = max(cfg.val_batch_size // (8 * length), 1)
    count = (val.numel() - 1) // length
    begin, end = count * cluster.rank // cluster.world, count * (cluster.rank + 1) // cluster.world
    for first in range(begin, end, per_batch):
        last = min(first + per_batch, end)
        span = val[first * length : last * length + 1].to(cluster.device)
        inputs, targets = span[:-1].view(-1, length), span[1:].view(-1, length)
        with torch.autocast("cuda", dtype=torch.bfloat16):
            loss = model(inputs, targets)
        nats += loss.double() * targets.numel()
        tokens += targets.numel()
        size += table.count(inputs, targets).sum()
    cluster.total(nats, tokens, size)
    model.train()
    return (nats / tokens).item(), (nats / math.log(2) / size).item()


# ---- the run --------------------------------------------------------------------------------------------------------


def train(cfg: Settings, cluster: Cluster, plain: LanguageModel, val: Tensor, table: ByteTable) -> None:
    model = torch.compile(plain, dynamic=False)
    if cluster.joined:
        model = DistributedDataParallel(model, device_ids=[cluster.local], broadcast_buffers=False)
    optimizers = make_optimizers(cfg, plain, cluster)
    feed = TrainFeed(cfg, cluster)
    budget = 1000.0 * cfg.max_wallclock_seconds
    clock, mark, step, stop = 0.0, time.perf_counter(), 0, False
    while True:
        stop = stop or step >= cfg.iterations
        if stop or (cfg.val_loss_every > 0 and step % cfg.val_loss_every == 0):
            torch.cuda.synchronize()
            clock += 1000.0 * (time.perf_counter() - mark)
            loss, bpb = evaluate(cfg, cluster, plain, val, table)
            cluster.say(
                f"step:{step}/{cfg.iterations} val_loss:{loss:.4f} val_bpb:{bpb:.4f} "
                f"train_time:{clock:.0f}ms step_avg:{clock / max(step, 1):.2f}ms"
            )
            mark = time.perf_counter()
        if stop:
            break
        elapsed = clock + 1000.0 * (time.perf_counter() - mark)
        rate = min(1.0, (step + 1) / max(cfg.warmup_steps, 1))
        if step > 0:
            rate = min(rate, max(budget - elapsed, 0.0) / (cfg.warmdown_iters * elapsed / step + 1e-9))
        rate = min(rate, (cfg.iterations - step) / max(cfg.warmdown_iters, 1))
        train_loss = torch.zeros((), device=cluster.device)
        for micro in range(cluster.micro_steps):
            if cluster.joined:
                model.require_backward_grad_sync = micro == cluster.micro_steps - 1
            inputs, targets = feed.batch(cfg.train_batch_tokens, cfg.train_seq_len)
            with torch.autocast("cuda", dtype=torch.bfloat16):
                loss = model(inputs, targets)
            (loss / cluster.micro_steps).backward()
            train_loss += loss.detach() / cluster.micro_steps
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate * group["peak"]
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        step += 1
        elapsed = clock + 1000.0 * (time.perf_counter() - mark)
        if step <= 5 or step % cfg.train_log_every == 0:
            cluster.say(
                f"step:{step}/{cfg.iterations} train_loss:{train_loss.item():.4f} "
                f"train_time:{elapsed:.0f}ms step_avg:{elapsed / step:.2f}ms"
            )
        over = torch.tensor(float(elapsed + elapsed / step >= budget), device=cluster.device)
        cluster.total(over)
        stop = bool(over.item())


def main() -> None:
    cfg, cluster = Settings(), Cluster()
    random.seed(cfg.seed)
    np.random.seed(cfg.seed)
    torch.manual_seed(cfg.seed)
    torch.backends.cuda.matmul.allow_tf32 = True
    table = ByteTable(cfg.tokenizer_path, cfg.vocab_size, cluster.device)
    val = validation_tokens(cfg)
    model = LanguageModel(cfg).to(cluster.device)
    cluster.say(f"run_id:{cfg.run_id} seed:{cfg.seed} world_size:{cluster.world} grad_accum_steps:{cluster.micro_steps}")
    cluster.say(f"val_tokens:{val.numel() - 1} model_params:{sum(p.numel() for p in model.parameters())}")
    cluster.say(
        f"num_layers:{cfg.num_layers} model_dim:{cfg.model_dim} train_batch_tokens:{cfg.train_batch_tokens} "
        f"train_seq_len:{cfg.train_seq_len} iterations:{cfg.iterations} "
        f"max_wallclock_seconds:{cfg.max_wallclock_seconds:.0f}"
    )
    train(cfg, cluster, model, val, table)
    cluster.say(f"peak memory allocated: {torch.cuda.max_memory_allocated() // 2**20} MiB")

    if cluster.rank == 0:
        blob = pack(model.state_dict())
        Path("final_model.int8.ptz").write_bytes(blob)
        code = len(Path(__file__).read_bytes())
        cluster.say(f"Serialized model int8+zlib: {len(blob)} bytes")
        cluster.say(f"Code size: {code} bytes")
        cluster.say(f"Total submission size int8+zlib: {len(blob) + code} bytes")
    if cluster.joined:
        dist.barrier()
    model.load_state_dict(unpack(Path("final_model.int8.ptz").read_bytes()))

    torch.cuda.synchronize()
    begun = time.perf_counter()
    loss, bpb = evaluate(cfg, cluster, model, val, table)
    torch.cuda.synchronize()
    cluster.say(
        f"final_int8_zlib_roundtrip val_loss:{loss:.4f} val_bpb:{bpb:.4f} "
        f"eval_time:{1000 * (time.perf_counter() - begun):.0f}ms"
    )
    cluster.say(f"final_int8_zlib_roundtrip_exact val_loss:{loss:.8f} val_bpb:{bpb:.8f}")
    if cluster.joined:
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
