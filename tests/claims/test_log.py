"""The log reader: results, sizes, times and settings by line, and no number from an embedded script."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from harness.witnesses.claims import log as log_module
from harness.witnesses.claims.log import Log, is_log_name, label_of, read_log


def read(tmp_path: Path, text: str) -> Log:
    file = tmp_path / "train.log"
    file.write_text(text)
    return read_log(file, "train.log")


def test_results_are_told_from_running_figures(tmp_path: Path) -> None:
    log = read(
        tmp_path,
        "step:0/9000 val_loss:6.9304 val_bpb:4.1046 train_time:0ms\n"
        "  ttt_chunk [11/1893] bpb=1.146741 time=2.7s\n"
        "final_int6_exact val_loss:1.93358885 val_bpb:1.14518023 eval_time:6562ms\n",
    )
    assert [(s.line, s.bpb, s.loss) for s in log.finals()] == [(3, 1.14518023, 1.93358885)]
    assert len(log.scores) == 3
    assert log.finals()[0].label == "final_int6_exact val_loss: val_bpb: eval_time:ms"


@pytest.mark.parametrize(
    ("line", "bpb"),
    [
        ("val_bpb = 1.2345", 1.2345),
        ('{"val_loss": 2.1, "val_bpb": 1.25}', 1.25),
        ("Final BPB: **1.1234**", 1.1234),
        ("[rank0]: 2026-04-01 10:00:00 final val_bpb:1.5", 1.5),
        ("1776143447.087 quantized_ttt val_loss:2.8 val_bpb:1.07", 1.07),
    ],
)
def test_forms_of_a_score(tmp_path: Path, line: str, bpb: float) -> None:
    assert [s.bpb for s in read(tmp_path, line + "\n").scores] == [bpb]


def test_labels_keep_names_and_drop_numbers_and_prefixes() -> None:
    assert label_of("[rank0]: final_int8_zlib val_bpb:1.2 stride:64") == "final_int8_zlib val_bpb: stride:"
    assert label_of("1776143447.087 final val_bpb:nan") == label_of("final val_bpb:1.5")


def test_sizes_are_told_apart(tmp_path: Path) -> None:
    log = read(
        tmp_path,
        "Serialized model: 106027446 bytes\nCode size: 89458 bytes\n"
        "Total submission size: 106116904 bytes\n"
        "Serialized model int6+lzma: 15887928 bytes (payload:17178912 ratio:3.91x)\n"
        "Total submission size int6+lzma: 15,977,386 bytes\n",
    )
    assert [(s.kind, s.bytes) for s in log.sizes] == [
        ("raw_model", 106027446),
        ("code", 89458),
        ("raw_total", 106116904),
        ("model", 15887928),
        ("total", 15977386),
    ]


def test_a_total_among_other_numbers_is_found_by_its_name(tmp_path: Path) -> None:
    line = (
        "final_int8_zlib_roundtrip param_count:17059912 raw_payload_bytes:17224025 compressed_payload_bytes:15816332 "
        "code_bytes:55680 total_artifact_bytes:15872012\n"
    )
    assert [(s.kind, s.bytes) for s in read(tmp_path, line).sizes] == [("total", 15872012)]


def test_an_embedded_script_is_skipped_and_given_back(tmp_path: Path) -> None:
    source = 'import os\n\nseed = 7\nprint(f"val_bpb: 1.9999")\nnum_layers: int = 3\n'
    log = read(
        tmp_path, "num_layers: 11\n" + source + "=" * 100 + "\nRunning Python 3.12\nval_bpb:1.5\nseed:42\n"
    )
    assert log.source == ((2, 6),)
    assert log.embedded() == [source.rstrip("\n")]
    assert [s.bpb for s in log.scores] == [1.5]
    assert log.seed == 42
    assert [(p.key, p.value, p.line) for p in log.settings if p.key == "num_layers"] == [
        ("num_layers", "11", 1)
    ]


def test_times_have_units(tmp_path: Path) -> None:
    log = read(
        tmp_path, "step:9/9 train_time:600038ms\nlegal_ttt val_bpb:1.1 eval_time:410.2s\ntrain_time: 1.5m\n"
    )
    assert [(t.name, t.ms) for t in log.timings] == [
        ("train_time", 600038.0),
        ("eval_time", 410200.0),
        ("train_time", 90000.0),
    ]


def test_which_names_are_logs() -> None:
    assert is_log_name("logs/run1.txt")
    assert is_log_name("train_seed42.log")
    assert not is_log_name("requirements.txt")
    assert not is_log_name("train_gpt.py")


@pytest.mark.parametrize(
    "line",
    [
        "a" * 100_000,
        "bpb" * 30_000,
        "1" * 100_000,
        "=:" * 50_000,
        "[" * 100_000,
        "x=" * 50_000,
        '"' * 100_000,
    ],
)
def test_hostile_lines_cost_no_more_than_their_length(tmp_path: Path, line: str) -> None:
    start = time.process_time()
    read(tmp_path, (line + "\n") * 10)
    assert time.process_time() - start < 2.0


def test_an_oversized_log_is_read_at_both_ends_with_true_line_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "MAX_BYTES", 20_000)
    log = read(tmp_path, "seed:5\n" + ("x" * 99 + "\n") * 1_000 + "final val_bpb:1.25\n")
    assert log.cut
    assert log.seed == 5
    assert [(s.line, s.bpb) for s in log.scores] == [(1_002, 1.25)]


def test_utf16_and_carriage_returns(tmp_path: Path) -> None:
    file = tmp_path / "a.log"
    file.write_bytes("final val_bpb:1.25\r\nseed:3\r\n".encode("utf-16"))
    log = read_log(file, "a.log")
    assert (log.scores[0].bpb, log.seed) == (1.25, 3)


def test_a_line_of_source_sets_nothing(tmp_path: Path) -> None:
    log = read(
        tmp_path,
        "train_loader:dataset:x\n"
        '    layers = os.environ.get("LAYERS", "9,10")\n    depth = int(os.getenv("DEPTH", 4))\nwidth: 512\n',
    )
    assert [(s.key, s.value) for s in log.settings if s.key != "train_loader"] == [("width", "512")]


def test_a_setting_that_lists_stages_is_read_whole(tmp_path: Path) -> None:
    log = read(tmp_path, "train_seq_schedule:1024@0.100,2048@0.700,3072@1.000 mode:wallclock\n")
    assert ("train_seq_schedule", "1024@0.100,2048@0.700,3072@1.000") in [
        (s.key, s.value) for s in log.settings
    ]
