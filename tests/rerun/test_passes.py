"""Positions found by content in text that repeats itself, and passes rebuilt from records of loss calls."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

from harness.inside.rerun import calls as inside
from harness.inside.rerun import compiled
from harness.witnesses.rerun import passes
from harness.witnesses.rerun.locate import Index, Locator

RNG = np.random.default_rng(5)
TARGETS = RNG.integers(0, 50, 600).astype(np.uint16)
TARGETS[400:460] = TARGETS[100:160]  # text repeats itself
ROW = 32


def rows(*starts: int) -> np.ndarray:
    return np.concatenate([TARGETS[s : s + ROW] for s in starts])


def test_flattened_rows_are_found() -> None:
    where, context = Locator(Index(TARGETS)).locate(rows(0, 8, 16, 300), 0)
    assert where.tolist() == [s + i for s in (0, 8, 16, 300) for i in range(ROW)]
    assert context.tolist() == list(range(ROW)) * 4


@pytest.mark.parametrize("seed", range(40))
def test_a_row_does_not_run_on_over_tokens_that_are_the_same_by_chance(seed: int) -> None:
    rng = np.random.default_rng(seed)
    stream = rng.integers(0, 3, 400).astype(np.uint16)
    length, count = int(rng.integers(24, 40)), int(rng.integers(2, 6))
    starts = rng.choice(400 - length, count, replace=False)
    where, context = Locator(Index(stream)).locate(
        np.concatenate([stream[s : s + length] for s in starts]), 0
    )
    assert where.tolist() == [s + i for s in starts for i in range(length)]
    assert context.tolist() == list(range(length)) * count


def test_of_two_equal_places_the_next_one_is_meant() -> None:
    locator = Locator(Index(TARGETS))
    found = [int(locator.locate(rows(s), ROW)[0][0]) for s in (100, 300, 400, 420)]
    assert found == [100, 300, 400, 420]
    locator.restart()
    assert int(locator.locate(rows(400), ROW)[0][0]) == 100


def test_padding_and_foreign_text_have_no_position() -> None:
    padded = np.concatenate([TARGETS[10:30], np.full(12, 60_000, np.uint16)])
    where, _ = Locator(Index(TARGETS)).locate(padded, ROW)
    assert where.tolist() == [*range(10, 30), *[-1] * 12]
    foreign = np.full(ROW, 99, np.uint16)
    assert (Locator(Index(TARGETS)).locate(foreign, ROW)[0] == -1).all()


def test_flattened_documents_of_many_lengths_are_found() -> None:
    documents = [slice(0, 45), slice(300, 317), slice(200, 222)]
    batch = np.zeros((3, 50), np.uint16)
    for place, document in zip(batch, documents, strict=True):
        place[: document.stop - document.start] = TARGETS[document]
    where, context = Locator(Index(TARGETS)).locate(batch.reshape(-1), 0)
    for place, found, document in zip(where.reshape(3, 50), context.reshape(3, 50), documents, strict=True):
        size = document.stop - document.start
        assert place[:size].tolist() == list(range(document.start, document.stop))
        assert found[:size].tolist() == list(range(size))
        assert (place[size:] == -1).all()


def test_targets_behind_masked_ones_are_found() -> None:
    masked = np.concatenate([np.full(20, 0xFFFF, np.uint16), TARGETS[220:252]])
    where, context = Locator(Index(TARGETS)).locate(masked, masked.size)
    assert where.tolist() == [-1] * 20 + list(range(220, 252))
    assert context[20:].tolist() == list(range(32))


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> inside.Calls:
    """A book whose clock counts calls, with F.cross_entropy hooked as in a submission's process."""
    ticks = iter(range(1, 10_000))
    made = inside.Calls(tmp_path / "calls-0.bin", lambda: next(ticks))
    made.open = True
    monkeypatch.setattr(F, "cross_entropy", F.cross_entropy)
    inside._hook_losses(made)
    return made


