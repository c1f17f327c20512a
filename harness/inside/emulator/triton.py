"""Triton kernels run in Triton's own interpreter, with bfloat16 as float32; launch tuning picks the first choice."""

from __future__ import annotations

import importlib.util
import types
from collections.abc import Callable
from typing import Any

import torch


def install() -> None:
    """Set the interpreter up if triton is installed. TRITON_INTERPRET=1 must be in the environment already."""
    if importlib.util.find_spec("triton") is None:
        return  # a script that imports it ends with ModuleNotFoundError, which is reported as a missing package
    import triton
    import triton.language as tl

    tl.bfloat16 = tl.core.bfloat16 = tl.float32
    _read_float32_as_float32()
    _patch_language_once()
    triton.autotune = triton.runtime.autotuner.autotune = _first_config
    triton.set_allocator = lambda allocator: None
    device = types.SimpleNamespace(
        get_current_device=lambda: 0,
        get_active_torch_device=lambda: torch.device("cuda", 0),
        get_current_target=lambda: types.SimpleNamespace(backend="cuda", arch=90, warp_size=32),
        get_current_stream=lambda device=0: 0,
        utils=types.SimpleNamespace(get_device_properties=lambda d: {"multiprocessor_count": 132}),
    )
    triton.runtime.driver.set_active(device)
    library: Any = torch.library
    library.wrap_triton = lambda kernel: kernel
    library.triton_op = _plain_operator


def _read_float32_as_float32() -> None:
    """The interpreter looks numpy types up in a table where bfloat16 stands for uint16: under its new name float32 would
    be read as integers."""
    import numpy as np
    import triton.language as tl
    import triton.runtime.interpreter as interpreter

    look_up: Any = interpreter._get_np_dtype

    def numpy_type(kind: Any) -> Any:
        element = kind.element_ty if isinstance(kind, tl.block_type) else kind
        return np.dtype(np.float32) if element == tl.float32 else look_up(kind)

    interpreter._get_np_dtype = numpy_type


def _patch_language_once() -> None:
    """The interpreter puts its own functions into triton.language at each launch and takes them out again, which costs
    as much as a small kernel. Nothing else uses the language here, so they may stay."""
    import triton.runtime.interpreter as interpreter

    patch: Any = interpreter._patch_lang
    patched: dict[int, Any] = {}

    def patch_lang(fn: Any) -> Any:
        module = id(fn.__globals__)
        if module not in patched:
            patch(fn)
            patched[module] = types.SimpleNamespace(restore=lambda: None)
        return patched[module]

    interpreter._patch_lang = patch_lang


class _Tuned:
    """A kernel launched with the keyword arguments of its first configuration."""

    def __init__(self, kernel: Any, config: Any) -> None:
        self.kernel, self.config = kernel, config
        self.best_config = config
        self.fn = kernel

    def __getitem__(self, grid: Any) -> Callable[..., Any]:
        chosen = dict(self.config.kwargs) if self.config else {}

        def launch(*args: Any, **kwargs: Any) -> Any:
            size = (lambda meta: grid({**chosen, **meta})) if callable(grid) else grid
            return self.kernel[size](*args, **{**chosen, **kwargs})

        return launch

    def run(self, *args: Any, grid: Any, warmup: bool = False, **kwargs: Any) -> Any:
        """A launch by its other name."""
        return self[grid](*args, **kwargs)


def _first_config(configs: list[Any] | None = None, *args: Any, **options: Any) -> Callable[[Any], _Tuned]:
    return lambda kernel: _Tuned(kernel, configs[0] if configs else None)


def _plain_operator(name: str, fn: Any = None, **options: Any) -> Any:
    """torch.library.triton_op without the dispatcher: autograd registered on it is kept by a small wrapper."""
    return _Operator if fn is None else _Operator(fn)


class _Operator:
    """A custom operator as an autograd function of its own."""

    def __init__(self, body: Callable[..., Any]) -> None:
        self.body = body
        self.function: Any = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.function is None or kwargs:
            return self.body(*args, **kwargs)
        return self.function.apply(*args)

    def register_autograd(self, backward: Any, /, *, setup_context: Any = None) -> None:
        """Differentiate by the given functions."""
        body = self.body

        members = {
            "forward": staticmethod(lambda *args: body(*args)),
            "setup_context": staticmethod(setup_context or (lambda ctx, inputs, output: None)),
            "backward": staticmethod(backward),
        }
        self.function = type("Function", (torch.autograd.Function,), members)

    def register_fake(self, function: Any) -> Any:
        """Shapes are known by running."""
        return function

    register_kernel = register_fake
