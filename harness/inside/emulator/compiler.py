"""torch.compile and its relatives leave the script's functions as they are; the compiler itself is never imported.

`torch._dynamo` and `torch._inductor` are replaced by empty stand-ins: they take a second to import, and nothing that
they do changes what a script computes. An attribute that the stand-ins do not know is a decorator that does nothing.
"""

from __future__ import annotations

import collections
import importlib
import importlib.abc
import importlib.machinery
import sys
import types
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

PACKAGES = ("torch._dynamo", "torch._inductor")


class OptimizedModule(nn.Module):
    """What torch.compile makes of a module: a wrapper that holds it as `_orig_mod`, also in names of the state."""

    _orig_mod: nn.Module

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self._orig_mod = module
        self.training = module.training

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The wrapped module's call."""
        return self._orig_mod(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name == "_orig_mod":
            return self._modules["_orig_mod"]
        return getattr(self._orig_mod, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("_orig_mod", "training") or name.startswith(("_", "call_super_init")):
            super().__setattr__(name, value)
        else:
            setattr(self._orig_mod, name, value)


def identity(function: Any = None, *args: Any, **options: Any) -> Any:
    """A decorator that does nothing, with or without arguments."""
    if callable(function):
        return function
    return lambda decorated: decorated


def compile_(model: Any = None, **options: Any) -> Any:
    """torch.compile: functions are returned as they are, modules wrapped as torch wraps them."""
    if model is None:
        return lambda decorated: compile_(decorated)
    return OptimizedModule(model) if isinstance(model, nn.Module) else model


class Settings(types.ModuleType):
    """A configuration module: it remembers what is set; what was never set is 0."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name in ("triton", "cpp", "cuda", "trace", "aot_inductor", "rocm"):
            self.__dict__[name] = Settings(f"{self.__name__}.{name}")
            return self.__dict__[name]
        return 0

    def patch(self, *args: Any, **kwargs: Any) -> Any:
        """A context manager and decorator, as the real configuration modules offer."""
        return torch.autocast("cpu", enabled=False) if args or kwargs else identity


class StandIn(types.ModuleType):
    """A module of the compiler: unknown attributes are decorators that do nothing."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name in ("config", "utils", "eval_frame", "codecache", "runtime", "trace_rules"):
            return importlib.import_module(f"{self.__name__}.{name}")
        return identity


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the stand-ins under their real names."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """A specification for every module of the compiler's packages."""
        if name.startswith(PACKAGES):
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        """A configuration module where the name says so, else a stand-in."""
        return Settings(spec.name) if spec.name.endswith(".config") else StandIn(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        """The names that must not be decorators."""
        if module.__name__ == "torch._dynamo.utils":
            module.__dict__["counters"] = collections.defaultdict(collections.Counter)
        if module.__name__ in ("torch._dynamo", "torch._dynamo.eval_frame"):
            module.__dict__.update(
                OptimizedModule=OptimizedModule, is_compiling=lambda: False, reset=lambda: None
            )


def install() -> None:
    """Put the stand-ins where torch and the script look. Must run before anything imports torch._dynamo."""
    sys.meta_path.insert(0, Finder())
    for package in PACKAGES:
        setattr(torch, package.split(".")[1], importlib.import_module(package))
    t: Any = torch
    t.compile = compile_
    t.nn.Module.compile = lambda self, *a, **k: None
    for name in ("script", "script_if_tracing", "ignore", "unused", "export", "interface", "trace"):
        setattr(t.jit, name, identity)
    for name in ("disable", "allow_in_graph", "assume_constant_result", "reset"):
        setattr(t.compiler, name, identity)
    t.compiler.cudagraph_mark_step_begin = lambda: None
