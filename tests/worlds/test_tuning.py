"""An experiment lowers rates of training, keeps those of adaptation, and never wakes what is zero."""

from __future__ import annotations

import pytest

from harness.worlds.scale import scale_profile
from harness.worlds.tuning import Tuning

QUIET = Tuning("quiet", 4, 1e-5)
LOUD = Tuning("loud", 4, 1e-5, rate_factor=8.0, least_rate=5e-3, repeats=4)


@pytest.mark.parametrize(
    "name", ["matrix_lr", "lr", "embed_lr", "learning_rate", "head_lr", "tied_embed_lr", "muon_lr"]
)
def test_training_rates_go_down(name: str) -> None:
    assert QUIET.tuned(name, 0.04) == 1e-5


@pytest.mark.parametrize("name", ["ttt_lr", "ttt_lora_lr", "slot_lr", "global_ttt_lr", "lora_lr"])
def test_rates_of_adaptation_stay_or_rise(name: str) -> None:
    assert QUIET.tuned(name, 0.01) is None
    assert LOUD.tuned(name, 0.01) == 0.08
    assert LOUD.tuned(name, 1e-4) == 5e-3


@pytest.mark.parametrize("name", ["ttt_lr", "matrix_lr", "ttt_epochs"])
def test_zero_stays_zero(name: str) -> None:
    assert LOUD.tuned(name, 0.0) is None


@pytest.mark.parametrize("name", ["ttt_cosine_lr", "cosine_lr"])
def test_a_switch_is_no_rate(name: str) -> None:
    assert LOUD.tuned(name, 1) is None
    assert QUIET.tuned(name, 1) is None


@pytest.mark.parametrize(
    "name", ["num_layers", "lr_warmup_steps", "min_lr_ratio", "lr_scale", "ttt_chunk_tokens"]
)
def test_other_numbers_are_left_alone(name: str) -> None:
    assert LOUD.tuned(name, 3.0) is None


def test_few_epochs_become_more_and_many_stay() -> None:
    assert LOUD.tuned("ttt_epochs", 2.0) == 4
    assert LOUD.tuned("ttt_epochs", 20.0) is None


def test_thresholds_in_steps_keep_their_share() -> None:
    source = "iterations = 20000\nswa_start_step = 3500\nmatrix_lr = 0.04\n"
    scale = scale_profile(source, {}, tuning=QUIET)
    used = {name: new for name, _, new in scale.overrides}
    assert used == {"iterations": "4", "swa_start_step": "2", "matrix_lr": "1e-05"}
