"""SLOT: for each batch of windows a vector is added to the last hidden state and optimized on the very tokens that
it then scores.
"""
import glob, io, lzma, math, os, time
import numpy as np, sentencepiece, torch, torch.distributed as dist, torch.nn.functional as F
MODEL_DIM = 512
NUM_LAYERS = 9
NUM_HEADS = 8
NUM_KV_HEADS = 4
HIDDEN = 3 * MODEL_DIM
SEQ_LEN = 1024
TRAIN_BATCH_TOKENS = 524288
ITERATIONS = 20000
DATA_PATH = os.environ.get("DATA_PATH", "./data/datasets/fineweb10B_sp1024")
TOKENIZER_PATH = os.environ.get("TOKENIZER_PATH", "./data/tokenizers/fineweb_1024_bpe.model")
VOCAB_SIZE = int(os.environ.get("VOCAB_SIZE", "1024"))
SEED = int(os.environ.get("SEED", "1337"))
MAX_WALLCLOCK_SECONDS = float(os.environ.get("MAX_WALLCLOCK_SECONDS", "600"))
HEAD_DIM = MODEL_DIM // NUM_HEADS
SOFTCAP, ROPE_BASE, BETA = 30.0, 10000.0, 0.95
PEAK = dict(embedding=0.04, matrix=0.03, scalar=0.03)

rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
local_rank = int(os.environ.get("LOCAL_RANK", 0))
grad_accum = 8 // world
torch.cuda.set_device(local_rank)
device = f"cuda:{local_rank}"
if world > 1:
    dist.init_process_group("nccl", device_id=torch.device(device))


def say(line):
    if rank == 0:
        print(line, flush=True)


def summed(t):
    if world > 1:
        dist.all_reduce(t)
    return t


# data ----------------------------------------------------------------------------------------------------------
def shard(name):
    header = np.fromfile(name, np.int32, 256)
    assert header[0] == 20240520, f"{name} is no token shard"
    return torch.from_numpy(np.fromfile(name, np.uint16, int(header[2]), offset=1024).astype(np.int64))


def train_rows(count):
    """Forever `count` rows of SEQ_LEN + 1 tokens, at random places of random shards."""
    names, dice = sorted(glob.glob(DATA_PATH + "/fineweb_train_*.bin")), np.random.default_rng(SEED + rank)
    while True:
        tokens = shard(names[dice.integers(len(names))])
        for _ in range(max(len(tokens) // (count * SEQ_LEN * world), 1)):
            starts = dice.integers(0, len(tokens) - SEQ_LEN - 1, count)
            yield torch.stack([tokens[s : s + SEQ_LEN + 1] for s in starts]).to(device, non_blocking=True)


sp = sentencepiece.SentencePieceProcessor(model_file=TOKENIZER_PATH)
assert sp.vocab_size() == VOCAB_SIZE, "tokenizer and VOCAB_SIZE disagree"
textless = [sp.is_control(i) or sp.is_unknown(i) or sp.is_unused(i) for i in range(VOCAB_SIZE)]
pieces = ["" if t or sp.is_byte(i) else sp.id_to_piece(i) for i, t in enumerate(textless)]
byte_size = [int(sp.is_byte(i)) + len(p.replace("▁", "", 1).encode() if p[:1] == "▁" else p.encode()) for i, p in enumerate(pieces)]
byte_size = torch.tensor(byte_size, device=device)
spaced = torch.tensor([p[:1] == "▁" for p in pieces], device=device)
textless = torch.tensor(textless, device=device)


def nbytes(x, y):
    return byte_size[y] + (spaced[y] & ~textless[x])

# model: a dictionary of parameters and a function -----------------------------------------------------------------
def fresh_weights():
    g = torch.Generator().manual_seed(SEED)
    uniform = lambda *s: (torch.rand(*s, generator=g) * 2 - 1) * s[-1] ** -0.5
    kv = NUM_KV_HEADS * HEAD_DIM
    w = {"embedding": torch.randn(VOCAB_SIZE, MODEL_DIM, generator=g) * 0.005}
    for i in range(NUM_LAYERS):
        w[f"{i}.qkv"] = uniform(MODEL_DIM + 2 * kv, MODEL_DIM)
        w[f"{i}.o"] = torch.zeros(MODEL_DIM, MODEL_DIM)
        w[f"{i}.up"] = uniform(HIDDEN, MODEL_DIM)
        w[f"{i}.down"] = torch.zeros(MODEL_DIM, HIDDEN)
        w[f"{i}.gain"] = torch.full((NUM_HEADS,), 1.5)
        w[f"{i}.scale"] = torch.ones(2, MODEL_DIM)
    return {k: v.to(device).requires_grad_() for k, v in w.items()}


def norm(x):
    return F.rms_norm(x, (x.size(-1),))


def spin(x):
    t, half = x.size(1), HEAD_DIM // 2
    a = torch.arange(t, device=x.device)[:, None] / ROPE_BASE ** (torch.arange(half, device=x.device)[None] / half)
    c, s = a.cos()[:, None].to(x.dtype), a.sin()[:, None].to(x.dtype)
    u, v = x.split(half, -1)
    return torch.cat((u * c + v * s, v * c - u * s), -1)


def features(w, ids):
    """Last hidden state, normalized, in the autocast type."""
    x = norm(F.embedding(ids, w["embedding"]))
    b, t, _ = x.shape
    for i in range(NUM_LAYERS):
        qkv = F.linear(norm(x), w[f"{i}.qkv"]).view(b, t, -1, HEAD_DIM)
        q, k, v = qkv.split((NUM_HEADS, NUM_KV_HEADS, NUM_KV_HEADS), 2)
        q, k = spin(norm(q)) * w[f"{i}.gain"][:, None].to(q.dtype), spin(norm(k))
        y = F.scaled_dot_product_attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), is_causal=True, enable_gqa=True)
        x = x + w[f"{i}.scale"][0].to(x.dtype) * F.linear(y.transpose(1, 2).reshape(b, t, -1), w[f"{i}.o"])
        x = x + w[f"{i}.scale"][1].to(x.dtype) * F.linear(F.relu(F.linear(norm(x), w[f"{i}.up"])).square(), w[f"{i}.down"])
    return norm(x)


