"""Float weights put into the script's model before it trains or quantizes: its own tail then runs on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from . import tensors


def install(path: Path, is_over: Any) -> None:
    """Whenever a module of exactly these names and shapes is looked at, it holds these weights.

    Until `is_over()`: scripts build a model, convert its types, take a step, average its weights, and only then come to
    quantize them.
    """
    given = tensors.load(path)
    module: Any = nn.Module
    plain = {name: getattr(module, name) for name in ("named_parameters", "state_dict", "train", "_apply")}
    busy = False

    def put(model: nn.Module) -> None:
        nonlocal busy
        if busy or is_over():
            return
        busy = True
        try:
            own = plain["state_dict"](model)
            if own.keys() == given.keys() and all(own[k].shape == given[k].shape for k in own):
                with torch.no_grad():
                    for name, tensor in own.items():
                        tensor.copy_(given[name])
        finally:
            busy = False

    def before(name: str) -> Any:
        def looked_at(model: nn.Module, *args: Any, **kwargs: Any) -> Any:
            put(model)
            return plain[name](model, *args, **kwargs)

        return looked_at

    def converted(model: nn.Module, *args: Any, **kwargs: Any) -> Any:
        result = plain["_apply"](model, *args, **kwargs)
        put(model)
        return result

    for name in ("named_parameters", "state_dict", "train"):
        setattr(module, name, before(name))
    module._apply = converted
