"""The claimed line is found in a run that spells it a little differently, and in no other."""

from __future__ import annotations

import pytest

from harness.witnesses.claims.labels import claimed_test

ROUND_TRIP = "final_int8_zlib_roundtrip_exact val_loss: val_bpb:"


@pytest.mark.parametrize(
    ("label", "printed", "found"),
    [
        (ROUND_TRIP, "final_int8_zlib_roundtrip_exact val_loss:2.07 val_bpb:1.22", True),
        (ROUND_TRIP, "final_mixed_int6_roundtrip_zstd_exact val_loss:2.07 val_bpb:1.22", True),
        (
            "post-ema val_loss: val_bpb: eval_time: ms",
            "post-ema val_loss:2.0 val_bpb:1.2 eval_time:30ms",
            True,
        ),
        (ROUND_TRIP, "final_int8_zlib_roundtrip val_loss:2.07 val_bpb:1.22", False),
        (ROUND_TRIP, "final_int6_sliding_window_exact val_loss:2.07 val_bpb:1.22", False),
        ("final_int8_ttt_lora val_loss: val_bpb:", "final_int8_sliding val_loss:2.0 val_bpb:1.2", False),
        (
            "final_sliding val_loss: val_bpb: stride: seq_len:",
            "final_sliding val_loss:2.0 val_bpb:1.2 stride:64 seq_len:1024 ntk_alpha:0.0 eval_time:3ms",
            True,
        ),
        ("final_sliding val_loss: val_bpb: stride:", "final_sliding_exact val_loss:2.0 val_bpb:1.2", False),
        ("step:0 val_loss: val_bpb: stride:", "final_sliding val_loss:2.0 val_bpb:1.2 stride:64", False),
        (
            "final_int6+zstd22_roundtrip_slide512_exact val_loss: val_bpb:",
            "final_int6+zstd22_roundtrip_slide64_exact val_loss:2.0 val_bpb:1.2",
            True,
        ),
        ("val_loss: val_bpb:", "quantized val_loss:2.0 val_bpb:1.2", False),
    ],
)
def test_which_line_is_claimed(label: str, printed: str, found: bool) -> None:
    assert claimed_test(label, [printed])(printed) is found


def test_a_loose_reading_that_fits_two_lines_names_none() -> None:
    lines = [f"final_{kind}_roundtrip_exact val_loss:2.0 val_bpb:1.2" for kind in ("int6", "int5")]
    test = claimed_test(ROUND_TRIP, lines)
    assert [test(line) for line in lines] == [False, False]


def test_a_line_that_says_more_is_the_one_only_where_no_other_says_as_much() -> None:
    lines = [f"final_sliding val_loss:2.0 val_bpb:1.2 stride:64 {kind}:1" for kind in ("alpha", "beta")]
    test = claimed_test("final_sliding val_loss: val_bpb: stride:", lines)
    assert [test(line) for line in lines] == [False, False]


def test_the_exact_label_wins_over_a_similar_one() -> None:
    lines = [f"final_{kind}_roundtrip_exact val_loss:2.0 val_bpb:1.2" for kind in ("int6", "int8_zlib")]
    test = claimed_test(ROUND_TRIP, lines)
    assert [test(line) for line in lines] == [False, True]


def test_two_labels_that_differ_in_a_number_alone_are_told_apart_by_it_or_not_at_all() -> None:
    lines = [f"final_slide{n}_exact val_loss:2.0 val_bpb:1.2" for n in (64, 512)]
    for wanted in (64, 512):
        test = claimed_test(f"final_slide{wanted}_exact val_loss: val_bpb:", lines)
        assert [test(line) for line in lines] == [wanted == 64, wanted == 512]
    test = claimed_test("final_slide256_exact val_loss: val_bpb:", lines)
    assert [test(line) for line in lines] == [False, False]
