"""The sketch of a prediction: it holds the whole alphabet, and neither the answer nor a constant."""

from __future__ import annotations

import numpy as np
import torch

from harness.inside.watch.sketch import sketch

SCORES = torch.randn(6, 40, generator=torch.Generator().manual_seed(1))


def test_a_constant_added_to_all_scores_changes_nothing() -> None:
    found = sketch(SCORES, 1, 6)
    assert np.abs(sketch(torch.log_softmax(SCORES, -1), 1, 6) - found).max() < 1e-5
    changed = SCORES.clone()
    changed[3, 7] += 0.5
    assert np.flatnonzero(np.abs(sketch(changed, 1, 6) - found) > 1e-4).tolist() == [3]


def test_the_alphabet_may_lie_along_any_axis() -> None:
    found = sketch(SCORES, 1, 6)
    assert np.abs(sketch(SCORES.view(2, 3, 40).permute(0, 2, 1), 1, 6) - found).max() < 1e-6
    assert np.abs(sketch(SCORES[2], 0, 1) - found[2:3]).max() < 1e-6


def test_what_does_not_fit_is_no_number() -> None:
    assert np.isnan(sketch(None, 0, 3)).all()
    assert np.isnan(sketch(SCORES, 1, 5)).all()
