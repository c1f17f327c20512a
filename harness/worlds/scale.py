"""The scale profile: a script written for 8xH100 and ten minutes made to run on one CPU thread in seconds.

Only scale shrinks: width, heads' width, batch, steps, sequence, chunk and table sizes, keeping their ratios. Counts of
layers and heads, the vocabulary, every feature, rate and number of epochs stay as claimed.
"""

from __future__ import annotations

import ast
import dataclasses
import math
import re
from collections.abc import Collection, Mapping
from typing import Literal

from harness.worlds.scale_names import Sizes, shrunk
from harness.worlds.scale_source import Number, Place, numbers, replace, texts
from harness.worlds.scale_stages import shrunk_stages
from harness.worlds.tuning import Tuning

HEAD_DIM = 8
SEQUENCE = 64
STEPS = 16
STEPS_AT_FULL_WIDTH = 4
STEPS_WITH_TRITON = 12
"""Triton's interpreter takes tens of microseconds for each operation of each program of a kernel."""
TYPICAL_STEPS = 7_000
"""Steps that the claimed runs reach in 600 s where only the clock ends them: 5,000 to 13,000 in the merged records."""
BUDGET_SECONDS = 600.0
TOKENS_PER_DOCUMENT = 170
TRAIN_TOKENS = 120_000

Shrink = Literal["small", "mild", "full_width"]
"""How far: "mild" half as much in width and sequences, "full_width" nothing in width, and fewer steps for it."""

