"""Which numbers of a script are scale, told by their names, and how each shrinks: one table, a reason for each row.

What is not named here keeps its value: features, rates, counts of layers, epochs and phases. Zero stays zero.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable

OFFICIAL_VAL_TOKENS = 62_021_632
OFFICIAL_VAL_DOCUMENTS = 50_000
CHUNKS = 16
"""At most so many chunks per val set: enough for an order of events, few enough to be quick."""


@dataclasses.dataclass(frozen=True)
class Sizes:
    """The sizes of the small run, and the ratios to the claimed one. `eighths`: a batch is cut in eight parts, under a name
    that does not say so."""

    width_ratio: float
    head_dim: int
    heads: int
    sequence_ratio: float
    train_seq_len: int
    longest_seq_len: int
    windows_per_sequence: int
    step_ratio: float
    steps: int
    vocab_size: int
    val_tokens: int
    val_documents: int
    kernels: bool = False
    prefix: bool = False
    eighths: bool = False


def multiple(value: float, of: int, least: int | None = None) -> int:
    """The multiple of `of` nearest to value, at least `least` (by default one multiple)."""
    return max(of if least is None else least, round(value / of) * of)


def _power_of_two(value: float, least: int) -> int:
    return max(least, 1 << max(0, round(math.log2(max(value, 1)))))


def _width(value: float, s: Sizes) -> int:
    step = math.lcm(s.heads, 8)
    wanted = value * s.width_ratio
    return multiple(wanted, step) if wanted >= step else multiple(wanted, 8)


def _head_dim(value: float, s: Sizes) -> int:
    return max(4, multiple(value * s.width_ratio, 4))


def _rotary_dims(value: float, s: Sizes) -> int:
    return min(s.head_dim, max(4, multiple(value * s.width_ratio, 2)))


def _rank(value: float, s: Sizes) -> int:
    return max(4, round(value * s.width_ratio))


def _group(value: float, s: Sizes) -> int:
    return _power_of_two(value * s.width_ratio, 8)


def _whole_row(value: float, s: Sizes) -> int:
    """A size that grows: Triton's interpreter takes the same time for a short block as for a long one."""
    return max(int(value), 1 << (s.vocab_size - 1).bit_length())


def _kernel_block(value: float, s: Sizes) -> int:
    """Elements per program of an elementwise kernel, for the same reason; without kernels, nanoGPT's name of a sequence."""
    return 1 << 16 if s.kernels else _sequence(value, s)


def _area(value: float, s: Sizes) -> int:
    """Half as much again as its matrices shrink: a table of a few rows for each layer only shrinks in proportion."""
    return max(256, round(1.5 * value * s.width_ratio**2))


def _sequence(value: float, s: Sizes) -> int:
    return multiple(value * s.sequence_ratio, 16)


