"""Where a val loss is born: cross entropy in its usual forms, gathered log-probabilities, fused kernels.

Each entry identifies the target positions by content, writes the score event with one row per token (position, loss in
nats, and whether the model already knew the position), and returns the loss as a tracked tensor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch._C import DisableTorchFunction  # the real ones: a script that calls them is noted

from .ledger import Ledger
from .sketch import sketch
from .state import StateBook
from .stream import ValStream
from .tracked import Tracked, Tracker

_SMALLEST = 2  # a target shorter than this says nothing


class Entries:
    """The hooks on loss functions."""

    def __init__(
        self,
        stream: ValStream,
        ledger: Ledger,
        tracker: Tracker,
        book: StateBook,
        failed: Callable[[str], None],
    ) -> None:
        self._stream = stream
        self._ledger = ledger
        self._tracker = tracker
        self._book = book
        self._failed = failed

    def hooks(self) -> dict[Callable[..., Any], Callable[..., Any]]:
        """Handlers by torch function."""
        return {
            F.cross_entropy: self.cross_entropy,
            F.nll_loss: self.nll_loss,
            torch.gather: self.gather,
            torch.Tensor.gather: self.gather,
            torch.take_along_dim: self.along,
            torch.Tensor.take_along_dim: self.along,
            torch.Tensor.__getitem__: self.getitem,
            F.embedding: self.embedding,
            torch.embedding: self.embedding,
        }

    def identify(self, target: Any) -> np.ndarray | None:
        """Positions of a tensor of tokens, None where it holds no val tokens."""
        if (
            not isinstance(target, torch.Tensor)
            or target.dtype.is_floating_point
            or target.dtype == torch.bool
        ):
            return None
        if target.numel() < _SMALLEST or target.requires_grad:
            return None
        tokens = target.detach().reshape(-1).numpy()
        rows = target.shape[0] if target.dim() >= 2 else self._book.last_rows(target.numel())
        return self._stream.positions(tokens, rows)

    def guarded(self, func: Callable[..., Any], args: Any, kwargs: Any, work: Callable[[Any], Any]) -> Any:
        """Run the script's call as it is; then the watcher's work, whose failure never reaches the script."""
        result = func(*args, **kwargs)
        try:
            with DisableTorchFunction():
                return work(result)
        except Exception as error:
            self._failed(f"{getattr(func, '__name__', func)}: {type(error).__name__}: {error}")
            return result

    def cross_entropy(self, func: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """F.cross_entropy(input, target, weight, size_average, ignore_index, reduce, reduction, label_smoothing)."""
        return self._classified(func, args, kwargs, F.cross_entropy)

    def nll_loss(self, func: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """F.nll_loss(input, target, weight, size_average, ignore_index, reduce, reduction)."""
        return self._classified(func, args, kwargs, F.nll_loss)

    def _classified(self, func: Callable[..., Any], args: Any, kwargs: Any, form: Callable[..., Any]) -> Any:
        source = args[0] if args else kwargs.get("input")
        target = args[1] if len(args) > 1 else kwargs.get("target")
        positions = self.identify(target)
        if positions is None or not isinstance(source, torch.Tensor) or isinstance(target, Tracked):
            return func(*args, **kwargs)

        def work(result: torch.Tensor) -> torch.Tensor:
            per_token = result
            if result.numel() != len(positions):
                ignore = kwargs.get("ignore_index", args[4] if len(args) > 4 else -100)
                with torch.no_grad():
                    per_token = form(source.detach(), target, ignore_index=ignore, reduction="none")
                positions[target.reshape(-1).numpy() == ignore] = -1
            axis = 1 if source.dim() > 1 else 0
            return self._scored(result, per_token, positions, source, axis)

        return self.guarded(func, args, kwargs, work)

    def along(self, func: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """take_along_dim(input, indices, dim): the same, but the index comes before the axis."""
        given = dict(zip(("input", "indices", "dim"), args, strict=False)) | kwargs
        if "input" not in given or "indices" not in given:
            return func(*args, **kwargs)

        def called(source: Any, *, index: Any) -> Any:
            rest = {k: v for k, v in given.items() if k not in ("input", "indices")}
            return func(source, index, **rest)

        return self.gather(called, (given["input"],), {"index": given["indices"]})

    def gather(self, func: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Log-probabilities (or logits, or probabilities) gathered at the target: the loss is computed beside it."""
        source = args[0] if args else kwargs.get("input")
        index = kwargs.get(
            "index", kwargs.get("indices", args[2] if len(args) > 2 else args[1] if len(args) > 1 else None)
        )
        if (
            not isinstance(source, torch.Tensor)
            or not source.dtype.is_floating_point
            or isinstance(source, Tracked)
        ):
            return func(*args, **kwargs)
        if not isinstance(index, torch.Tensor) or source.dim() != index.dim() or index.shape[-1] != 1:
            return func(*args, **kwargs)
        positions = self.identify(index.squeeze(-1))
        if positions is None:
            return func(*args, **kwargs)
        return self.guarded(func, args, kwargs, lambda result: self._gathered(result, source, positions))

    def getitem(self, func: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """`logp[rows, targets]`: an advanced index whose last part holds val tokens."""
        index = args[1]
        if type(index) is not tuple or len(index) < 2 or isinstance(args[0], Tracked):
            return func(*args, **kwargs)
        source, last = args[0], index[-1]
        if not isinstance(last, torch.Tensor) or not isinstance(index[0], torch.Tensor):
            return func(*args, **kwargs)
        if not source.dtype.is_floating_point or source.dim() != len(index) or source.shape[-1] < 16:
            return func(*args, **kwargs)
        positions = self.identify(last)
        if positions is None:
            return func(*args, **kwargs)

        def work(result: torch.Tensor) -> torch.Tensor:
            rows = source[index[:-1]]
            return self._gathered(result, rows, positions) if result.numel() == len(positions) else result

        return self.guarded(func, args, kwargs, work)

    def _gathered(self, result: torch.Tensor, source: torch.Tensor, positions: np.ndarray) -> torch.Tensor:
        with torch.no_grad():
            rows = source.detach().double()
            picked = result.detach().double().reshape(-1)
            if rows.shape[:-1].numel() != picked.numel():
                return result
            total = rows.exp().sum(-1) if bool((rows <= 1e-6).all()) else torch.logsumexp(rows, -1).exp()
            sums = rows.sum(-1)
            if bool((rows >= 0).all()) and bool(((sums - 1).abs() < 1e-2).all()):
                per_token = -picked.clamp_min(1e-45).log()
            else:
                per_token = total.log().reshape(-1) - picked
        return self._scored(result, per_token, positions, source, source.dim() - 1)

    def fused(self, func: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """A kernel of the script's own (autograd.Function, custom op) that is given val targets and returns a loss."""
        result = func(*args, **kwargs)
        value = result[0] if isinstance(result, tuple) and result else result
        if (
            not isinstance(value, torch.Tensor)
            or not value.dtype.is_floating_point
            or isinstance(value, Tracked)
        ):
            return result
        try:
            with DisableTorchFunction():
                for target in args:
                    if not isinstance(target, torch.Tensor) or target.dtype.is_floating_point:
                        continue
                    if value.numel() not in (1, target.numel()) or target.numel() < _SMALLEST:
                        continue
                    positions = self.identify(target)
                    if positions is None:
                        continue
                    sources = [
                        a
                        for a in args
                        if isinstance(a, torch.Tensor) and a.dtype.is_floating_point and a.dim() > 1
                    ]
                    per_token = (
                        value.detach()
                        if value.numel() == target.numel()
                        else torch.full((target.numel(),), float("nan"))
                    )
                    source = sources[0] if sources else None
                    tracked = self._scored(
                        value, per_token, positions, source, source.dim() - 1 if source is not None else 0
                    )
                    return (tracked, *result[1:]) if isinstance(result, tuple) else tracked
        except Exception as error:
            self._failed(f"{getattr(func, '__name__', func)}: {type(error).__name__}: {error}")
        return result

    def embedding(self, func: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Note the shape of the batch that enters a model, and its positions where a gradient may follow."""
        first, second = args[0], args[1] if len(args) > 1 else kwargs.get("weight")
        ids = first if isinstance(first, torch.Tensor) and not first.dtype.is_floating_point else second
        try:
            if isinstance(ids, torch.Tensor) and not ids.dtype.is_floating_point:
                self._book.entered(tuple(ids.shape), self.identify(ids) if torch.is_grad_enabled() else None)
        except Exception as error:
            self._failed(f"embedding: {type(error).__name__}: {error}")
        return func(*args, **kwargs)

    def _scored(
        self, result: torch.Tensor, per_token: torch.Tensor, positions: np.ndarray, source: Any, axis: int
    ) -> torch.Tensor:
        losses = per_token.detach().double().reshape(-1).numpy()
        leaks, kinds = self._book.known(positions)
        whole = sketch(source, axis, len(positions))
        first = self._ledger.scores(positions, losses, leaks, kinds, whole)
        classes = int(source.shape[axis]) if source is not None and source.dim() else 0
        self._ledger.event(
            "score", s=self._ledger.stack(), o=first, n=len(positions), V=classes,
            rows=self._book.last_rows(len(positions)), g=int(result.requires_grad),
            form="each" if result.numel() == len(positions) else "one",
        )  # fmt: skip
        codes = np.where(positions >= 0, first + np.arange(len(positions)), -1)
        if result.numel() == len(positions):
            shaped = torch.from_numpy(codes).view(result.shape)
        else:
            shaped = torch.full(result.shape, self._ledger.node(codes), dtype=torch.int64)
        return self._tracker.wrap(result, shaped)
