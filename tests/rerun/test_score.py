"""The scorer: equal to one window at a time, the same bits for any number of processes, memory that runs out."""

from __future__ import annotations

import math
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from harness.inside.rerun import capture, forward, revive, score
from harness.inside.rerun.windows import plan
from tests.rerun import models

STREAM = np.random.default_rng(3).integers(0, models.VOCAB, 487).astype(np.uint16)
LENGTH, STRIDE = 32, 8
MODELS = [
    models.GivesLogits,
    models.GivesLoss,
    models.HasForwardLogits,
    models.GivesBoth,
    models.MixesPositions,
    models.SlicesBanks,
    models.ScalesLoss,
    models.TakesReduction,
]


def scorer(
    model: nn.Module, batch: int = 8, stride: int = STRIDE, compiler: Any = None, stream: np.ndarray = STREAM
) -> score.Scorer:
    windows = plan(len(stream) - 1, LENGTH, stride)
    return score.Scorer(
        model, stream, windows, vocab=models.VOCAB, batch=batch, device="cpu", compiler=compiler
    )


def losses(made: score.Scorer, ranks: int = 1) -> np.ndarray:
    found = np.full(len(STREAM) - 1, np.nan, np.float32)
    for rank in range(ranks):
        made.score(found, rank, ranks)
    return found


def logits_of(model: nn.Module, ids: torch.Tensor) -> torch.Tensor:
    body: Any = model
    if isinstance(model, models.HasForwardLogits):
        return model.forward_logits(ids)
    full = body.scores(body.hidden(ids))
    return full + full.cumsum(1) * 0.1 if isinstance(model, models.MixesPositions) else full


def plain_reference(model: nn.Module, stride: int = STRIDE) -> np.ndarray:
    """The plain losses of the whole stream."""
    return plain_losses(model, STREAM, LENGTH, stride)


@torch.no_grad()
def plain_losses(model: nn.Module, stream: np.ndarray, length: int, stride: int) -> np.ndarray:
    """One window at a time: the loss of each target in the first window that reaches it, in float64."""
    total = len(stream) - 1
    length = min(length, total)
    found = np.full(total, np.nan)
    done = 0
    while done < total:
        end = length if done == 0 else min(done + stride, total)
        tokens = torch.from_numpy(stream[end - length : end + 1].astype(np.int64))
        nats = F.cross_entropy(logits_of(model, tokens[None, :-1])[0].double(), tokens[1:], reduction="none")
        found[done:end] = nats.numpy()[length - (end - done) :]
        done = end
    return found


@pytest.mark.parametrize("form", MODELS)
def test_equal_to_one_window_at_a_time(form: type[models.Body]) -> None:
    model = form().eval()
    ours, plain = losses(scorer(model)), plain_reference(model)
    assert not np.isnan(ours).any()
    assert abs(ours.astype(np.float64).mean() - plain.mean()) < 1e-6
    assert np.abs(ours - plain).max() < 1e-5


@pytest.mark.parametrize("stride", [1, 5, LENGTH])
def test_every_stride_counts_each_position_once(stride: int) -> None:
    model = models.GivesLogits().eval()
    assert abs(losses(scorer(model, stride=stride)).mean() - plain_reference(model, stride).mean()) < 1e-6


@pytest.mark.parametrize("total", [1, 20, 32, 33, 40, 41, 500])
def test_windows_cover_each_target_once(total: int) -> None:
    windows = plan(total, LENGTH, STRIDE)
    counted = np.zeros(total, int)
    for start, count in zip(windows.starts, windows.counts, strict=True):
        end = start + windows.length
        counted[end - count : end] += 1
    assert (counted == 1).all()
    assert windows.starts.min() == 0
    assert sum(b.stop - b.start for b in windows.batches(3)) == len(windows.starts)


def test_no_windows_of_such_a_stride() -> None:
    with pytest.raises(ValueError, match="no windows"):
        plan(100, 16, 17)


def traced(function: Any) -> Any:
    """torch.compile without a code generator: what it can trace on a GPU it can trace here."""
    return torch.compile(function, backend="eager", dynamic=False, fullgraph=True)


@pytest.mark.parametrize("form", [m for m in MODELS if m not in (models.ScalesLoss, models.TakesReduction)])
def test_compiled_losses_are_the_plain_ones(form: type[models.Body]) -> None:
    model = form().eval()
    made = scorer(model, compiler=traced)
    assert made.notes == []
    assert np.abs(losses(made) - losses(scorer(model))).max() < 1e-5
    assert np.abs(losses(made) - plain_reference(model)).max() < 1e-5


def test_what_cannot_be_compiled_is_scored_all_the_same() -> None:
    def broken(function: Any) -> Any:
        def call(*args: Any) -> Any:
            raise RuntimeError("no compiler here")

        return call

    def wrong(function: Any) -> Any:
        return lambda *args: function(*args) + 0.1

    model = models.GivesLogits().eval()
    for compiler, told in ((broken, "no compiler here"), (wrong, "0.1 nats from the plain ones")):
        made = scorer(model, compiler=compiler)
        assert told in made.notes[0]
        assert np.array_equal(losses(made), losses(scorer(model)))


