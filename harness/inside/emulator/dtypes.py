"""bfloat16 is float32 here, autocast does nothing, inference mode is no_grad.

bfloat16 on a CPU is slow and would make scores depend on the order of sums. Scripts cache rotary tables in evaluation
and train through them later; under torch.compile that works, in inference mode of eager torch it does not.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch.utils._contextlib import _DecoratorContextManager


class Autocast(_DecoratorContextManager):
    """torch.autocast and its relatives: context manager and decorator, whatever the arguments."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        self.args, self.kwargs = args, kwargs

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *error: Any) -> None:
        return None

    def clone(self) -> Autocast:
        """A fresh one for each call of a decorated function."""
        return type(self)(*self.args, **self.kwargs)


class InferenceMode(_DecoratorContextManager):
    """torch.inference_mode as torch.set_grad_enabled: `mode=False` enables gradients, as the real one does."""

    def __new__(cls, mode: Any = True) -> Any:
        return super().__new__(cls) if isinstance(mode, bool) else cls()(mode)

    def __init__(self, mode: bool = True) -> None:
        super().__init__()
        self.mode = mode
        self.before: list[bool] = []

    def __enter__(self) -> None:
        self.before.append(torch.is_grad_enabled())
        torch._C._set_grad_enabled(not self.mode)

    def __exit__(self, *error: Any) -> None:
        torch._C._set_grad_enabled(self.before.pop())

    def clone(self) -> InferenceMode:
        """A fresh one for each call of a decorated function."""
        return type(self)(self.mode)


def _no_custom_cast(function: Any = None, **options: Any) -> Any:
    return function if function is not None else functools.partial(_no_custom_cast, **options)


def install() -> None:
    """Replace the names through which scripts reach these."""
    # torch.save and torch.load name storages by dtype; their tables must be made while the dtypes are still distinct.
    torch.storage._dtype_to_storage_type_map()
    torch.storage._storage_type_to_dtype_map()
    torch._weights_only_unpickler._get_allowed_globals()
    t: Any = torch
    t.bfloat16, t.BFloat16Tensor = torch.float32, torch.FloatTensor
    t.Tensor.bfloat16, t.nn.Module.bfloat16 = t.Tensor.float, t.nn.Module.float
    for holder in (t, t.amp, t.amp.autocast_mode, t.cuda.amp, t.cpu.amp):
        holder.autocast = Autocast
    for holder in (t.amp, t.cuda.amp):
        holder.custom_fwd = holder.custom_bwd = _no_custom_cast
    t.inference_mode = InferenceMode
    # On a CPU a precision below "highest" may choose reduced arithmetic by the machine's features.
    t.set_float32_matmul_precision = lambda precision: None
