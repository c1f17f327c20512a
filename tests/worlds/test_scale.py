"""The scale profile: what shrinks, how, and what must not."""

from __future__ import annotations

import ast

import pytest

from harness.emulate import Way, other_way
from harness.worlds.scale import scale_profile

SCRIPT = """
import os
class Hyperparameters:
    iterations = int(os.environ.get("ITERATIONS", 20000))
    warmdown_iters = int(os.environ.get("WARMDOWN_ITERS", 3500))
    swa_every = int(os.environ.get("SWA_EVERY", "50"))
    ema_decay = float(os.environ.get("EMA_DECAY", 0.997))
    train_batch_tokens = int(os.environ.get("TRAIN_BATCH_TOKENS", 2048 * 48 * 8))
    train_seq_len = int(os.environ.get("TRAIN_SEQ_LEN", 2048))
    eval_seq_len = int(os.environ.get("EVAL_SEQ_LEN", train_seq_len))
    eval_stride = int(os.environ.get("EVAL_STRIDE", 64))
    max_wallclock_seconds = float(os.environ.get("MAX_WALLCLOCK_SECONDS", 600.0))
    vocab_size = int(os.environ.get("VOCAB_SIZE", 1024))
    num_layers = int(os.environ.get("NUM_LAYERS", 11))
    num_heads = int(os.environ.get("NUM_HEADS", 8))
    num_kv_heads = int(os.environ.get("NUM_KV_HEADS", 4))
    model_dim = int(os.environ.get("MODEL_DIM", 512))
    rope_dims = int(os.environ.get("ROPE_DIMS", 16))
    mlp_mult = float(os.environ.get("MLP_MULT", 3.0))
    matrix_lr = float(os.environ.get("MATRIX_LR", 0.025))
    ttt_enabled = bool(int(os.environ.get("TTT_ENABLED", "1")))
    ttt_epochs = int(os.environ.get("TTT_EPOCHS", 3))
    ttt_chunk_tokens = int(os.environ.get("TTT_CHUNK_TOKENS", 32768))
    ngram_buckets = int(os.environ.get("NGRAM_BUCKETS", 4_194_304))
    val_loss_every = int(os.environ.get("VAL_LOSS_EVERY", 0))
BIGRAM_VOCAB = 2048; KEEP = 7  # é: columns are bytes
def calibrate(model, num_seqs=64, seq_len=2048, temperature=0.8):
    return num_seqs
def sliding(x, stride=64):
    return stride
grad_accum_steps = 8 // world_size
calibrate(None, 128, 2048); sliding(None, stride=64)
"""


