"""How a model is asked for its predictions: logits where it gives them, else those that go into its loss.

A model that returns its cross entropy gives logits where that is left out; one that does more with it is stopped there. A
way is found by trying on one window, never by name alone. Where the head is a linear map to the vocabulary, it can be
applied to the positions that count only; that is tried against the full logits first and used only if they agree.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

_LINEAR = F.linear
AGREE = 1e-5
"""Logits with a shortened head may differ by so much from the full ones (the order of sums), relative to the largest."""


class NoWay(Exception):
    """The model gives neither logits nor a loss for (ids) or (ids, targets); the sentence says what was tried."""


class _Caught(Exception):
    """Carries logits out of a model at the moment it computes its loss."""

    def __init__(self, logits: torch.Tensor) -> None:
        super().__init__()
        self.logits = logits


Way = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""(ids [B, T], targets [B, T]) -> logits [B, T, V]."""


def find_way(model: nn.Module, ids: torch.Tensor, targets: torch.Tensor, vocab: int) -> tuple[str, Way]:
    """(its name, the way) for this model, tried on ids and targets [1, T]. Raises NoWay."""
    tried = []
    for name, way in _candidates(model, vocab):
        try:
            logits = way(ids, targets)
        except Exception as error:
            tried.append(f"{name}: {type(error).__name__}: {str(error)[:120]}")
            continue
        if logits.shape == (*ids.shape, vocab):
            return name, way
        tried.append(f"{name}: a result of shape {tuple(logits.shape)}")
    raise NoWay("the model gives no logits: " + "; ".join(tried))


def _candidates(model: nn.Module, vocab: int) -> Iterator[tuple[str, Way]]:
    methods = [n for n in dir(type(model)) if "logits" in n.lower() and not n.startswith("__")]
    for name in sorted(methods, key=lambda n: (n != "forward_logits", n)):
        method = getattr(model, name)
        if callable(method) and _needed(method) == 1:
            yield f"{name}(ids)", _by_result(method, vocab, with_targets=False)
    needed = _needed(model.forward)
    if needed == 1:
        yield "forward(ids)", _by_result(model, vocab, with_targets=False)
    if needed > 2:
        return
    yield "forward(ids, targets), logits", _by_result(model, vocab, with_targets=True)
    yield "forward(ids, targets), its loss left out", _without_loss(model, vocab)
    yield "forward(ids, targets), at its loss", _by_loss(model, vocab)
    if "reduction" in inspect.signature(model.forward).parameters:
        # The mean that it trains on may be computed without cross entropy, while its evaluation asks for each loss.
        each = functools.partial(model, reduction="none")
        yield 'forward(ids, targets, reduction="none"), at its loss', _by_loss(each, vocab)


def _needed(function: Any) -> int:
    """How many arguments a call must have."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = inspect.signature(function).parameters.values()
    return sum(p.kind in kinds and p.default is inspect.Parameter.empty for p in parameters)


def _by_result(call: Any, vocab: int, *, with_targets: bool) -> Way:
    def way(ids: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        result = call(ids, targets) if with_targets else call(ids)
        tensors = result if isinstance(result, tuple | list) else (result,)
        for tensor in tensors:
            if isinstance(tensor, torch.Tensor) and tensor.dim() and tensor.shape[-1] == vocab:
                return tensor.reshape(ids.shape[0], -1, vocab)
        raise NoWay("no tensor of the vocabulary's size in its result")

    return way


def _by_loss(call: Any, vocab: int) -> Way:
    def way(ids: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        def caught(input: torch.Tensor, target: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
            if input.dim() == 2 and input.shape[-1] == vocab:
                raise _Caught(input.reshape(ids.shape[0], -1, vocab))
            if input.dim() == 3 and input.shape[1] == vocab:
                raise _Caught(input.transpose(1, 2))
            return before(input, target, *args, **kwargs)

        before = F.cross_entropy
        setattr(F, "cross_entropy", caught)  # noqa: B010
        try:
            call(ids, targets)
        except _Caught as found:
            return found.logits
        finally:
            setattr(F, "cross_entropy", before)  # noqa: B010
        raise NoWay("it computes no cross entropy over the vocabulary")

    return way


def _without_loss(model: nn.Module, vocab: int) -> Way:
    """The model's own result while cross entropy hands its input through; only where those are the very logits."""
    return Unfinished(_by_result(model, vocab, with_targets=True), _by_loss(model, vocab))