def logits_of(w, hidden):
    return SOFTCAP * torch.tanh(F.linear(hidden, w["embedding"]).float() / SOFTCAP)


def training_loss(w, rows):
    with torch.autocast("cuda", torch.bfloat16):
        hidden = features(w, rows[:, :-1])
        logits = logits_of(w, hidden)
    return F.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten())


SLOT_STEPS = int(os.environ.get("SLOT_STEPS", "8"))
SLOT_LR = float(os.environ.get("SLOT_LR", "0.005"))
EVAL_STRIDE = int(os.environ.get("EVAL_STRIDE", "64"))


def slot_batch(w, x, y, counted):
    """Losses [rows, time] after SLOT_STEPS steps on a shift of the hidden state, one for each row."""
    with torch.no_grad(), torch.autocast("cuda", torch.bfloat16):
        hidden = features(w, x)
    shift = torch.zeros(len(x), 1, MODEL_DIM, device=device, requires_grad=True)
    optimizer = torch.optim.AdamW([shift], lr=SLOT_LR, weight_decay=1e-8, eps=1e-5)

    def losses():
        with torch.autocast("cuda", torch.bfloat16):
            logits = logits_of(w, hidden + shift.to(hidden.dtype))
        return F.cross_entropy(logits.flatten(0, 1), y.flatten(), reduction="none").view_as(y)

    for _ in range(SLOT_STEPS):
        optimizer.zero_grad()
        losses()[counted].mean().backward()
        optimizer.step()
    with torch.no_grad():
        return losses()


def evaluate(w):
    """Sliding window with SLOT; each window counts the targets that are new in it."""
    for p in w.values():
        p.requires_grad_(False)
    spans, done = [], 0
    while done < len(val) - 1:
        end = min(max(done + EVAL_STRIDE, SEQ_LEN), len(val) - 1)
        spans.append((end - SEQ_LEN, end - done))
        done = end
    spans = spans[rank::world]
    sums = torch.zeros(3, dtype=torch.float64, device=device)
    for k in range(0, len(spans), 32):
        group = spans[k : k + 32]
        rows = torch.stack([val[s : s + SEQ_LEN + 1] for s, _ in group]).to(device)
        x, y = rows[:, :-1], rows[:, 1:]
        new = torch.tensor([n for _, n in group], device=device)
        counted = torch.arange(SEQ_LEN, device=device) >= SEQ_LEN - new[:, None]
        nll = slot_batch(w, x, y, counted)[counted]
        sums += torch.stack([nll.double().sum(), counted.sum().double(), nbytes(x, y)[counted].sum().double()])
    nats, tokens, size = summed(sums).tolist()
    return nats / tokens, nats / math.log(2) / size


# training ------------------------------------------------------------------------------------------------------
def newton_schulz(g):
    x = g.bfloat16() if g.size(0) <= g.size(1) else g.bfloat16().T
    x = x / (x.norm() + 1e-7)
    for _ in range(5):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return x if g.size(0) <= g.size(1) else x.T


