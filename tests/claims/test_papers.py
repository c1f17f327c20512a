"""The claims witness and its rules: artifact bytes, clocks, calibration, denominator, overlap and papers."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.case import Case, Finding, Origin, Script, Status, Submission
from harness.intake.claim import claimed_configuration
from harness.witnesses import claims
from harness.witnesses.claims.packaging import packaging
from rules import registry

SOURCE = 'import os\nprint(f"final_exact val_loss:{1} val_bpb:{1} eval_time:{1}ms")\n'
TOKENS, BYTES = 62_021_632, 151_078_000

Judge = Callable[..., Finding]


def loss_of(bpb: float, denominator: int = BYTES, tokens: int = TOKENS) -> float:
    """The nats per token that give this BPB over a denominator."""
    return bpb * math.log(2.0) * denominator / tokens


def log(
    *,
    bpb: float = 1.1234,
    model: int = 15_900_000,
    train_ms: int = 600_038,
    eval_ms: int = 90_000,
    tail: str = "",
    denominator: int = BYTES,
    tokens: int = TOKENS,
    shards: int = 80,
    data: str = "./data/datasets/fineweb10B_sp1024",
    reserve: str = "",
) -> str:
    loss = loss_of(bpb, denominator, tokens)
    return (
        f"datasets_dir: {data}\ntrain_shards: {shards}\nval_tokens: {tokens}\nworld_size:8\n{reserve}"
        f"step:7000/9000 val_loss:{loss_of(1.2, denominator, tokens):.6f} val_bpb:1.200000 "
        f"train_time:{train_ms}ms step_avg:83.5ms\n"
        f"stopping_early: wallclock_cap train_time:{train_ms}ms step:7000/9000\n{tail}"
        f"Serialized model int6+lzma: {model} bytes\nCode size: {len(SOURCE)} bytes\n"
        f"Total submission size int6+lzma: {model + len(SOURCE)} bytes\n"
        f"final_exact val_loss:{loss:.8f} val_bpb:{bpb:.8f} eval_time:{eval_ms}ms\n"
    )


@pytest.fixture
def judge(tmp_path: Path) -> Judge:
    """What one rule finds of a submission with these files."""

    def run(
        rule: str,
        text: str | None,
        *,
        bpb: float = 1.1234,
        track: str = "record",
        merged: bool = False,
        **files: str,
    ) -> Finding:
        (tmp_path / "submission.json").write_text(json.dumps({"author": "a", "name": "n", "val_bpb": bpb}))
        (tmp_path / "README.md").write_text(files.pop("README__md", f"val_bpb {bpb}\n"))
        (tmp_path / "train_gpt.py").write_text(SOURCE)
        if text is not None:
            (tmp_path / "train.log").write_text(text)
        for name, content in files.items():
            (tmp_path / name.replace("__", ".")).write_text(content)
        sizes = {p.name: p.stat().st_size for p in tmp_path.iterdir()}
        digest = hashlib.sha256(SOURCE.encode()).hexdigest()
        script = Script("train_gpt.py", len(SOURCE), digest, SOURCE, SOURCE, "train_gpt.py")
        submission = Submission(
            "t", "records/x/t", tmp_path, Origin("t", merged=merged), script, sizes, track
        )
        claim = claimed_configuration(submission)
        facts = claims.examine(submission, claim)
        importlib.import_module(f"rules.{rule}")
        found = {r.id: r for r in registry.all_rules()}[rule]
        return found.check(Case(submission, claim, claims=facts))

    return run


def test_artifact_is_recounted(judge: Judge) -> None:
    within = judge("A1", log(model=16_000_000 - len(SOURCE)))
    assert within.status is Status.PASS
    over = judge("A1", log(model=16_000_001 - len(SOURCE)))
    assert (over.status, over.category) == (Status.FAIL, "artifact_size")
    assert any("int6+lzma: 1599" in e.snippet for e in over.evidence)


def test_an_oversized_run_that_is_not_the_claimed_one_is_a_question(judge: Judge) -> None:
    assert judge("A1", log(model=17_000_000, bpb=1.13)).status is Status.REVIEW


@pytest.mark.parametrize(
    ("artifact", "status"),
    [(15_999_000, Status.REVIEW), (15_999_999, Status.FAIL), (16_100_000, Status.FAIL)],
)
def test_a_total_of_the_seed_in_submission_json_is_heard_unless_it_is_the_model_alone(
    judge: Judge, artifact: int, status: Status
) -> None:
    stated = {
        "author": "a",
        "name": "n",
        "val_bpb": 1.1234,
        "seed_results": {"7": {"artifact_bytes": artifact}},
    }
    found = judge("A1", "seed: 7\n" + log(model=15_999_999), submission__json=json.dumps(stated))
    assert found.status is status


def test_the_model_alone_in_submission_json_is_heard_where_the_packed_script_fits(
    judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    stated = json.dumps({"author": "a", "name": "n", "val_bpb": 1.1234, "bytes_total": 15_999_980})
    assert judge("A1", log(model=15_999_980), submission__json=stated).status is Status.FAIL
    monkeypatch.setattr(claims, "_packed", lambda submission: 10)
    assert judge("A1", log(model=15_999_980), submission__json=stated).status is Status.REVIEW


def test_no_log_no_artifact(judge: Judge) -> None:
    assert judge("A1", None).status is Status.NOT_COVERED


def test_the_non_record_track_has_the_cap_too(judge: Judge) -> None:
    assert judge("A1", log(model=17_000_000), track="non_record").status is Status.REVIEW
    assert judge("A1", log(), track="non_record").status is Status.PASS


def test_an_alias_of_the_claimed_line_has_its_evaluation_time(judge: Judge) -> None:
    text = log(eval_ms=700_000)
    alias = text.splitlines()[-1].replace("final_exact", "roundtrip_exact").rsplit(" ", 1)[0]
    assert judge("T2", text + alias + "\n").status is Status.FAIL


@pytest.mark.parametrize(
    ("train_ms", "status"),
    [(588_000, Status.PASS), (600_137, Status.PASS), (602_300, Status.REVIEW), (900_000, Status.FAIL)],
)
def test_training_clock(judge: Judge, train_ms: int, status: Status) -> None:
    assert judge("T1", log(train_ms=train_ms)).status is status


@pytest.mark.parametrize(
    ("cap", "train_ms", "status"),
    [
        ("600.000", 610_471, Status.REVIEW),
        ("900.000", 610_471, Status.FAIL),
        ("600.000", 690_000, Status.FAIL),
    ],
)
def test_a_clock_that_the_script_itself_stopped_one_long_step_late(
    judge: Judge, cap: str, train_ms: int, status: Status
) -> None:
    text = f"iterations:20000 max_wallclock_seconds:{cap}\n" + log(train_ms=train_ms)
    assert judge("T1", text).status is status


@pytest.mark.parametrize(("eval_ms", "status"), [(599_000, Status.PASS), (600_001, Status.FAIL)])
def test_evaluation_clock(judge: Judge, eval_ms: int, status: Status) -> None:
    assert judge("T2", log(eval_ms=eval_ms)).status is status


@pytest.mark.parametrize(
    ("rule", "category", "other"),
    [
        ("T1", "train_time", {"train_ms": 640_000}),
        ("T2", "eval_time", {"eval_ms": 640_000}),
        ("A1", "artifact_size", {"model": 16_100_000}),
    ],
)
def test_another_run_of_the_mean_over_a_limit_is_a_question(
    judge: Judge, rule: str, category: str, other: dict[str, int]
) -> None:
    first, second = log(bpb=1.12), log(bpb=1.13, **other)  # type: ignore[arg-type]
    found = judge(rule, None, bpb=1.125, a_seed1__log=first, b_seed2__log=second)
    assert (found.status, found.category) == (Status.REVIEW, category)
    fine = judge(rule, None, bpb=1.125, a_seed1__log=first, b_seed2__log=log(bpb=1.13))
    assert fine.status is Status.PASS


def test_a_run_on_other_hardware_behind_the_mean_is_no_question(judge: Judge) -> None:
    one = log(bpb=1.13, eval_ms=900_000).replace("world_size:8", "world_size:1")
    assert judge("T2", None, bpb=1.125, a_seed1__log=log(bpb=1.12), b_seed2__log=one).status is Status.PASS


def test_the_non_record_track_has_no_clock(judge: Judge) -> None:
    assert judge("T1", log(train_ms=9_000_000), track="non_record").status is Status.NOT_APPLICABLE
    assert judge("T2", log(eval_ms=9_000_000), track="non_record").status is Status.NOT_APPLICABLE


@pytest.mark.parametrize(
    ("tail", "train_ms", "reserve", "status"),
    [
        (
            "gptq:calibrating with training data...\ngptq:calibrated 68 layers in 3.6s\n",
            600_033,
            "",
            Status.REVIEW,
        ),
        ("gptq:calibrating with 256 batches...\n", 600_033, "", Status.REVIEW),
        (
            "gptq:calibrating with training data...\ngptq:calibrated 68 layers in 3.6s\n",
            590_000,
            "",
            Status.PASS,
        ),
        ("GPTQ:collected 67 Hessians in 3.5s\n", 599_900, "gptq_reserve_seconds: 0.5\n", Status.PASS),
        ("gptq:generating autoregressive calibration data (64 seqs)\n", 600_033, "", Status.PASS),
        ("gptq:collecting hessians batches=64 source=val\n", 590_000, "", Status.REVIEW),
        (
            "gptq:using validation data for calibration (256 seqs)\ngptq:generated 256 sequences in 0.0s\n",
            590_000,
            "",
            Status.REVIEW,
        ),
        ("gptq: quantization without train-data calibration\n", 600_033, "", Status.PASS),
    ],
)
def test_calibration_against_the_clock(
    judge: Judge, tail: str, train_ms: int, reserve: str, status: Status
) -> None:
    assert judge("T3", log(tail=tail, train_ms=train_ms, reserve=reserve)).status is status


def test_calibration_that_ends_past_the_limit_is_told(judge: Judge) -> None:
    reserve, tail = "gptq_reserve_seconds: 0.5\n", "GPTQ:collected 67 Hessians in 3.7s\n"
    found = judge("T3", log(tail=tail, train_ms=598_900, reserve=reserve))
    assert found.status is Status.PASS
    assert "until 602.6 s, 2.6 s past the limit" in found.summary


def test_the_denominator_is_the_validation_text(judge: Judge) -> None:
    assert judge("D2", log()).status is Status.PASS
    inflated = judge("D2", log(denominator=int(BYTES * 1.17)))
    assert (inflated.status, inflated.category) == (Status.FAIL, "byte_count")
    part = judge("D2", log(denominator=BYTES // 2, tokens=TOKENS // 2))
    assert (part.status, part.category) == (Status.REVIEW, "partial_val")
    assert (
        judge("D2", log(denominator=BYTES // 2, tokens=TOKENS // 2), track="non_record").status is Status.PASS
    )


@pytest.mark.parametrize(
    ("setting", "status"),
    [("sliding_eval max_windows:16", Status.REVIEW), ("max_windows:0", Status.FAIL), ("", Status.FAIL)],
)
def test_a_bounded_evaluation_has_bytes_per_token_of_its_own(
    judge: Judge, setting: str, status: Status
) -> None:
    found = judge("D2", f"{setting}\n" + log(denominator=int(BYTES * 1.06)))
    assert found.status is status
    assert ("bounds its evaluation" in found.summary) == (status is Status.REVIEW)


@pytest.mark.parametrize(
    ("count", "tokens", "status"),
    [
        (177_825_403, 40_540_160, Status.FAIL),
        (164_594_398, 47_851_520, Status.FAIL),
        (170_000_000, 40_540_160, Status.REVIEW),
    ],
)
def test_a_count_that_is_known_to_be_wrong_needs_no_other_line(
    judge: Judge, count: int, tokens: int, status: Status
) -> None:
    text = log(denominator=count, tokens=tokens)
    honest = f"step:7000/9000 val_loss:{loss_of(1.2, BYTES, tokens):.6f} val_bpb:1.200000"
    first = next(line for line in text.split("\n") if line.startswith("step:"))
    found = judge("D2", text.replace(first.rsplit(" ", 2)[0], honest))
    assert found.status is status
    assert (": the " in found.summary) == (status is Status.FAIL)


def test_a_score_that_another_script_of_the_folder_prints_is_stated(judge: Judge) -> None:
    other = 'print(f"epoch_result_of_other val_bpb:{1}")\n'
    found = judge("P2", "epoch_result_of_other val_bpb:1.1234\n", other__py=other)
    assert found.status is Status.PASS
    assert "not the ones this script prints" in found.summary


def test_a_line_that_counts_otherwise_than_its_log_is_a_question(judge: Judge) -> None:
    text = log().replace("val_bpb:1.1234", "val_bpb:0.9734")
    assert judge("D2", text, bpb=0.9734).status is Status.REVIEW


@pytest.mark.parametrize(("shards", "status"), [(80, Status.PASS), (1502, Status.REVIEW)])
def test_shard_counts(judge: Judge, shards: int, status: Status) -> None:
    assert judge("D3", log(shards=shards)).status is status


def test_a_preparation_with_too_few_documents_is_a_question_where_the_data_is_local(judge: Judge) -> None:
    readme = "```\npython prepare_caseops_data.py --docs d.jsonl\n```\n"
    default = 'p.add_argument("--val-docs", type=int, default=10_000)\n'
    local = log(data="/root/data/datasets/datasets/fineweb10B_caseops")
    found = judge("D3", local, README__md=readme, prepare_caseops_data__py=default)
    assert (found.status, found.category) == (Status.REVIEW, "train_val_overlap")
    kept = judge("D3", local, merged=True, README__md=readme, prepare_caseops_data__py=default)
    assert kept.status is Status.PASS
    smoke = "```\npython prepare_caseops_data.py --val-docs 20\n```\n\nThen:\n\n" + "x\n" * 9
    assert judge("D3", local, README__md=smoke).status is Status.REVIEW
    real = "```\npython prepare_caseops_data.py --val-docs 50000\n```\n"
    assert judge("D3", local, README__md=smoke + real).status is Status.PASS
    alone = judge("D3", local, README__md="x\n", prepare_caseops_data__py=default)
    assert (alone.status, "datasets/datasets" in alone.summary) == (Status.PASS, True)
    asked = readme.replace("d.jsonl", "d.jsonl --val-docs=50000")
    assert judge("D3", local, README__md=asked, prepare_caseops_data__py=default).status is Status.PASS


@pytest.mark.parametrize(("shards", "status"), [(1, Status.FAIL), (80, Status.REVIEW)])
def test_a_validation_shard_under_the_name_of_a_training_shard(
    judge: Judge, shards: int, status: Status
) -> None:
    readme = "```\nln -s data/fineweb_val_000000.bin mine/fineweb_train_000000.bin\n```\n"
    found = judge("D3", log(shards=shards), README__md=readme)
    assert (found.status, found.category) == (status, "train_on_val_before_score")
    honest = readme.replace("fineweb_val", "fineweb_train")
    assert judge("D3", log(shards=shards), README__md=honest).status is Status.PASS


def test_a_record_without_a_log_stops_a_reviewer(judge: Judge) -> None:
    assert judge("P1", None).status is Status.REVIEW
    assert judge("P1", None, track="non_record").status is Status.PASS
    assert judge("P1", log()).status is Status.PASS


def test_a_score_that_no_log_states_stops_a_reviewer(judge: Judge) -> None:
    assert judge("P2", log()).status is Status.PASS
    assert judge("P2", log(bpb=1.1334)).status is Status.REVIEW
    assert judge("P2", log(bpb=1.1334), track="non_record").status is Status.PASS


def bare(score: str, tail: str = "", tokens: int = TOKENS, loss: float = 2.11) -> str:
    """A log without a loss beside a BPB: steps with their training loss, then the score alone."""
    steps = "".join(f"step {n}/1000 | loss {loss:.4f} | 500s\n" for n in range(100, 1000, 100))
    return f"world_size:8\nval_tokens: {tokens}\n{tail}{steps}{score}\n"


@pytest.mark.parametrize(
    ("bpb", "status"), [(1.2300, Status.PASS), (1.1500, Status.PASS), (1.0276, Status.REVIEW)]
)
def test_a_score_without_a_loss_is_held_against_the_training_loss(
    judge: Judge, bpb: float, status: Status
) -> None:
    found = judge("D2", bare(f"Quantized BPB: {bpb:.6f}"), bpb=bpb)
    assert found.status is status
    assert status is Status.PASS or found.category == "byte_count"


def test_the_training_loss_says_nothing_where_a_line_states_loss_and_bpb(judge: Judge) -> None:
    plain = f"pre val_loss:{loss_of(1.24):.5f} val_bpb:1.24000\n"
    found = judge("D2", bare("Cached BPB: 0.900000", tail=plain), bpb=0.9)
    assert found.status is Status.NOT_COVERED


@pytest.mark.parametrize(
    ("count", "status", "category"),
    [
        ("bytes=10982035", Status.REVIEW, "partial_val"),
        ("bytes=164594398", Status.REVIEW, "byte_count"),
        ("scored_bytes:151,078,222", Status.PASS, None),
    ],
)
def test_bytes_that_the_claimed_line_counts(
    judge: Judge, count: str, status: Status, category: str | None
) -> None:
    found = judge("D2", bare(f"mix {count} mix_bpb=1.123400 mode=binary"))
    assert (found.status, found.category) == (status, category)


@pytest.mark.parametrize(
    ("track", "status", "category"),
    [("record", Status.REVIEW, "partial_val"), ("non_record", Status.PASS, None)],
)
def test_a_sample_of_the_tokens_has_bytes_of_its_own(
    judge: Judge, track: str, status: Status, category: str | None
) -> None:
    text = log(denominator=int(BYTES * 1.023))
    found = judge("D2", text)
    assert (found.status, found.category) == (Status.FAIL, "byte_count")
    sampled = text.replace(" eval_time:", " scored_tokens:32736 eval_time:")
    found = judge("D2", sampled, track=track)
    assert (found.status, found.category) == (status, category)


def test_bytes_of_the_artifact_on_the_claimed_line_are_not_those_of_the_text(judge: Judge) -> None:
    size = "Total submission size int6+lzma: 15900000 bytes\n"
    found = judge("D2", bare("final val_bpb:1.123400 bytes:15900000", tail=size))
    assert found.status is Status.PASS
    assert "training loss" in found.summary


@pytest.mark.parametrize(
    ("ratio", "track", "status"),
    [
        (2.7523, "record", Status.REVIEW),
        (2.7523, "non_record", Status.NOT_COVERED),
        (3.3193, "record", Status.NOT_COVERED),
    ],
)
def test_a_new_tokenizer_without_its_proof_is_a_question(
    judge: Judge, ratio: float, track: str, status: Status
) -> None:
    stated = json.dumps(
        {"author": "a", "name": "n", "val_bpb": 1.05, "val_loss": round(1.05 * math.log(2.0) * ratio, 8)}
    )
    text = "data.bytes_per_token_mean = 2.7523\nfinal_exact val_bpb 1.0500000\n"
    found = judge("D2", text, bpb=1.05, track=track, submission__json=stated)
    assert found.status is status
    assert ("as a setting" in found.summary) == (ratio == 2.7523)
    assert judge("D2", None, bpb=1.05, track=track, submission__json=stated).status is status


@pytest.mark.parametrize(
    ("sentence", "status"),
    [
        ("The 80 training shards match the default `val_docs=10000` output byte for byte.", Status.REVIEW),
        ("The training shards were not made with `val_docs=10000`.", Status.PASS),
        ("The training shards were built with `val_docs=50_000`.", Status.PASS),
        ("The script has a default of `val_docs=10000`.", Status.PASS),
    ],
)
def test_papers_that_say_how_the_training_shards_were_made(
    judge: Judge, sentence: str, status: Status
) -> None:
    found = judge("D3", log(), README__md=f"val_bpb 1.1234\n\n- {sentence}\n")
    assert found.status is status


def test_a_log_that_the_readme_lists_must_be_there_on_either_track(judge: Judge) -> None:
    readme = "# x\n\n### Included Files\n\n- `train_gpt.py` code\n- `train.log` log of the run\n"
    found = judge("P1", None, track="non_record", README__md=readme)
    assert found.status is Status.REVIEW
    assert "train.log" in found.summary
    assert judge("P1", log(), track="non_record", README__md=readme).status is Status.PASS


@pytest.mark.parametrize(
    ("first", "readme", "unnamed"),
    [
        ("from torch.utils.tensorboard import SummaryWriter\n", "x", ("tensorboard",)),
        ("import brotli\n", "x", ("brotli",)),
        ("import brotli\n", "pip install Brotli\n", ()),
        ("try:\n    import brotli\nexcept ImportError:\n    pass\n", "x", ()),
        ("import os, torch, numpy as np\nfrom flash_attn_interface import flash_attn_func\n", "x", ()),
        ("import helper\nfrom .other import thing\n", "x", ()),
    ],
)
def test_packages_that_nothing_names(
    tmp_path: Path, first: str, readme: str, unnamed: tuple[str, ...]
) -> None:
    (tmp_path / "README.md").write_text(readme)
    (tmp_path / "helper.py").write_text("")
    source = first + SOURCE
    script = Script("train_gpt.py", len(source), "0", source, source, "train_gpt.py")
    sizes = {"README.md": len(readme), "helper.py": 0, "train_gpt.py": len(source)}
    held = Submission("t", "records/x/t", tmp_path, Origin("t"), script, sizes, "record")
    assert packaging(held, {}, 0).unnamed == unnamed


@pytest.mark.parametrize(
    ("within", "merged", "status"),
    [(0, False, Status.PASS), (7, False, Status.REVIEW), (7, True, Status.PASS)],
)
def test_gates_that_read_the_token_to_come(judge: Judge, within: int, merged: bool, status: Status) -> None:
    hints = f"ngram_tilt:hints total=47851520 gated=9 token_gate=9 within_gate={within} word_gate=0 agree2plus=0\n"
    found = judge("P7", log(tail=hints), merged=merged)
    assert found.status is status
    assert any(f"within_gate={within}" in e.snippet for e in found.evidence)
    assert judge("P7", log()).status is Status.NOT_APPLICABLE


def test_a_package_that_nothing_names_is_asked_for_where_no_log_shows_a_run(tmp_path: Path) -> None:
    source = "import brotli\n" + SOURCE
    script = Script("train_gpt.py", len(source), "0", source, source, "train_gpt.py")
    (tmp_path / "README.md").write_text("x")
    held = Submission(
        "t", "records/x/t", tmp_path, Origin("t"), script, {"README.md": 1, "train_gpt.py": 9}, "non_record"
    )
    claim = claimed_configuration(held)
    facts = claims.examine(held, claim)
    check = {r.id: r for r in registry.all_rules()}["P1"].check
    assert check(Case(held, claim, claims=facts)).status is Status.REVIEW
    shown = dataclasses.replace(facts, packaging=dataclasses.replace(facts.packaging, logs_with_score=1))
    found = check(Case(held, claim, claims=shown))
    assert found.status is Status.PASS
    assert "brotli" in found.summary
