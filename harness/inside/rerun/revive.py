"""A captured model back in another process: the script's definitions first, then the pickled module.

A script guarded by `if __name__ == "__main__"` runs as an imported module. One without the guard would train again, so
only its imports, definitions and assignments run, up to its first loop.
"""

from __future__ import annotations

import ast
import json
import sys
import types
from pathlib import Path
from typing import Any

import torch
from torch import nn

from . import tensors


def define(script: str, argv: list[str]) -> types.ModuleType:
    """The script as the module that pickles call `__main__`, nothing trained; `argv` is what it was started with."""
    sys.argv = [script, *argv]
    sys.path.insert(0, str(Path(script).parent))
    source = Path(script).read_text(encoding="utf-8")
    tree = ast.parse(source, script)
    if not _guarded(tree):
        tree.body = _definitions(tree.body)
    module = types.ModuleType("__main__")
    module.__file__ = script
    module.__name__ = "__submission__"
    sys.modules["__main__"] = sys.modules["__submission__"] = module
    exec(compile(tree, script, "exec", dont_inherit=True), module.__dict__)
    return module


def _guarded(tree: ast.Module) -> bool:
    return any(
        isinstance(s, ast.If)
        and any(isinstance(n, ast.Name) and n.id == "__name__" for n in ast.walk(s.test))
        for s in tree.body
    )


def _definitions(body: list[ast.stmt]) -> list[ast.stmt]:
    kept = []
    for statement in body:
        if isinstance(statement, ast.For | ast.While):
            break
        if not isinstance(statement, ast.Expr | ast.With):
            kept.append(statement)
    return kept


def restore(module: types.ModuleType, model: Path) -> None:
    """Give the globals that functions of the script set the plain values that they had when the model was kept; others,
    such as the number of a process, are this process's own.
    """
    kept = model.with_name(model.name + ".json")
    if not kept.is_file():
        return
    tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
    declared = {name for node in ast.walk(tree) if isinstance(node, ast.Global) for name in node.names}
    values = json.loads(kept.read_text(encoding="utf-8"))
    vars(module).update({name: values[name] for name in declared & values.keys()})


def revive(path: Path, device: str) -> nn.Module:
    """The pickled module on a device, in evaluation mode; its parameters ask for no gradients."""
    model: Any = torch.load(path, map_location=device, weights_only=False)
    if not isinstance(model, nn.Module):
        raise TypeError(f"{path.name} holds a {type(model).__name__}, not a module")
    return model.to(device).eval().requires_grad_(False)


def put_weights(model: nn.Module, path: Path) -> None:
    """Copy a file of weights into the model. Raises ValueError where names or shapes do not agree."""
    given = tensors.load(path)
    own = model.state_dict()
    missing = sorted(set(own) - set(given))
    if missing:
        raise ValueError(f"{path.name} lacks {missing[0]} ({len(missing)} tensors in all)")
    with torch.no_grad():
        for name, tensor in own.items():
            if tensor.shape != given[name].shape:
                raise ValueError(
                    f"{name} is {list(tensor.shape)} in the model, {list(given[name].shape)} in {path.name}"
                )
            tensor.copy_(given[name])
