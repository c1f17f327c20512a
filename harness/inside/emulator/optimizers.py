"""Optimizers on one CPU thread: `fused` and `capturable` are choices of GPU kernels, so the plain form takes over."""

from __future__ import annotations

import functools
import inspect
from typing import Any

import torch

KERNEL_CHOICES = ("fused", "capturable", "foreach")


def install() -> None:
    """Let every optimizer of torch ignore the choice of kernels, whether given by keyword or in a parameter group."""
    for name in dir(torch.optim):
        cls = getattr(torch.optim, name)
        if (
            inspect.isclass(cls)
            and issubclass(cls, torch.optim.Optimizer)
            and cls is not torch.optim.Optimizer
        ):
            _without_kernel_choice(cls)


def _without_kernel_choice(cls: Any) -> None:
    construct = cls.__init__

    @functools.wraps(construct)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        for name in KERNEL_CHOICES:
            kwargs.pop(name, None)
        construct(self, *args, **kwargs)
        for group in self.param_groups:
            for name in KERNEL_CHOICES:
                if name in group:
                    group[name] = False if name != "fused" else None

    cls.__init__ = __init__