def _stride(value: float, s: Sizes) -> int:
    return max(4, round(value * s.sequence_ratio), s.longest_seq_len // s.windows_per_sequence)


def _document_chunk(value: float, s: Sizes) -> int:
    return _stream_chunk(value, s) if value >= 8192 else multiple(value * s.sequence_ratio, 8, least=16)


def _stream_chunk(value: float, s: Sizes) -> int:
    chunks = min(max(OFFICIAL_VAL_TOKENS / value, 8), CHUNKS)
    return max(1, math.ceil(s.val_tokens / chunks / s.longest_seq_len)) * s.longest_seq_len


def _train_batch(value: float, s: Sizes) -> int:
    return (8 if s.vocab_size <= 2048 or s.eighths else 4) * s.train_seq_len


def _accumulation(value: float, s: Sizes) -> int:
    return 2


def _micro_batch(value: float, s: Sizes) -> int:
    return min(int(value), 2)


def _val_batch(value: float, s: Sizes) -> int:
    return 32 * s.longest_seq_len


def _sequences_at_once(value: float, s: Sizes) -> int:
    return min(int(value), 16)


def _ttt_batch(value: float, s: Sizes) -> int:
    return min(int(value), max(2, s.val_documents // 3) if s.prefix else 8)


def _steps(value: float, s: Sizes) -> int:
    return max(1, round(value * s.step_ratio))


def _decay(value: float, s: Sizes) -> float:
    """The decay that forgets the same share of the run: 0.997 over 7,000 steps forgets like 0.27 over 16."""
    return max(0.1, round(math.pow(value, 1 / max(s.step_ratio, 1e-6)), 4))


def _all_steps(value: float, s: Sizes) -> int:
    return s.steps


def _warm_up(value: float, s: Sizes) -> int:
    return 1


def _monitoring(value: float, s: Sizes) -> int:
    return max(1, s.steps // 2)


def _log_every(value: float, s: Sizes) -> int:
    return max(1, s.steps // 4)


def _batches(value: float, s: Sizes) -> int:
    return min(int(value), 2)


def _few(value: float, s: Sizes) -> int:
    return min(int(value), 4)


def _documents(value: float, s: Sizes) -> int:
    return max(4, round(value * s.val_documents / OFFICIAL_VAL_DOCUMENTS))


def _prefix_documents(value: float, s: Sizes) -> int:
    """More than their share of the val documents, or the whole model would take no step after them."""
    return min(int(value), max(4, 2 * s.val_documents // 3))


def _prefix_chunk(value: float, s: Sizes) -> int:
    """Two sequences: the last chunk is never trained on, and the first phase of three sees a few documents."""
    return 2 * s.longest_seq_len


def _eval_buckets(value: float, s: Sizes) -> int:
    wanted = value * s.val_tokens / OFFICIAL_VAL_TOKENS
    exact = value == 2 ** round(math.log2(value))
    return _power_of_two(wanted, 128) if exact else max(127, round(wanted) | 1)


def _table_bits(value: float, s: Sizes) -> int:
    return max(10, round(value - math.log2(OFFICIAL_VAL_TOKENS / s.val_tokens)))


def _learned_buckets(value: float, s: Sizes) -> int:
    exact = value == 2 ** round(math.log2(value))
    return _power_of_two(value / 8, 128) if exact else max(128, round(value / 8))


def _val_span(value: float, s: Sizes) -> int:
    return multiple(
        value * s.val_tokens / OFFICIAL_VAL_TOKENS, s.longest_seq_len, least=4 * s.longest_seq_len
    )


@dataclasses.dataclass(frozen=True)
class Rule:
    """Names that match `pattern` in full, with a value of at least `least`, shrink by `shrink`, because of `reason`."""

    pattern: re.Pattern[str]
    least: float
    shrink: Callable[[float, Sizes], float]
    reason: str


_TABLE: tuple[tuple[str, float, Callable[[float, Sizes], float], str], ...] = (
    # steps
    (r"(num_|n_|max_|total_|train_)?(iterations|iters|train_steps|max_steps|num_steps|total_steps)", 30, _all_steps,
     "length of training"),
    (r"warmup_steps|compile_warmup(_steps)?|loop_warmup_steps|warmup_compile_steps", 3, _warm_up,
     "warm-up of the compiler, thrown away"),
    (r".*(warm_?down|cool_?down|decay|anneal).*(iters|steps)|.*lr_warmup.*|.*momentum_warmup(_steps)?", 20, _steps,
     "schedule in steps"),
    (r".*(swa|ema|lawa|qat|recur|loop|curriculum|start|activate|switch|distill|obf|prune).*_(step|steps|iter|iters)",
     40, _steps, "threshold in steps"),
    (r"(swa|lawa|ema|checkpoint|snapshot|avg)_(every|interval|freq|period)", 10, _steps, "period in steps"),
    (r"(stop_check|sync|check|reset)_every|.*_stop_check_every", 10, _steps, "period in steps"),
    (r"(val|eval|validate)(_loss)?_(every|interval|freq)|eval_every_steps", 20, _monitoring, "monitoring period"),
    (r"(train_)?log_(every|interval|freq)|print_every", 5, _log_every, "logging period"),
    (r"(model_|weight_|param_|tight_|fast_|slow_)?(ema|swa_ema)_?(decay|beta|alpha)?(_start|_end|_final)?", 0.9, _decay,
     "memory of the averaged weights, in steps"),
    # width
    (r"(model|embed|embedding|hidden|d|n|tok_emb|token)_?(dim|model|embd|embed|size_dim)|model_width|width|hidden_size",
     96, _width, "width"),
    (r"(mlp|ffn|ff|intermediate|expert)_?(hidden|dim|size|hidden_dim)(_size)?|d_ff|d_inner", 96, _width,
     "width of the MLP where it is not a multiple"),
    (r"(head_?dim|headdim|d_head|qk_dim|v_head_dim|d_state|qk_nope_dim)", 16, _head_dim, "width of a head"),
    (r".*rope_?dims?|rotary_dims?|partial_rope(_dims?)?|qk_rope_dim|yarn_dims?", 8, _rotary_dims,
     "rotated dimensions of a head"),
    (r".*(bigram|trigram|ngram|hash|ve|value_emb\w*|engram|memory|mem|inst|latent|kv_lora|bottleneck|xattn|low_?rank"
     r"|proj|adapter|router|gate_hidden|sketch|distill)_?(hash_|value_|key_)?(dim|d|width|embed_dim)",
     24, _width, "width of a table"),
    (r".*(lora|low_?rank|adapter|lqer|svd|ttt)_?(rank|r)", 24, _rank, "rank, not above the width"),
    (r"block(_size)?", 512, _kernel_block, "block of an elementwise kernel, or length of a sequence"),
    (r"(qat_|quant_|gptq_|asym_|lqer_asym_|int\d_|ternary_|bitnet_|fp4_|q)?(group_?size|block_?size|group|blocksize)",
     32, _group, "quantization group: columns of a matrix"),
    (r"\w*(ce|xent|cross_entropy|softmax|logits)_block_?(size|v|n)", 128, _whole_row,
     "block of a kernel over the vocabulary"),
    (r".*keep_float_max_numel|.*max_numel|.*min_numel|numel", 4096, _area, "threshold of a matrix' size"),
    # sequences
    (r".*seq_?len(gth)?(_start|_end|_min|_max|_train|_eval)?|.*(context|ctx)_?(len(gth)?|size)?|sequence_len(gth)?"
     r"|max_position_embeddings|(max|train|eval|original_max|yarn|rope)_(len|length|ctx|context)|seqlen|seq|n_ctx"
     r"|block_size_ctx|yarn_max_len", 128, _sequence, "length of a sequence"),
    (r".*(attn|attention|sliding|swa|local|long|short|ntk|kv|cache)_?window(_size|_len)?|window(_size|_len)?", 128,
     _sequence, "attention window"),
    (r".*stride", 16, _stride, "stride of a sliding window: windows per sequence, bounded"),
    # batches
    (r"val_batch_(size|tokens)|eval_batch_(tokens|size)|val_bs|eval_bs_tokens|vbs", 8192, _val_batch,
     "tokens of an evaluation batch"),
    (r".*batch_(tokens|size_tokens|toks)(_start|_end|_min|_max)?|tokens_per_(step|batch)|total_batch_size"
     r"|train_batch_size|batch_tokens|(target_)?micro_?(batch_)?tok(en)?s", 8192, _train_batch,
     "tokens of a training step"),
    (r"(grad|gradient)_?accum(ulation)?(_steps)?", 3, _accumulation, "parts of a training step"),
    (r"(device|micro|train)_?batch_?(size|seqs)?|tok_per_rank|batch_size", 8, _micro_batch, "sequences of a step"),
    (r".*(eval|val|sliding|slide|slot|score|ngram).*batch.*(seqs|size|windows)?|batch_(seqs|windows)", 17,
     _sequences_at_once, "sequences scored at once"),
    (r".*(ttt|lora|adapt|global).*batch.*", 9, _ttt_batch, "sequences or documents adapted at once"),
    (r"take", 16_384, _val_batch, "training tokens taken to calibrate"),
    # chunks, documents, tables
    (r".*global\w*_chunk_tokens", 8192, _prefix_chunk, "span of an update from the first documents"),
    (r".*prefix_?docs?(uments)?", 50, _prefix_documents, "documents after which the whole model learns"),
    (r".*(chunk|segment|seg|block)_?(tokens|toks|len)|.*chunk_?(size|sz)?", 24, _document_chunk, "span of an update"),
    (r".*(prefix|max|num|ttt|val|eval|warm|train)_?docs?(uments)?|.*_doc_(limit|count)", 50, _documents,
     "share of the val documents"),
    (r".*min_doc_(len|tokens)|.*_min_len", 64, _sequence, "length of a document"),
    (r".*(bigram|trigram|engram|fourgram|quadgram).*(vocab|buckets|size|table|hash)(_size)?", 512, _learned_buckets,
     "learned hash table"),
    (r".*(buckets|table_size|hash_size|cache_size|num_slots|hash_entries)", 8192, _eval_buckets,
     "hash table filled in evaluation: tokens per bucket"),
    (r".*(table|hash|bucket|cache|open)s?_?bits", 16, _table_bits,
     "logarithm of a hash table filled in evaluation"),
    (r".*(val|eval|ttt|smoke)_?(max_|num_|n_)?(tok|tokens)(_limit)?", 100_000, _val_span, "part of the val set"),
    # calibration
    (r".*calib\w*_(batches|steps|num_batches|n_batches)|.*hessian_batches|n(um)?_calib\w*", 3, _batches,
     "calibration batches"),
    (r".*calib\w*_(seqs|samples|sequences|nsamples)|.*(gptq|ar)_(seqs|samples|num_seqs|nsamples)|.*self_gen_seqs", 5,
     _few, "calibration sequences"),
    (r"(n|num|max)_(calib_|gen_|ar_)?(seqs|sequences|samples)", 5, _few, "calibration sequences"),
)  # fmt: skip

RULES = tuple(Rule(re.compile(p), least, shrink, reason) for p, least, shrink, reason in _TABLE)


def shrunk(name: str, value: float, sizes: Sizes) -> float | None:
    """The value that `name` takes in the small run, or None where it keeps its own."""
    for rule in RULES:
        if value >= rule.least and rule.pattern.fullmatch(name):
            new = rule.shrink(value, sizes)
            grows = rule.shrink in (_whole_row, _kernel_block)
            return new if new < value or grows else None
    return None
