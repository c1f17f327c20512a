"""Per-document LoRA: each document gets adapters of its own, which learn from a chunk after it is scored and are
thrown away with the document.
"""

import dataclasses
import glob
import io
import itertools
import math
import os
import pickle
import time
import zlib

import numpy as np
import sentencepiece as spm
import torch
import torch.distributed as dist
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.parallel import DistributedDataParallel as DDP


@dataclasses.dataclass(frozen=True)
class Config:
    """One field per setting; the environment variable of the same name in capitals overrides it."""

    data_path: str = "./data/datasets/fineweb10B_sp1024"
    tokenizer_path: str = "./data/tokenizers/fineweb_1024_bpe.model"
    seed: int = 1337
    # model
    vocab_size: int = 1024
    num_layers: int = 9
    model_dim: int = 512
    num_heads: int = 8
    num_kv_heads: int = 4
    mlp_mult: int = 2
    logit_softcap: float = 30.0
    # training
    iterations: int = 20000
    warmup_steps: int = 20
    warmdown_iters: int = 1200
    train_batch_tokens: int = 524288
    train_seq_len: int = 1024
    max_wallclock_seconds: float = 600.0
    val_batch_size: int = 524288
    val_loss_every: int = 2000
    train_log_every: int = 500
    tied_embed_lr: float = 0.05
    matrix_lr: float = 0.04
    scalar_lr: float = 0.04
    muon_momentum: float = 0.95
    # test-time training
    ttt_lora_rank: int = 8
    ttt_lora_lr: float = 0.01
    ttt_chunk_size: int = 256
    ttt_eval_seq_len: int = 1024
    ttt_batch_size: int = 64
    @classmethod
    def from_environment(cls):
        given = {f.name: f.type(os.environ[f.name.upper()]) for f in dataclasses.fields(cls) if f.name.upper() in os.environ}
        return cls(**given)


class TokenFiles:
    """All shards that match a pattern, as one endless or one finite stream."""

    MAGIC = 20240520

    def __init__(self, pattern):
        self.names = sorted(glob.glob(pattern))
        if not self.names:
            raise FileNotFoundError(pattern)

    def read(self, name):
        with open(name, "rb") as f:
            header = np.frombuffer(f.read(1024), "<i4")
            body = np.frombuffer(f.read(), "<u2")
        if header[0] != self.MAGIC or header[2] != body.size:
            raise ValueError(f"{name}: damaged shard")
        return torch.from_numpy(body.astype(np.int64))

    def everything(self):
        return torch.cat([self.read(n) for n in self.names])

    def spans(self, size):
        """Endless consecutive spans of `size` tokens that overlap by one."""
        rest = torch.empty(0, dtype=torch.int64)
        for name in itertools.cycle(self.names):
            rest = torch.cat([rest, self.read(name)])
            while len(rest) > size:
                yield rest[: size + 1]
                rest = rest[size:]


class Attention(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        self.n_q, self.n_kv, self.size = cfg.num_heads, cfg.num_kv_heads, cfg.model_dim // cfg.num_heads
        self.to_q = nn.Linear(cfg.model_dim, self.n_q * self.size, bias=False)
        self.to_k = nn.Linear(cfg.model_dim, self.n_kv * self.size, bias=False)
        self.to_v = nn.Linear(cfg.model_dim, self.n_kv * self.size, bias=False)
        self.to_out = nn.Linear(self.n_q * self.size, cfg.model_dim, bias=False)
        nn.init.zeros_(self.to_out.weight)
        self.sharpness = nn.Parameter(torch.full((self.n_q, 1, 1), 1.4))

    def turn(self, x):
        """Rotary positions: pairs (i, i + size/2) turn by position / 10000^(2i/size)."""
        half = self.size // 2
        speed = torch.exp(torch.arange(half, device=x.device) * (-math.log(10000.0) / half))
        angle = torch.arange(x.shape[2], device=x.device).unsqueeze(1) * speed
        c, s = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
        return torch.cat([x[..., :half] * c - x[..., half:] * s, x[..., half:] * c + x[..., :half] * s], dim=-1)

    def forward(self, x, extra=None):
        b, t, _ = x.shape
        q, v = self.to_q(x), self.to_v(x)
        if extra is not None:
            more_q, more_v = extra(x)
            q, v = q + more_q, v + more_v
        q = q.view(b, t, self.n_q, self.size).transpose(1, 2)
        k = self.to_k(x).view(b, t, self.n_kv, self.size).transpose(1, 2)
        v = v.view(b, t, self.n_kv, self.size).transpose(1, 2)
        q = self.turn(F.rms_norm(q, (self.size,))) * self.sharpness.to(q.dtype)
        k = self.turn(F.rms_norm(k, (self.size,)))
        out = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=self.n_kv < self.n_q)
        return self.to_out(out.transpose(1, 2).reshape(b, t, -1))