_EIGHTHS = re.compile(r"(?<![\w.])(\w+)\s*=\s*8\s*//\s*[A-Za-z_]")
_VOCABULARY_IN_PATH = re.compile(r"(?:fineweb10b_(?:sp|byte)|fineweb_|bpe_?)(\d{3,5})", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class Scale:
    """The small run: `env` and `argv` override settings, `source` is the script with constants replaced line for line,
    `helpers` likewise the submission's other modules that it uses.

    `overrides` lists (name, was, used). `step_seconds` is the virtual time that each of the first `steps` training
    steps takes, so that they fill the training budget. `val_tokens` and `train_tokens` are what the world should hold.
    """

    env: Mapping[str, str]
    argv: tuple[str, ...]
    source: str
    helpers: Mapping[str, str]
    overrides: tuple[tuple[str, str, str], ...]
    vocab_size: int
    caseops: bool
    val_tokens: int
    train_tokens: int
    seq_len: int
    step_seconds: float
    steps: int


def scale_profile(
    source: str,
    claimed_env: Mapping[str, str],
    *,
    helpers: Mapping[str, str] | None = None,
    shrink: Shrink = "small",
    keep: Collection[str] = (),
    least: int | None = None,
    tuning: Tuning | None = None,
) -> Scale:
    """The profile for a script with its claimed settings; names in `keep` (lower case) stay as claimed, or shrink to
    `least` where that is given.

    `helpers` are the other Python files of the submission, by path; those that the script names shrink with it.
    `tuning` is what an experiment changes besides. Raises SyntaxError when the source does not parse.
    """
    used = _used(source, helpers or {})
    found = numbers(source, claimed_env)
    words = texts(source, claimed_env)
    for path, text in used.items():
        found += [dataclasses.replace(n, file=path) for n in numbers(text, {})]
        words = texts(text, claimed_env) | words
    vocab_size, caseops = _vocabulary(source, found, words)
    kernels = any("@triton.jit" in text for text in (source, *used.values()))
    sizes = dataclasses.replace(_sizes(found, vocab_size, kernels, shrink), kernels=kernels)
    sizes = dataclasses.replace(sizes, prefix=any("prefix_doc" in n.name and n.value > 0 for n in found))
    sizes = dataclasses.replace(sizes, eighths=any(map(_eighths, (source, *used.values()))))
    sizes = sizes if tuning is None else _fewer_steps(sizes, tuning.steps)
    env: dict[str, str] = {}
    argv: list[str] = []
    changes: dict[str, dict[Place, str]] = {path: {} for path in ("", *used)}
    overrides: dict[tuple[str, str], str] = {}
    for number in found:
        new = tuning.tuned(number.name, number.value) if tuning else None
        new = shrunk(number.name, number.value, sizes) if new is None else new
        kept = not {number.name.lower(), (number.variable or number.name).lower()}.isdisjoint(keep)
        if kept and new is not None:
            new = None if least is None or least >= number.value else max(new, least)
        if new is None:
            continue
        was = f"{number.value:g}" if number.value % 1 else str(int(number.value))
        overrides[number.variable or number.option or number.name, was] = str(new)
        if number.variable:
            env[number.variable] = str(new)
        elif number.option:
            argv += [number.option, str(new)]
        elif number.place:
            changes[number.file][number.place] = str(new)
    for name, text in words.items():
        stages = None if name.lower() in keep else shrunk_stages(name, text, sizes)
        if stages is not None:
            env[name] = stages
            overrides[name, text] = stages
    warmup = min(int(_first(found, "warmup_steps", default=0.0)), 1)
    return Scale(
        env=env,
        argv=tuple(argv),
        source=replace(source, changes[""]),
        helpers={path: replace(text, changes[path]) for path, text in used.items()},
        overrides=tuple((name, was, used) for (name, was), used in overrides.items()),
        vocab_size=vocab_size,
        caseops=caseops,
        val_tokens=sizes.val_tokens,
        train_tokens=TRAIN_TOKENS,
        seq_len=sizes.train_seq_len,
        step_seconds=_budget(found) / sizes.steps,
        steps=sizes.steps + 2 * warmup,
    )


def _used(source: str, helpers: Mapping[str, str]) -> dict[str, str]:
    """The helpers that the script names, as a module or as a file, and that those name in turn."""
    used: dict[str, str] = {}
    texts_to_read = [source]
    while texts_to_read:
        text = texts_to_read.pop()
        for path, helper in helpers.items():
            stem = path.rpartition("/")[2].removesuffix(".py")
            if path not in used and re.search(rf"\b{re.escape(stem)}\b", text) and _parses(helper):
                used[path] = helper
                texts_to_read.append(helper)
    return used


def _parses(source: str) -> bool:
    try:
        ast.parse(source)
    except SyntaxError:
        return False
    return True


def _eighths(text: str) -> bool:
    """Whether a batch is cut in `8 // world_size` parts whose number has another name than grad_accum_steps (minified)."""
    return any("accum" not in name for name in _EIGHTHS.findall(text))


def _sizes(found: list[Number], vocab_size: int, kernels: bool, shrink: Shrink) -> Sizes:
    times = 1 if shrink == "small" else 2
    most_steps = STEPS_WITH_TRITON if kernels else STEPS
    heads = int(_first(found, "num_heads", "n_heads", "n_head", "nhead", "heads", default=8.0))
    width = _first(
        found, "model_dim", "d_model", "n_embd", "embedding_dim", "hidden_size", "dim", default=512.0
    )
    sequence = _first(
        found, "train_seq_len", "seq_len", "sequence_length", "sequence_len", "seqlen", default=1024.0
    )
    small_width = min(width, HEAD_DIM * times * max(heads, 4))
    if shrink == "full_width":
        small_width, most_steps = width, STEPS_AT_FULL_WIDTH
    small_sequence = min(int(sequence), SEQUENCE * times)
    sequence_ratio = small_sequence / sequence
    longest = max(
        [small_sequence, *(_small(n.value, sequence_ratio) for n in found if "eval_seq_len" in n.name)]
    )
    stride = _first(
        found, "eval_stride", "stride", "sliding_window_stride", "sliding_eval_stride", default=64.0
    )
    evaluated = _first(found, "eval_seq_len", default=sequence)
    windows = min(math.ceil(evaluated / max(stride, 1)), 4)
    steps = min(
        most_steps,
        int(_first(found, "iterations", "num_iterations", "max_steps", "train_steps", default=20_000.0)),
    )
    # Logits over a large vocabulary cost more than all layers together: half the sequences then.
    val_tokens = (
        64 if vocab_size <= 2048 else 32
    ) * SEQUENCE * times + 37  # not a multiple, as the official set
    return Sizes(
        width_ratio=small_width / width,
        head_dim=max(4, int(small_width // heads)),
        heads=heads,
        sequence_ratio=sequence_ratio,
        train_seq_len=small_sequence,
        longest_seq_len=longest,
        windows_per_sequence=max(windows, 1),
        step_ratio=steps / _claimed_steps(found),
        steps=max(steps, 1),
        vocab_size=vocab_size,
        val_tokens=val_tokens,
        val_documents=val_tokens // TOKENS_PER_DOCUMENT,
    )


def _fewer_steps(sizes: Sizes, most: int) -> Sizes:
    """The sizes of a run of at most so many steps; thresholds in steps keep their share of the run."""
    steps = min(sizes.steps, most)
    return dataclasses.replace(sizes, steps=steps, step_ratio=sizes.step_ratio * steps / sizes.steps)


def _small(length: float, ratio: float) -> int:
    return max(16, round(length * ratio / 16) * 16)


def _claimed_steps(found: list[Number]) -> float:
    """The steps of the claimed run: what the clock allows, unless fewer are asked for."""
    asked = _first(found, "iterations", "num_iterations", "max_steps", "train_steps", default=20_000.0)
    return asked if asked <= 1.5 * TYPICAL_STEPS else TYPICAL_STEPS


def _budget(found: list[Number]) -> float:
    """The training budget in seconds; where there is none, the challenge's."""
    seconds = _first(found, "max_wallclock_seconds", "max_wallclock", "time_budget", default=BUDGET_SECONDS)
    return seconds if seconds > 0 else BUDGET_SECONDS


def _first(found: list[Number], *names: str, default: float) -> float:
    """The first of these names that the script knows with a positive value; environment variables before constants."""
    for name in names:
        values = [n for n in found if n.name == name and n.value > 0]
        values.sort(key=lambda n: n.variable is None)
        if values:
            return values[0].value
    return default


def _vocabulary(source: str, found: list[Number], words: Mapping[str, str]) -> tuple[int, bool]:
    """The vocabulary that the script wants, and whether its tokenizer is the case-folding one."""
    paths = " ".join(v for k, v in words.items() if re.search("DATA|TOKENIZER", k)).lower()
    flag = words.get("CASEOPS_ENABLED", "1" if "caseops" in paths else "0")
    size = _first(found, "vocab_size", default=0.0)
    if not size:
        in_path = _VOCABULARY_IN_PATH.search(paths) or _VOCABULARY_IN_PATH.search(source)
        size = float(in_path[1]) if in_path else 1024.0
    return int(size), flag.strip().lower() in ("1", "true", "yes")