def loss(*starts: int, reduction: str = "none", grad: bool = False) -> torch.Tensor:
    target = torch.from_numpy(rows(*starts).astype(np.int64))
    logits = torch.randn(target.numel(), 50, generator=torch.Generator().manual_seed(starts[0]))
    logits.requires_grad_(grad)
    with torch.set_grad_enabled(grad):
        return F.cross_entropy(logits, target, reduction=reduction)


def test_the_loss_with_the_most_context_counts(book: inside.Calls, tmp_path: Path) -> None:
    first, both = loss(0), loss(8, 16).view(2, ROW)
    book.mark(inside.PRINT, b"final val_bpb:1.0")
    book.close()
    (found,) = passes.rebuild([tmp_path / "calls-0.bin"], TARGETS)
    assert found.lines == ("final val_bpb:1.0",)
    wanted = torch.cat([first, both[0, -8:], both[1, -8:]])
    assert torch.equal(torch.from_numpy(found.losses[:48].copy()), wanted)
    assert np.isnan(found.losses[48:]).all()


def test_figures_on_the_way_end_no_pass(book: inside.Calls, tmp_path: Path) -> None:
    loss(0)
    book.mark(inside.PRINT, b"10% running_bpb:2.0")
    loss(32)
    book.mark(inside.PRINT, b"final val_bpb:1.0")
    loss(64)
    book.close()
    found = passes.rebuild([tmp_path / "calls-0.bin"], TARGETS, ["10% running_bpb:2.0"])
    assert [(p.seen, p.lines) for p in found] == [(2 * ROW, ("final val_bpb:1.0",)), (ROW, ("",))]


def test_a_mean_is_noted_token_by_token(book: inside.Calls, tmp_path: Path) -> None:
    mean = loss(64, reduction="mean")
    book.close()
    (found,) = passes.rebuild([tmp_path / "calls-0.bin"], TARGETS)
    assert found.seen == ROW
    assert np.nanmean(found.losses) == pytest.approx(mean.item(), abs=1e-6)