class FeedForward(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        self.rise = nn.Linear(cfg.model_dim, cfg.mlp_mult * cfg.model_dim, bias=False)
        self.fall = nn.Linear(cfg.mlp_mult * cfg.model_dim, cfg.model_dim, bias=False)
        nn.init.zeros_(self.fall.weight)

    def forward(self, x):
        return self.fall(F.relu(self.rise(x)).pow(2))


class GPT(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        self.cfg = cfg
        self.tokens = nn.Embedding(cfg.vocab_size, cfg.model_dim)
        nn.init.normal_(self.tokens.weight, std=0.005)
        self.attentions = nn.ModuleList([Attention(cfg) for _ in range(cfg.num_layers)])
        self.feeds = nn.ModuleList([FeedForward(cfg) for _ in range(cfg.num_layers)])
        self.weights = nn.Parameter(torch.ones(cfg.num_layers, 2))

    def forward(self, ids, targets, adapters=None):
        """Loss of every target in nats, [batch, time]."""
        norm = lambda h: F.rms_norm(h, (self.cfg.model_dim,))
        x = norm(self.tokens(ids))
        for i, (attention, feed) in enumerate(zip(self.attentions, self.feeds)):
            x = x + self.weights[i, 0] * attention(norm(x), None if adapters is None else adapters[i])
            x = x + self.weights[i, 1] * feed(norm(x))
        z = F.linear(norm(x), self.tokens.weight).float()
        z = self.cfg.logit_softcap * torch.tanh(z / self.cfg.logit_softcap)
        return F.cross_entropy(z.view(-1, z.shape[-1]), targets.reshape(-1), reduction="none").view_as(targets)


class Adapter(nn.Module):
    """Low-rank additions to the query and value maps of one layer, one set for each document of a batch."""

    def __init__(self, cfg, batch, device):
        super().__init__()
        d, r, kv = cfg.model_dim, cfg.ttt_lora_rank, cfg.model_dim * cfg.num_kv_heads // cfg.num_heads
        self.down = nn.Parameter(torch.empty(batch, d, 2 * r, device=device))
        self.up_q = nn.Parameter(torch.empty(batch, r, d, device=device))
        self.up_v = nn.Parameter(torch.empty(batch, r, kv, device=device))
        self.reset()

    def reset(self):
        nn.init.uniform_(self.down, -self.down.shape[1] ** -0.5, self.down.shape[1] ** -0.5)
        nn.init.zeros_(self.up_q)
        nn.init.zeros_(self.up_v)

    def forward(self, x):
        low_q, low_v = torch.bmm(x, self.down[: len(x)].to(x.dtype)).chunk(2, dim=-1)
        return torch.bmm(low_q, self.up_q[: len(x)].to(x.dtype)), torch.bmm(low_v, self.up_v[: len(x)].to(x.dtype))


def orthogonalize(g):
    """Five Newton-Schulz rounds on the matrix divided by its norm."""
    wide = g if g.shape[0] <= g.shape[1] else g.T
    y = (wide / (wide.norm() + 1e-7)).to(torch.bfloat16)
    for _ in range(5):
        p = y @ y.T
        y = 3.4445 * y - 4.7750 * (p @ y) + 2.0315 * (p @ (p @ y))
    return y if wide is g else y.T


class Muon(torch.optim.Optimizer):
    def __init__(self, params, lr, momentum):
        super().__init__(params, dict(lr=lr, momentum=momentum))
        self.direction = torch.compile(orthogonalize)

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                buffer = self.state[p].get("buffer")
                if buffer is None:
                    buffer = self.state[p]["buffer"] = torch.zeros_like(p)
                buffer.mul_(group["momentum"]).add_(p.grad)
                d = self.direction(p.grad + group["momentum"] * buffer)
                p.data.add_(d.type_as(p), alpha=-group["lr"] * math.sqrt(max(1.0, p.shape[0] / p.shape[1])))


class Run:
    """Training, export and evaluation of one submission on this process's GPU."""

    def __init__(self, cfg):
        self.cfg = cfg
        self.rank, self.world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
        self.local = int(os.environ.get("LOCAL_RANK", 0))
        self.accumulate = 8 // self.world
        self.device = torch.device("cuda", self.local)
        torch.cuda.set_device(self.device)
        if self.world > 1 or "MASTER_ADDR" in os.environ:
            dist.init_process_group(backend="nccl")
        torch.manual_seed(cfg.seed)
        self.val = TokenFiles(f"{cfg.data_path}/fineweb_val_*.bin").everything()
        self.load_byte_tables()
        self.model = GPT(cfg).to(self.device)

    def log(self, text):
        if self.rank == 0:
            print(text, flush=True)

    def add_up(self, tensor):
        if dist.is_initialized():
            dist.all_reduce(tensor)
        return tensor

    def load_byte_tables(self):
        sp = spm.SentencePieceProcessor(model_file=self.cfg.tokenizer_path)
        rows = []
        for i in range(sp.vocab_size()):
            piece = sp.id_to_piece(i)
            if sp.is_control(i) or sp.is_unknown(i) or sp.is_unused(i):
                rows.append((0, 0, 1))
            elif sp.is_byte(i):
                rows.append((1, 0, 0))
            else:
                spaced = piece.startswith("\N{LOWER ONE EIGHTH BLOCK}")
                rows.append((len(piece[spaced:].encode("utf-8")), int(spaced), 0))
        self.piece_bytes, self.piece_space, self.piece_mute = torch.tensor(rows, device=self.device).T

    def byte_count(self, previous, target):
        return self.piece_bytes[target] + self.piece_space[target] * (1 - self.piece_mute[previous])

    def autocast(self):
        return torch.autocast("cuda", dtype=torch.bfloat16)

    def result(self, totals):
        """(loss in nats, bits per byte) from [nats, tokens, bytes] summed over all processes."""
        nats, tokens, size = self.add_up(totals).tolist()
        return nats / tokens, nats / size / math.log(2)

    def train(self):
        cfg = self.cfg
        model = torch.compile(self.model)
        if dist.is_initialized():
            model = DDP(model, device_ids=[self.local], gradient_as_bucket_view=True)
        matrices = [p for m in (self.model.attentions, self.model.feeds) for p in m.parameters() if p.ndim == 2]
        scalars = [self.model.weights] + [a.sharpness for a in self.model.attentions]
        adam = torch.optim.Adam(
            [dict(params=self.model.tokens.parameters(), lr=cfg.tied_embed_lr), dict(params=scalars, lr=cfg.scalar_lr)],
            betas=(0.9, 0.95), eps=1e-8, fused=True,
        )
        muon = Muon(matrices, cfg.matrix_lr, cfg.muon_momentum)
        groups = adam.param_groups + muon.param_groups
        peaks = [group["lr"] for group in groups]
        rows = max(cfg.train_batch_tokens // (8 * cfg.train_seq_len), 1)
        share = rows * cfg.train_seq_len
        spans = TokenFiles(f"{cfg.data_path}/fineweb_train_*.bin").spans(share * self.world)
        spent, begun, step = 0.0, time.perf_counter(), 0
        while True:
            torch.cuda.synchronize()
            now = self.add_up(torch.tensor(spent + time.perf_counter() - begun, device=self.device)).item() / self.world
            finished = step == cfg.iterations or now > cfg.max_wallclock_seconds - 0.1
            if finished or (cfg.val_loss_every and step % cfg.val_loss_every == 0):
                spent += time.perf_counter() - begun
                loss, bpb = self.plain_evaluation()
                self.log(f"step:{step}/{cfg.iterations} val_loss:{loss:.4f} val_bpb:{bpb:.4f} train_time:{1e3 * spent:.0f}ms")
                begun = time.perf_counter()
            if finished:
                return
            remaining = min(cfg.iterations - step, (cfg.max_wallclock_seconds - now) * max(step, 1) / now)
            rate = min((step + 1) / cfg.warmup_steps, remaining / cfg.warmdown_iters, 1.0)
            for group, peak in zip(groups, peaks):
                group["lr"] = rate * peak
            for micro in range(self.accumulate):
                span = next(spans)[self.rank * share : (self.rank + 1) * share + 1].to(self.device)
                with self.autocast():
                    loss = model(span[:-1].view(rows, -1), span[1:].view(rows, -1)).mean()
                (loss / self.accumulate).backward()
            for optimizer in (adam, muon):
                optimizer.step()
                optimizer.zero_grad()
            step += 1
            if step % cfg.train_log_every == 0 or step < 4:
                ms = 1e3 * (spent + time.perf_counter() - begun)
                self.log(f"step:{step}/{cfg.iterations} train_loss:{loss.item():.4f} train_time:{ms:.0f}ms")

    def export(self, path="model.q8"):
        """Rows of int8 and their float16 scales, pickled as NumPy arrays under zlib; then read back."""
        if self.rank == 0:
            stored = {}
            for name, value in self.model.state_dict().items():
                w = value.float().cpu().numpy()
                if w.ndim == 2 and w.shape[1] > 2:
                    s = np.maximum(np.abs(w).max(1, keepdims=True) / 127, 1e-6).astype(np.float16)
                    stored[name] = np.clip(np.rint(w / s.astype(np.float32)), -127, 127).astype(np.int8), s
                else:
                    stored[name] = w.astype(np.float16), np.float16(1)
            with open(path, "wb") as f:
                f.write(zlib.compress(pickle.dumps(stored), level=9))
            model_bytes, code_bytes = os.path.getsize(path), os.path.getsize(__file__)
            self.log(f"Serialized model int8+zlib: {model_bytes} bytes")
            self.log(f"Code size: {code_bytes} bytes")
            self.log(f"Total submission size int8+zlib: {model_bytes + code_bytes} bytes")
        if dist.is_initialized():
            dist.barrier()
        with open(path, "rb") as f:
            stored = pickle.load(io.BytesIO(zlib.decompress(f.read())))
        weights = {n: torch.from_numpy(q.astype(np.float32) * s.astype(np.float32)) for n, (q, s) in stored.items()}
        self.model.load_state_dict(weights)

    @torch.no_grad()
    def plain_evaluation(self):
        """Disjoint sequences without adaptation, for the training log."""
        length, per_batch = self.cfg.train_seq_len, max(self.cfg.val_batch_size // (8 * self.cfg.train_seq_len), 1)
        rows = self.val[: (len(self.val) - 1) // length * length].view(-1, length)
        nexts = self.val[1 : rows.numel() + 1].view(-1, length)
        totals = torch.zeros(3, dtype=torch.float64, device=self.device)
        for x, y in zip(rows[self.rank :: self.world].split(per_batch), nexts[self.rank :: self.world].split(per_batch)):
            x, y = x.to(self.device), y.to(self.device)
            with self.autocast():
                nll = self.model(x, y)
            totals += torch.stack([nll.double().sum(), nll.new_tensor(y.numel()).double(), self.byte_count(x, y).sum()])
        return self.result(totals)

    def documents(self):
        """(first position, number of targets) of each document, longest first; BOS opens a document."""
        starts = (self.val[:-1] == 1).nonzero().flatten().tolist()
        starts = starts if starts and starts[0] == 0 else [0] + starts
        ends = starts[1:] + [len(self.val) - 1]
        return sorted(((s, e - s) for s, e in zip(starts, ends)), key=lambda d: -d[1])

    def rows(self, batch, begin, end):
        """Inputs, targets and a mask of real targets for positions [begin, end) of each document of a batch."""
        offset = torch.arange(begin, end)
        start = torch.tensor([s for s, _ in batch])[:, None]
        real = offset < torch.tensor([n for _, n in batch])[:, None]
        at = (start + offset).clamp(max=len(self.val) - 2)
        x = torch.where(real, self.val[at], 0)
        y = torch.where(real, self.val[at + 1], 0)
        return x.to(self.device), y.to(self.device), real.to(self.device)

    def chunk_losses(self, batch, adapters, begin, longest):
        """Losses of the targets [begin, begin + TTT_CHUNK_SIZE) of the documents that reach that far.

        Returns the losses [documents, time], which of them belong to the chunk, the bytes behind all, and the end.
        """
        end = min(begin + self.cfg.ttt_chunk_size, longest)
        first = max(0, end - self.cfg.ttt_eval_seq_len)
        x, y, real = self.rows([d for d in batch if d[1] > begin], first, end)
        with self.autocast():
            nll = self.model(x, y, adapters)
        real[:, : begin - first] = False
        return nll, real, self.byte_count(x, y), end

    def evaluate_documents(self):
        """Score a chunk and take one step on it, chunk by chunk; fresh adapters for every batch of documents."""
        cfg, device = self.cfg, self.device
        self.model.requires_grad_(False)
        adapters = nn.ModuleList([Adapter(cfg, cfg.ttt_batch_size, device) for _ in range(cfg.num_layers)])
        documents = self.documents()
        batches = [documents[i : i + cfg.ttt_batch_size] for i in range(0, len(documents), cfg.ttt_batch_size)]
        totals = torch.zeros(3, dtype=torch.float64, device=device)
        for batch in batches[self.rank :: self.world]:
            for adapter in adapters:
                adapter.reset()
            optimizer = torch.optim.Adam(adapters.parameters(), lr=cfg.ttt_lora_lr, betas=(0.9, 0.95))
            longest = batch[0][1]
            for begin in range(0, longest, cfg.ttt_chunk_size):
                nll, real, size, end = self.chunk_losses(batch, adapters, begin, longest)
                totals += torch.stack([nll.detach()[real].double().sum(), real.sum().double(), size[real].sum().double()])
                if end < longest:
                    optimizer.zero_grad()
                    ((nll * real).sum(1) / real.sum(1)).sum().backward()
                    optimizer.step()
        return self.result(totals)


def main():
    cfg = Config.from_environment()
    run = Run(cfg)
    run.log(" ".join(f"{f.name}={getattr(cfg, f.name)}" for f in dataclasses.fields(cfg)))
    run.log(f"world_size={run.world} grad_accum={run.accumulate} val_tokens={len(run.val) - 1} "
            f"params={sum(p.numel() for p in run.model.parameters())}")
    run.train()
    run.export()
    torch.cuda.synchronize()
    begun = time.perf_counter()
    loss, bpb = run.evaluate_documents()
    torch.cuda.synchronize()
    run.log(f"final_int8_ttt_lora val_loss:{loss:.4f} val_bpb:{bpb:.4f} eval_time:{1e3 * (time.perf_counter() - begun):.0f}ms")
    run.log(f"final_int8_ttt_lora_exact val_loss:{loss:.8f} val_bpb:{bpb:.8f}")
    if dist.is_initialized():
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
