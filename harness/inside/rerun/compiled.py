"""A loss inside a compiled region, seen at the region's boundary: integer targets go in, a loss comes out.

`F.cross_entropy` inside a compiled model is part of its kernels and calls nothing of ours. What the region returns is the
loss of each token, or their mean alone: that is noted as what it is. Where a compiled region gives logits, or falls back to
plain Python, the loss is seen where it is computed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from .calls import SCORE, TRAIN, Calls

_WHOLE = (torch.int16, torch.int32, torch.int64, torch.uint8)


def install(calls: Calls) -> None:
    """Hook what torch.compile returns from now on, and every compiled module."""
    t: Any = torch
    plain = torch.compile

    def compile(model: Any = None, *args: Any, **kwargs: Any) -> Any:
        if model is None:
            return lambda function: compile(function, *args, **kwargs)
        made = plain(model, *args, **kwargs)
        return made if isinstance(made, nn.Module) else _watched(made, calls, method=False)

    t.compile = compile
    optimized: Any = t._dynamo.eval_frame.OptimizedModule
    optimized.__call__ = _watched(optimized.__call__, calls, method=True)


def _watched(function: Callable[..., Any], calls: Calls, *, method: bool) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if torch.compiler.is_compiling() or not calls.open:
            return function(*args, **kwargs)
        targets = _targets(args[1:] if method else args, kwargs)
        if targets is None:
            return function(*args, **kwargs)
        if calls.before_score is not None:
            calls.before_score()
        noted = calls.noted
        result = function(*args, **kwargs)
        loss = _loss(result, targets)
        if loss is not None and calls.noted == noted:
            kind = TRAIN if torch.is_grad_enabled() and loss.requires_grad else SCORE
            known = loss.numel() == targets.numel() or kind == SCORE
            calls.loss(targets, loss if known else None, kind)
        return result

    return call


def _targets(args: tuple[Any, ...], kwargs: dict[str, Any]) -> torch.Tensor | None:
    """The second of the first two tensors of whole numbers, if both have one shape: ids and targets."""
    given = [v for v in (*args, *kwargs.values()) if isinstance(v, torch.Tensor) and v.dtype in _WHOLE]
    if len(given) < 2 or given[0].shape != given[1].shape or given[1].numel() < 2:
        return None
    return given[1]


def _loss(result: Any, targets: torch.Tensor) -> torch.Tensor | None:
    """The first result that is a loss: of each target, or one number."""
    for value in result if isinstance(result, tuple | list) else (result,):
        if isinstance(value, torch.Tensor) and value.is_floating_point():
            if value.numel() in (1, targets.numel()):
                return value
            return None
    return None