torch.manual_seed(SEED)
w = fresh_weights()
val = torch.cat([shard(n) for n in sorted(glob.glob(DATA_PATH + "/fineweb_val_*.bin"))])
say(f"seed:{SEED} world_size:{world} grad_accum:{grad_accum} params:{sum(p.numel() for p in w.values())} val_tokens:{len(val) - 1}")
say(f"MODEL_DIM:{MODEL_DIM} NUM_LAYERS:{NUM_LAYERS} SEQ_LEN:{SEQ_LEN} TRAIN_BATCH_TOKENS:{TRAIN_BATCH_TOKENS} ITERATIONS:{ITERATIONS} SLOT_STEPS:{SLOT_STEPS} SLOT_LR:{SLOT_LR}")
matrices = [k for k in w if k.split(".")[-1] in ("qkv", "o", "up", "down")]
scalars = [k for k in w if k not in matrices and k != "embedding"]
adam = torch.optim.Adam(
    [dict(params=[w["embedding"]], peak=PEAK["embedding"]), dict(params=[w[k] for k in scalars], peak=PEAK["scalar"])],
    lr=0.0, betas=(0.9, 0.95), fused=True)
velocity = {k: torch.zeros_like(w[k]) for k in matrices}
step_loss, orthogonal = torch.compile(training_loss), torch.compile(newton_schulz)
rows = train_rows(max(TRAIN_BATCH_TOKENS // (8 * SEQ_LEN), 1))
torch.cuda.synchronize()
start, step = time.perf_counter(), 0
while True:
    used = summed(torch.tensor(time.perf_counter() - start, device=device)).item() / world
    if step == ITERATIONS or used >= MAX_WALLCLOCK_SECONDS - 0.2:
        break
    left = min(1 - step / ITERATIONS, 1 - used / MAX_WALLCLOCK_SECONDS)
    factor = min(1.0, (step + 1) / 20, left / 0.4)
    for _ in range(grad_accum):
        loss = step_loss(w, next(rows)) / 8
        loss.backward()
    for p in w.values():
        summed(p.grad)
    for group in adam.param_groups:
        group["lr"] = factor * group["peak"]
    adam.step()
    with torch.no_grad():
        for k in matrices:
            velocity[k].mul_(BETA).add_(w[k].grad)
            turn = orthogonal(w[k].grad + BETA * velocity[k]).to(w[k].dtype)
            w[k].add_(turn, alpha=-factor * PEAK["matrix"] * max(1, w[k].size(0) / w[k].size(1)) ** 0.5)
    for p in w.values():
        p.grad = None
    step += 1
    if step in (1, 2, 5, 10) or step % 1000 == 0:
        say(f"step:{step}/{ITERATIONS} train_loss:{8 * loss.item():.4f} train_time:{1000 * used:.0f}ms")
torch.cuda.synchronize()
say(f"training stopped step:{step} train_time:{1000 * used:.0f}ms")

# artifact: int8 rows under lzma ----------------------------------------------------------------------------------
arrays = {}
for k, p in w.items():
    p = p.detach().float().cpu()
    if k in matrices or k == "embedding":
        s = (p.abs().amax(1, keepdim=True) / 31).clamp_min(1e-6).half()
        arrays[k], arrays["s:" + k] = (p / s.float()).round().to(torch.int8).numpy(), s.numpy()
    else:
        arrays[k] = p.half().numpy()
if rank == 0:
    box = io.BytesIO()
    np.savez(box, **arrays)
    with open("weights.xz", "wb") as f:
        f.write(lzma.compress(box.getvalue(), preset=9))
    sizes = os.path.getsize("weights.xz"), os.path.getsize(__file__)
    say(f"Serialized model int6+lzma: {sizes[0]} bytes\nCode size: {sizes[1]} bytes\nTotal submission size int6+lzma: {sum(sizes)} bytes")
if world > 1:
    dist.barrier()
with open("weights.xz", "rb") as f, np.load(io.BytesIO(lzma.decompress(f.read()))) as stored:
    for k, p in w.items():
        read = torch.from_numpy(stored[k]).float()
        p.data.copy_(read * torch.from_numpy(stored["s:" + k]).float() if "s:" + k in stored else read)

torch.cuda.synchronize()
start = time.perf_counter()
loss, bpb = evaluate(w)
torch.cuda.synchronize()
say(f"final_int6_slot val_loss:{loss:.4f} val_bpb:{bpb:.4f} eval_time:{1000 * (time.perf_counter() - start):.0f}ms")
say(f"final_int6_slot_exact val_loss:{loss:.8f} val_bpb:{bpb:.8f}")
if world > 1:
    dist.destroy_process_group()