def test_a_call_under_a_function_mode_is_noted_once(book: inside.Calls, tmp_path: Path) -> None:
    class Mode(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            return func(*args, **(kwargs or {}))

    with Mode(), torch.no_grad():
        F.cross_entropy(torch.zeros(ROW, 60), torch.from_numpy(rows(8).astype(np.int64)))
    book.close()
    assert len(list(passes.read_calls(tmp_path / "calls-0.bin"))) == 1


def test_training_before_scoring_is_seen(book: inside.Calls, tmp_path: Path) -> None:
    loss(0)
    loss(0, reduction="mean", grad=True)
    book.mark(inside.STEP)
    loss(64, reduction="mean", grad=True)
    loss(64)
    book.close()
    (found,) = passes.rebuild([tmp_path / "calls-0.bin"], TARGETS)
    assert (found.score_calls, found.train_calls, found.steps) == (2, 2, 1)
    assert found.trained_before == ROW
    assert set(np.flatnonzero(found.trained_at < found.scored_at)) >= set(range(64, 96))


def test_training_on_the_mark_between_documents_is_none_on_a_val_token(
    book: inside.Calls, tmp_path: Path
) -> None:
    loss(0, reduction="mean", grad=True)
    book.mark(inside.STEP)
    loss(0)
    book.close()
    bos = int(TARGETS[7])
    (found,) = passes.rebuild([tmp_path / "calls-0.bin"], TARGETS, bos=bos)
    assert found.trained_before == ROW - int((TARGETS[:ROW] == bos).sum()) < ROW


def scored_while_trained(book: inside.Calls, *starts: int) -> torch.Tensor:
    """One forward pass under gradients gives the losses that count and those that are trained on."""
    found = loss(*starts, reduction="none", grad=True)
    book.mark(inside.BACKWARD)
    book.mark(inside.STEP)
    return found.detach()


def test_one_forward_pass_may_score_and_train(book: inside.Calls, tmp_path: Path) -> None:
    whole = torch.cat([loss(0), scored_while_trained(book, 32), loss(64)])
    book.close()
    (found,) = passes.rebuild([tmp_path / "calls-0.bin"], TARGETS)
    read = found.read_as(whole.mean().item())
    assert (read.seen, read.trained_before, read.train_calls) == (3 * ROW, 0, 1)
    assert torch.equal(torch.from_numpy(read.losses[: 3 * ROW].copy()), whole)


def test_losses_that_only_trained_are_no_scores(book: inside.Calls, tmp_path: Path) -> None:
    scored_while_trained(book, 0)
    torch.manual_seed(1)
    target = torch.from_numpy(rows(0).astype(np.int64))
    after = F.cross_entropy(torch.randn(ROW, 50) + 5 * F.one_hot(target, 50), target, reduction="none")
    book.close()
    (found,) = passes.rebuild([tmp_path / "calls-0.bin"], TARGETS)
    read = found.read_as(after.mean().item())
    assert (read.seen, read.trained_before) == (ROW, ROW)


class Compilable(torch.nn.Module):
    """Gives the mean loss of its targets, as the challenge's baseline; compiled it calls no function of ours."""

    def __init__(self) -> None:
        super().__init__()
        self.head = torch.nn.Embedding(50, 50)

    def forward(self, ids: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(self.head(ids).flatten(0, 1), targets.flatten())


@pytest.fixture
def model(book: inside.Calls, monkeypatch: pytest.MonkeyPatch) -> Compilable:
    """A model compiled while compiled regions are watched."""
    optimized = torch._dynamo.eval_frame.OptimizedModule
    monkeypatch.setattr(torch, "compile", torch.compile)
    monkeypatch.setattr(optimized, "__call__", optimized.__call__)
    compiled.install(book)
    return torch.compile(Compilable(), backend="aot_eager", fullgraph=True)


def test_a_loss_inside_a_compiled_model_is_seen_at_its_boundary(
    book: inside.Calls, model: Compilable, tmp_path: Path
) -> None:
    ids, targets = (
        torch.zeros(2, ROW, dtype=torch.long),
        torch.from_numpy(rows(0, 64).astype(np.int64)).view(2, ROW),
    )
    with torch.no_grad():
        scored = model(ids, targets)
    model(ids, targets).backward()
    book.close()
    (found,) = passes.rebuild([tmp_path / "calls-0.bin"], TARGETS)
    assert (found.seen, found.score_calls, found.train_calls, found.coarse) == (2 * ROW, 1, 1, True)
    assert found.mean == pytest.approx(scored.item(), abs=1e-6)
    assert found.trained_before == 0
    assert (found.trained_at[:ROW] > found.scored_at[:ROW]).all()


def test_a_loss_outside_a_compiled_region_is_noted_once(
    book: inside.Calls, model: Compilable, tmp_path: Path
) -> None:
    plain = torch.compile(lambda ids, targets: broken(model, ids, targets), backend="eager")
    targets = torch.from_numpy(rows(0).astype(np.int64))[None]
    with torch.no_grad():
        plain(torch.zeros_like(targets), targets)
    book.close()
    (found,) = passes.rebuild([tmp_path / "calls-0.bin"], TARGETS)
    assert (found.score_calls, found.coarse) == (1, False)


@torch.compiler.disable
def broken(model: Compilable, ids: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return F.cross_entropy(model._orig_mod.head(ids).flatten(0, 1), targets.flatten())


def test_nothing_is_noted_before_the_book_is_open(book: inside.Calls, tmp_path: Path) -> None:
    book.open = False
    loss(0)
    book.close()
    assert passes.rebuild([tmp_path / "calls-0.bin"], TARGETS) == []


@pytest.mark.parametrize("cut", [1, 23, 30, 60])
def test_a_cut_file_gives_its_whole_records(book: inside.Calls, tmp_path: Path, cut: int) -> None:
    loss(0)
    loss(32)
    book.close()
    path = tmp_path / "calls-0.bin"
    path.write_bytes(path.read_bytes()[:-cut])
    (found,) = passes.rebuild([path], TARGETS)
    assert found.seen == ROW