class Unfinished:
    """A way that needs :func:`loss_left_out`, which it enters by itself; `inner` is what a compiler takes inside it."""

    def __init__(self, inner: Way, at_loss: Way) -> None:
        self.inner, self._at_loss, self._checked = inner, at_loss, False

    def __call__(self, ids: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        with loss_left_out():
            logits = self.inner(ids, targets)
        if not self._checked:
            if not torch.equal(logits, self._at_loss(ids, targets)):
                raise NoWay("what it returns is not its loss alone")
            self._checked = True
        return logits


def _hand_through(input: torch.Tensor, target: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
    return input


@contextlib.contextmanager
def loss_left_out() -> Iterator[None]:
    """Inside, `F.cross_entropy` is its input."""
    before = F.cross_entropy
    setattr(F, "cross_entropy", _hand_through)  # noqa: B010
    try:
        yield
    finally:
        setattr(F, "cross_entropy", before)  # noqa: B010


@functools.lru_cache(maxsize=8)
def _short_linear(count: int, length: int, vocab: int) -> Any:
    """The same function for the same numbers: compiled code that calls it stays valid."""
    before = _LINEAR

    def linear(input: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
        if weight.shape[0] == vocab and input.dim() == 3 and input.shape[1] == length:
            input = input[:, length - count :]
        elif weight.shape[0] == vocab and input.dim() == 2 and input.shape[0] % length == 0:
            input = input.view(-1, length, input.shape[1])[:, length - count :].flatten(0, 1)
        return before(input, weight, bias)

    return linear


@contextlib.contextmanager
def head_on_last(count: int, length: int, vocab: int) -> Iterator[None]:
    """Inside, a linear map to the vocabulary sees only the last `count` of each `length` positions."""
    before = F.linear
    setattr(F, "linear", _short_linear(count, length, vocab))  # noqa: B010
    try:
        yield
    finally:
        setattr(F, "linear", before)  # noqa: B010


def last_logits(way: Way, ids: torch.Tensor, targets: torch.Tensor, count: int) -> torch.Tensor:
    """Logits [B, count, V] of the last positions, all of them computed."""
    return way(ids, targets)[:, ids.shape[1] - count :]


def losses_of_last(way: Way, losses: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> Any:
    """A function (ids, targets, count) -> losses [B, count] for a compiler; a shortened head gives `count` logits alone."""
    inner = way.inner if isinstance(way, Unfinished) else way

    def losses_of(ids: torch.Tensor, targets: torch.Tensor, count: int) -> torch.Tensor:
        logits = inner(ids, targets)
        if logits.shape[1] != count:
            logits = logits[:, logits.shape[1] - count :]
        return losses(logits, targets[:, targets.shape[1] - count :])

    return losses_of


def short_logits(
    way: Way, ids: torch.Tensor, targets: torch.Tensor, count: int, vocab: int
) -> torch.Tensor | None:
    """Logits [B, count, V] with the head on the last positions only; None where the model does not allow it."""
    with head_on_last(count, ids.shape[1], vocab):
        try:
            logits = way(ids, targets)
        except torch.OutOfMemoryError:
            raise
        except Exception:
            return None
    return logits if logits.shape == (ids.shape[0], count, vocab) else None


def head_can_be_short(way: Way, ids: torch.Tensor, targets: torch.Tensor, count: int, vocab: int) -> bool:
    """Whether the shortened head gives the logits of the full one, on ids [B, T]."""
    short = short_logits(way, ids, targets, count, vocab)
    if short is None:
        return False
    full = last_logits(way, ids, targets, count)
    return bool((short - full).abs().max() <= AGREE * full.abs().max().clamp_min(1.0))
