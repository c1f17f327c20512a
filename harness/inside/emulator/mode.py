"""The mode through which every torch call of the script passes: CUDA arguments are mapped, watchers are called."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

CPU = torch.device("cpu")

Hook = Callable[[Any, tuple[Any, ...], dict[str, Any]], Any]
AnyHook = Callable[[Any, tuple[Any, ...], dict[str, Any], Any], None]


def on_cpu(device: Any) -> Any:
    """The device that stands for `device` here: CPU for every CUDA device or bare index, anything else unchanged."""
    if isinstance(device, torch.device):
        return CPU if device.type == "cuda" else device
    if isinstance(device, str):
        return CPU if device.startswith("cuda") else device
    if isinstance(device, int) and not isinstance(device, bool):
        return CPU
    return device


class EmulatorMode(TorchFunctionMode):
    """Sees every torch function call of the thread it is active in.

    `hooks` maps a torch function to a handler ``(func, args, kwargs) -> result`` that is called in its place, after
    device arguments were mapped, and calls `func` itself. `any_hook`, when set, is called as ``(func, args, kwargs,
    result)`` after every call that has no hook. `calls` counts the calls of this thread: the clock advances with it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.hooks: dict[Any, Hook] = {}
        self.any_hook: AnyHook | None = None
        self.calls = 0

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        self.calls += 1
        if kwargs is None:
            kwargs = {}
        replacement = _REPLACED.get(func)
        if replacement is not None:
            return replacement(self, func, args, kwargs)
        if kwargs:
            if "device" in kwargs:
                kwargs["device"] = on_cpu(kwargs["device"])
            if "pin_memory" in kwargs:
                kwargs["pin_memory"] = False
        hook = self.hooks.get(func)
        if hook is not None:
            return hook(func, args, kwargs)
        result = func(*args, **kwargs)
        if self.any_hook is not None:
            self.any_hook(func, args, kwargs, result)
        return result

    def call(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call `func` as an ordinary call is: by its hook if it has one, else directly, then `any_hook`."""
        hook = self.hooks.get(func)
        if hook is not None:
            return hook(func, args, kwargs)
        result = func(*args, **kwargs)
        if self.any_hook is not None:
            self.any_hook(func, args, kwargs, result)
        return result

    def activate(self) -> None:
        """Make it active here, in every thread started later, in backward passes and inside custom operators."""
        super().__enter__()  # type: ignore[no-untyped-call]
        _activate_in_threads(self)
        _activate_in_backward(self)
        _activate_in_custom_operators(self)

    @contextlib.contextmanager
    def active(self) -> Iterator[None]:
        """Active inside the block, also where torch has suspended it to run one of its own functions."""
        if is_active():
            yield
        else:
            with self:
                yield


class ThreadMode(EmulatorMode):
    """The mode of a thread that is not the main one: it shares the hooks, and its calls do not move the clock."""

    def __init__(self, main: EmulatorMode) -> None:
        super().__init__()
        self.hooks = main.hooks
        self.main = main

    @property
    def any_hook(self) -> AnyHook | None:
        """The main mode's, whenever it was set."""
        return self.main.any_hook

    @any_hook.setter
    def any_hook(self, hook: AnyHook | None) -> None:
        """Ignored in the constructor; a watcher sets the main mode's."""


def is_active() -> bool:
    """Whether an emulator mode is on this thread's stack of modes."""
    depth = torch._C._len_torch_function_stack()
    return any(isinstance(torch._C._get_function_stack_at(i), EmulatorMode) for i in range(depth))


def _activate_in_threads(mode: EmulatorMode) -> None:
    thread: Any = threading.Thread
    bootstrap = thread._bootstrap_inner

    def bootstrap_with_mode(self: threading.Thread) -> None:
        with ThreadMode(mode):
            bootstrap(self)

    thread._bootstrap_inner = bootstrap_with_mode


def _activate_in_backward(mode: EmulatorMode) -> None:
    # Tensor.backward is itself a torch function: torch suspends the mode while it runs, and with it for every hook and
    # every custom autograd function of the script. All backward passes go through this one engine call.
    autograd: Any = torch.autograd
    engine = autograd._engine_run_backward

    def run_backward(*args: Any, **kwargs: Any) -> Any:
        with mode.active():
            return engine(*args, **kwargs)

    autograd._engine_run_backward = autograd.graph._engine_run_backward = run_backward


def _activate_in_custom_operators(mode: EmulatorMode) -> None:
    # A custom operator's Python body runs inside the dispatcher, where the mode is suspended too.
    define = torch.library.custom_op

    def custom_op(name: str, fn: Any = None, /, *, device_types: Any = None, **kwargs: Any) -> Any:
        def decorate(body: Any) -> Any:
            @functools.wraps(body)
            def active_body(*args: Any, **kw: Any) -> Any:
                with mode.active():
                    return body(*args, **kw)

            return define(name, active_body, **kwargs)

        return decorate if fn is None else decorate(fn)

    library: Any = torch.library
    library.custom_op = custom_op


def _to(mode: EmulatorMode, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    named = kwargs.get("device")
    device = named if named is not None else args[1] if len(args) > 1 else None
    if named is not None:
        kwargs["device"] = on_cpu(named)
    elif isinstance(device, torch.device | str | int):
        args = (args[0], on_cpu(device), *args[2:])
    result = mode.call(func, args, kwargs)
    leaves_gpu = device == "cpu" or device == CPU
    return result.clone() if leaves_gpu and result is args[0] else result


def _cpu(mode: EmulatorMode, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    # From a GPU this copies. Scripts rely on it for snapshots of weights, so the result must not share memory here.
    result = mode.call(func, args, kwargs)
    return result.clone() if result is args[0] else result


def _same(mode: EmulatorMode, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return args[0]


def _true(mode: EmulatorMode, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    return True


def _nothing(mode: EmulatorMode, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    return None


_is_cuda: Any = torch.Tensor.is_cuda  # a descriptor of the class
_REPLACED: dict[Any, Callable[[EmulatorMode, Any, tuple[Any, ...], dict[str, Any]], Any]] = {
    torch.Tensor.to: _to,
    torch.Tensor.cpu: _cpu,
    torch.Tensor.cuda: _same,
    torch.Tensor.pin_memory: _same,
    torch.Tensor.is_pinned: _true,
    _is_cuda.__get__: _true,
}