def test_two_processes_give_the_same_bits_as_one() -> None:
    model = models.GivesLogits().eval()
    assert losses(scorer(model)).tobytes() == losses(scorer(model), ranks=2).tobytes()


@pytest.mark.parametrize("form", MODELS)
def test_the_head_is_shortened_only_where_that_changes_nothing(form: type[models.Body]) -> None:
    expected = form not in (models.HasForwardLogits, models.MixesPositions)
    assert scorer(form().eval()).short_head is expected


def test_ways_are_named() -> None:
    assert scorer(models.GivesLoss()).way_name == "forward(ids, targets), its loss left out"
    assert scorer(models.ScalesLoss()).way_name == "forward(ids, targets), at its loss"
    assert scorer(models.HasForwardLogits()).way_name == "forward_logits(ids)"


def test_a_model_without_predictions_is_refused_with_what_was_tried() -> None:
    with pytest.raises(forward.NoWay, match=r"forward\(ids\)"):
        scorer(models.GivesNothing())


def test_out_of_memory_halves_the_batch_and_says_so() -> None:
    class Greedy(models.GivesLogits):
        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            if ids.shape[0] > 3:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return super().forward(ids)

    greedy = scorer(Greedy().eval(), batch=16)
    found = losses(greedy)
    assert abs(found.mean() - plain_reference(models.GivesLogits()).mean()) < 1e-6
    assert greedy.part == 2
    assert [n.partition(":")[0] for n in greedy.notes] == [
        f"out of memory with {n} windows at once" for n in (16, 8, 4)
    ]


def test_memory_that_one_window_needs_is_an_error() -> None:
    class Hopeless(models.GivesLogits):
        calls = 0

        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            self.calls += 1
            if self.calls > 4:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return super().forward(ids)

    with pytest.raises(torch.OutOfMemoryError):
        losses(scorer(Hopeless().eval()))


def test_a_mistake_of_the_model_is_no_lack_of_memory() -> None:
    class Wrong(models.GivesLogits):
        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            if ids.shape[0] > 1:
                raise RuntimeError("shapes do not match")
            return super().forward(ids)

    with pytest.raises(RuntimeError, match="shapes"):
        losses(scorer(Wrong().eval()))


def test_operations_are_counted_of_a_revived_model(tmp_path: Path) -> None:
    torch.save(models.SlicesBanks(), tmp_path / "model.pt")
    revived = scorer(revive.revive(tmp_path / "model.pt", "cpu"))
    attention = 4 * LENGTH * LENGTH * models.WIDTH
    products = 2 * LENGTH * models.WIDTH * (3 * models.WIDTH + models.WIDTH + models.VOCAB)
    assert revived.flops() == attention + products


SETS_A_GLOBAL = """
import os
RANK = int(os.environ.get("RANK", "0"))
BOS = None

def prepare():
    global BOS
    BOS = 1

if __name__ == "__main__":
    prepare()
"""


def test_a_global_that_a_function_has_set_is_there_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "script.py").write_text(SETS_A_GLOBAL)
    ran = types.ModuleType("__main__")
    vars(ran).update(BOS=1, RANK=3, left=object())
    monkeypatch.setitem(sys.modules, "__main__", ran)
    capture.keep_globals(tmp_path / "model.pt.json")
    monkeypatch.setattr(sys, "argv", [])
    monkeypatch.setattr(sys, "path", [*sys.path])
    module = revive.define(str(tmp_path / "script.py"), [])
    assert vars(module)["BOS"] is None
    revive.restore(module, tmp_path / "model.pt")
    assert (vars(module)["BOS"], vars(module)["RANK"]) == (1, 0)
    revive.restore(module, tmp_path / "none_kept.pt")


def test_uniform_predictions_cost_ln_v() -> None:
    model = models.GivesLogits().eval()
    torch.nn.init.zeros_(model.head.weight)
    assert losses(scorer(model)).mean() == pytest.approx(math.log(models.VOCAB), abs=1e-6)


@pytest.mark.parametrize("seed", range(60))
def test_the_shares_of_all_processes_are_the_whole(seed: int) -> None:
    """Any number of targets, length, stride, batch and processes: each target is written once, with its plain loss."""
    rng = np.random.default_rng(seed)
    length = int(rng.integers(1, LENGTH + 1))
    stride, batch, ranks = int(rng.integers(1, length + 1)), int(rng.integers(1, 12)), int(rng.integers(1, 9))
    stream = STREAM[: int(rng.integers(2, 130))]
    windows = plan(len(stream) - 1, length, stride)

    class Counting(np.ndarray):
        written = np.zeros(len(stream) - 1, int)

        def __setitem__(self, at: Any, value: Any) -> None:
            np.add.at(self.written, at, 1)
            super().__setitem__(at, value)

    model = models.GivesLogits().eval()
    joined = np.full(len(stream) - 1, np.nan, np.float32).view(Counting)
    for rank in reversed(range(ranks)):
        made = score.Scorer(model, stream, windows, vocab=models.VOCAB, batch=batch, device="cpu")
        made.score(joined, rank, ranks)
    whole = np.full(len(stream) - 1, np.nan, np.float32)
    made.score(whole)
    assert (joined.written == 1).all()
    assert joined.tobytes() == whole.tobytes()
    assert np.abs(whole - plain_losses(model, stream, length, stride)).max() < 1e-5
