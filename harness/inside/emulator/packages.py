"""Optional packages that cannot influence a score get stand-ins that do nothing; all others must be installed.

What a script computes with (mamba_ssm, fla, einops, ...) is never imitated: the import fails with Python's own message,
and the run is reported as lacking that package. The exceptions are kernels with a plain definition, such as flash
attention, which have a file of their own.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
import types
from typing import Any

OBSERVERS = (
    "wandb",
    "psutil",
    "tqdm",
    "tqdm.auto",
    "pynvml",
    "dotenv",
    "setproctitle",
    "swanlab",
    "tensorboard",
)
"""Loggers, progress bars and monitors."""

DOWNLOADERS = ("huggingface_hub", "hf_transfer", "modal", "runpod")
"""They only reach the network, which there is none of: importing succeeds, calling is an error."""


def provide(name: str, attributes: dict[str, Any], version: str = "1.0.0") -> types.ModuleType:
    """Make `import name` yield a package with these attributes, below its parents if the name is dotted."""
    module = types.ModuleType(name)
    module.__spec__ = importlib.machinery.ModuleSpec(name, None, is_package=True)
    module.__path__ = []
    module.__dict__.update({"__version__": version} | attributes)
    sys.modules[name] = module
    _provided.add(name)
    parent, _, child = name.rpartition(".")
    if parent in sys.modules:
        setattr(sys.modules[parent], child, module)
    return module


_provided: set[str] = set()


class Nothing:
    """Accepts every call and attribute, and is empty, zero and false. Iterating over a wrapped iterable yields it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._wrapped = args[0] if args else ()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return Nothing(*args)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Nothing()

    def __iter__(self) -> Any:
        return iter(self._wrapped)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *error: Any) -> None:
        return None

    def __bool__(self) -> bool:
        return False

    def __int__(self) -> int:
        return 0

    def __float__(self) -> float:
        return 0.0

    def __getitem__(self, key: Any) -> Any:
        return Nothing()

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def __format__(self, spec: str) -> str:
        return format(0.0, spec) if spec else ""


class Offline:
    """A function of a downloader: naming it is fine, calling it says that there is no network."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise OSError(f"{self._name} needs the network, and a submission must run without one")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Offline(f"{self._name}.{name}")


def install() -> None:
    """Provide the stand-ins of packages that are not installed, and the `kernels` package as flash attention."""
    for name in OBSERVERS:
        if _missing(name):
            provide(name, {"__getattr__": lambda attribute: _observer(attribute)})
    for name in DOWNLOADERS:
        if _missing(name):
            provide(name, {"__getattr__": lambda attribute, package=name: _offline(package, attribute)})
    # A kernel package may be asked for the functions themselves or for the module that holds them.
    flash = sys.modules["flash_attn_interface"]
    flash.flash_attn_interface = flash  # type: ignore[attr-defined]
    provide("kernels", {"get_kernel": lambda repository, *a, **k: flash})


def _missing(name: str) -> bool:
    if name in sys.modules:
        return False
    parent = name.rpartition(".")[0]
    if parent and parent in sys.modules:
        return parent in _provided
    return importlib.util.find_spec(name) is None


def _observer(attribute: str) -> Any:
    if attribute.startswith("__"):
        raise AttributeError(attribute)
    return Nothing()


def _offline(package: str, attribute: str) -> Any:
    if attribute.startswith("__"):
        raise AttributeError(attribute)
    return Offline(f"{package}.{attribute}")