def test_scale_shrinks_and_features_stay() -> None:
    env = scale_profile(SCRIPT, {}).env
    width, heads, kv = int(env["MODEL_DIM"]), 8, 4
    assert width < 512
    assert width % heads == 0
    assert (width // heads) % 2 == 0
    assert int(env["ROPE_DIMS"]) <= width // heads
    assert int(env["TRAIN_BATCH_TOKENS"]) % (2 * int(env["TRAIN_SEQ_LEN"])) == 0
    assert int(env["TTT_CHUNK_TOKENS"]) % int(env["TRAIN_SEQ_LEN"]) == 0
    assert int(env["EVAL_STRIDE"]) < int(env["TRAIN_SEQ_LEN"])
    assert heads % kv == 0
    kept = {
        "NUM_LAYERS",
        "NUM_HEADS",
        "NUM_KV_HEADS",
        "VOCAB_SIZE",
        "MLP_MULT",
        "MATRIX_LR",
        "TTT_ENABLED",
        "TTT_EPOCHS",
    }
    assert not kept & set(env)
    assert "VAL_LOSS_EVERY" not in env, "zero stays zero"


def test_the_small_run_has_the_claimed_one_s_shape() -> None:
    scale = scale_profile(SCRIPT, {})
    steps = int(scale.env["ITERATIONS"])
    assert steps >= 10
    assert 0.3 < int(scale.env["WARMDOWN_ITERS"]) / steps < 0.7, "3,500 of about 7,000"
    assert scale.step_seconds * steps == pytest.approx(600), "the clock ends training where the steps do"
    assert 0 < float(scale.env["EMA_DECAY"]) < 0.9, "averaged weights forget the same share of the run"
    assert scale.val_tokens // scale.seq_len >= 32
    assert scale.val_tokens // int(scale.env["TTT_CHUNK_TOKENS"]) >= 8
    buckets = int(scale.env["NGRAM_BUCKETS"])
    assert buckets & (buckets - 1) == 0, "a power of two stays one"
    assert scale.val_tokens / buckets == pytest.approx(62_021_632 / 4_194_304, rel=0.5)


def test_prefix_of_documents_spans_several_updates() -> None:
    """Where the whole model learns from the first documents in phases, each phase takes steps, and scores follow them."""
    phased = (
        SCRIPT
        + """
prefix_docs = int(os.environ.get("PHASED_TTT_PREFIX_DOCS", 2000))
chunk = int(os.environ.get("GLOBAL_TTT_CHUNK_TOKENS", 32768))
batch = int(os.environ.get("TTT_BATCH_SIZE", 64))
"""
    )
    scale = scale_profile(phased, {"VOCAB_SIZE": "8192"})
    documents = scale.val_tokens / 170
    prefix, batch = int(scale.env["PHASED_TTT_PREFIX_DOCS"]), int(scale.env["TTT_BATCH_SIZE"])
    assert documents / 2 < prefix < documents - batch / 2, "documents are left that are scored after it"
    assert prefix / batch >= 2, "scored in several batches, with phases between"
    assert prefix / 3 * 170 > 2 * int(scale.env["GLOBAL_TTT_CHUNK_TOKENS"]), (
        "a third holds more than its last chunk"
    )
    assert (
        int(scale_profile(SCRIPT.replace("NGRAM_BUCKETS", "TTT_BATCH_SIZE"), {}).env["TTT_BATCH_SIZE"]) == 8
    )


def test_constants_are_replaced_in_place() -> None:
    scale = scale_profile(SCRIPT, {})
    assert scale.source.count("\n") == SCRIPT.count("\n")
    ast.parse(scale.source)
    lines = dict(zip(SCRIPT.split("\n"), scale.source.split("\n"), strict=True))
    assert (
        lines["BIGRAM_VOCAB = 2048; KEEP = 7  # é: columns are bytes"]
        == "BIGRAM_VOCAB = 256; KEEP = 7  # é: columns are bytes"
    )
    assert lines["grad_accum_steps = 8 // world_size"] == "grad_accum_steps = 2 // world_size"
    assert lines["def sliding(x, stride=64):"] == "def sliding(x, stride=16):"
    assert (
        lines["calibrate(None, 128, 2048); sliding(None, stride=64)"]
        == "calibrate(None, 4, 64); sliding(None, stride=16)"
    )
    assert ("bigram_vocab", "2048", "256") in scale.overrides


def test_claimed_settings_come_before_defaults() -> None:
    scale = scale_profile(
        SCRIPT, {"VOCAB_SIZE": "8192", "MODEL_DIM": "768", "NUM_HEADS": "12", "ITERATIONS": "12"}
    )
    assert scale.vocab_size == 8192
    assert int(scale.env["MODEL_DIM"]) % 12 == 0
    assert "ITERATIONS" not in scale.env, "a short run is not shortened"
    assert ("MODEL_DIM", "768", scale.env["MODEL_DIM"]) in scale.overrides
    assert scale.val_tokens < scale_profile(SCRIPT, {}).val_tokens


def test_what_is_claimed_but_not_understood_is_scaled() -> None:
    source = "import os\nfor k in ('TRAIN_SEQ_LEN',):\n    globals()[k.lower()] = int(os.environ[k])\n"
    assert scale_profile(source, {"TRAIN_SEQ_LEN": "4096"}).env["TRAIN_SEQ_LEN"] == "64"


def test_command_line_options() -> None:
    source = "import argparse\np = argparse.ArgumentParser()\np.add_argument('--model-dim', type=int, default=512)\n"
    argv = scale_profile(source, {}).argv
    assert argv[0] == "--model-dim"
    assert int(argv[1]) < 512


def test_modules_of_the_submission_shrink_with_it() -> None:
    scale = scale_profile(
        "import core\n", {}, helpers={"core.py": "model_dim = 512\n", "other.py": "model_dim = 512\n"}
    )
    assert scale.helpers == {"core.py": "model_dim = 64\n"}


@pytest.mark.parametrize(
    ("settings", "vocab", "caseops"),
    [
        ({"DATA_PATH": "/d/fineweb10B_sp4096"}, 4096, False),
        ({"DATA_PATH": "/d/fineweb10B_sp8192_lossless_caps_caseops_v1_reserved"}, 8192, True),
        ({"CASEOPS_ENABLED": "1", "VOCAB_SIZE": "8192"}, 8192, True),
        ({}, 1024, False),
    ],
)
def test_vocabulary(settings: dict[str, str], vocab: int, caseops: bool) -> None:
    scale = scale_profile("import os\n", settings)
    assert (scale.vocab_size, scale.caseops) == (vocab, caseops)


def test_the_mild_profile_is_larger() -> None:
    assert int(scale_profile(SCRIPT, {}, shrink="mild").env["MODEL_DIM"]) > int(
        scale_profile(SCRIPT, {}).env["MODEL_DIM"]
    )


def test_full_width_keeps_the_width_and_takes_fewer_steps() -> None:
    whole, small = scale_profile(SCRIPT, {}, shrink="full_width"), scale_profile(SCRIPT, {})
    assert "MODEL_DIM" not in whole.env
    assert int(whole.env["ITERATIONS"]) < int(small.env["ITERATIONS"])


def test_a_setting_that_is_kept_stays_as_claimed() -> None:
    kept = scale_profile(SCRIPT, {}, keep={"train_seq_len"})
    assert "TRAIN_SEQ_LEN" in scale_profile(SCRIPT, {}).env
    assert "TRAIN_SEQ_LEN" not in kept.env
    assert "MODEL_DIM" in kept.env


def test_a_setting_shrinks_to_the_least_that_the_script_takes() -> None:
    source = 'import os\nbuckets = int(os.environ.get("NGRAM_EVAL_BUCKETS", 4_194_304))\n'
    used = [scale_profile(source, {}, keep=keep, least=least).env for keep, least in KEPT]
    assert [e.get("NGRAM_EVAL_BUCKETS") for e in used] == ["256", "1024", None, None]


KEPT: list[tuple[set[str], int | None]] = [
    (set(), None),
    ({"ngram_eval_buckets"}, 1_024),
    ({"ngram_eval_buckets"}, None),
    ({"ngram_eval_buckets"}, 1 << 23),
]


def test_the_least_is_read_from_what_the_script_said() -> None:
    crash = "ValueError at line 904 of the script: NGRAM_EVAL_BUCKETS must be a power of two >=1024, got 256"
    changed = [("NGRAM_EVAL_BUCKETS", "4194304", "256")]
    first = other_way(Way(), "crashed", crash, changed)
    assert first == Way(keep=frozenset({"ngram_eval_buckets"}), least=1_024)
    assert str(first) == "at the same scale with ngram_eval_buckets of 1,024"
    assert other_way(first, "crashed", crash, changed) == Way(keep=first.keep)
    plain = other_way(Way(), "crashed", "ValueError at line 9 of the script: bad NGRAM_EVAL_BUCKETS", changed)
    assert plain == Way(keep=first.keep)


def test_what_newer_libraries_and_torchrun_refuse_is_tried_another_way() -> None:
    pickled = (
        "_pickle.UnpicklingError at line 17 of the script: Weights only load failed. In PyTorch 2.6, ..."
    )
    assert other_way(Way(), "crashed", pickled, []) == Way(old_load=True)
    assert other_way(Way(old_load=True), "crashed", pickled, []) is None
    refused = "RuntimeError at line 34 of the script: QAT under DDP is unsupported"
    assert other_way(Way(), "crashed", refused, []) == Way(torchrun=False)


def test_stages_of_a_schedule_shrink_with_what_they_stand_for() -> None:
    source = (
        SCRIPT
        + '\nschedule = os.environ.get("TRAIN_SEQ_SCHEDULE", "")\nrates = os.environ.get("LR_SCHEDULE", "")\n'
    )
    claimed = {
        "TRAIN_SEQ_LEN": "3072",
        "TRAIN_SEQ_SCHEDULE": "1024@0.1,2048@0.7,3072@1.0",
        "LR_SCHEDULE": "2@0.5",
    }
    scale = scale_profile(source, claimed)
    stages = [stage.split("@") for stage in scale.env["TRAIN_SEQ_SCHEDULE"].split(",")]
    assert [at for _, at in stages] == ["0.1", "0.7", "1.0"]
    sizes = [int(size) for size, _ in stages]
    assert sizes == sorted(sizes)
    assert sizes[-1] <= int(scale.env["TRAIN_SEQ_LEN"])
    assert all(int(scale.env["TRAIN_BATCH_TOKENS"]) % (8 * size) == 0 for size in sizes)
    assert "LR_SCHEDULE" not in scale.env


def test_a_script_that_does_not_parse_has_the_usual_scale() -> None:
    """Its run crashes and says so; an exception here was an ERROR of the auditor (a log pasted behind a real script)."""
    assert scale_profile("import os\n| 0  NVIDIA 80GB |\n", {}).val_tokens == scale_profile("", {}).val_tokens


@pytest.mark.parametrize(("parts", "rows"), [("L = 8 // I", 8), ("grad_accum_steps = 8 // world_size", 4)])
def test_a_batch_in_eight_parts_of_another_name_has_a_row_for_each(parts: str, rows: int) -> None:
    source = (
        "import os\n"
        'class H:\n    batch = int(os.environ.get("TRAIN_BATCH_TOKENS", 786432))\n'
        '    seq = int(os.environ.get("TRAIN_SEQ_LEN", 2048))\n'
        'V = int(os.environ.get("VOCAB_SIZE", 4096))\n'
        'I = world_size = int(os.environ.get("WORLD_SIZE", "1"))\n'
        f"{parts}\n"
    )
    env = dict(scale_profile(source, {}).env)
    assert int(env["TRAIN_BATCH_TOKENS"]) == rows * int(env["TRAIN_SEQ_LEN"])
