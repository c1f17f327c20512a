"""What a script leaves at its boundary: the files it reads back, the model before its artifact, the model that scores.

The artifact is the last file that the run wrote and then opened for reading. The float model is the largest outermost
module when that file was opened for writing; the decoded one is the module as it stands at the first loss, backward pass or
step after the artifact was read, or at the end.
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import torch
from torch import nn

from . import tensors
from .calls import READ, Calls

LARGEST_COPY = 64 * 2**20
_NO_ARTIFACT = (".txt", ".log", ".py", ".pyc", ".md", ".csv", ".jsonl", ".tsv")
_WRAPPERS = ("OptimizedModule", "DistributedDataParallel")


class Stop(BaseException):
    """The run has shown what it was made for."""


class Capture:
    """The captures of one process; only rank 0 keeps any, every rank is served `give`.

    `give` is a file that takes the place of the artifact when it is read back (of any file, or of that `named`). The run
    ends when `stop` comes: "read", the artifact is read back, or "score", the model is about to score.
    """

    def __init__(
        self,
        folder: Path,
        work: str,
        calls: Calls,
        rank: int,
        *,
        give: Path | None,
        named: str | None,
        stop: str,
        clock: Any,
    ) -> None:
        self.folder, self.work, self.rank = folder, work, rank
        self.give, self.named, self.stop = give, named, stop
        self.facts: dict[str, Any] = {"read_back": [], "written": {}, "notes": [], "times": {}}
        self._calls, self._clock = calls, clock
        self._began = clock()
        self._busy = False
        self._loaded: nn.Module | None = None
        self._float_state: dict[str, torch.Tensor] = {}
        self._save = torch.save

    def install(self) -> None:
        """Watch files and `load_state_dict` from now on."""
        module: Any = nn.Module
        load_state = module.load_state_dict

        def load_state_dict(model: nn.Module, *args: Any, **kwargs: Any) -> Any:
            self._loaded = model
            return load_state(model, *args, **kwargs)

        def save(value: Any, file: Any, *args: Any, **kwargs: Any) -> Any:
            if isinstance(file, str | os.PathLike) and not self._busy:
                self._opened(os.fspath(file), "w")
            return self._save(value, file, *args, **kwargs)

        module.load_state_dict = load_state_dict
        t: Any = torch
        t.save = save  # it writes files without an event of Python's
        sys.addaudithook(self._hook)

    def _hook(self, event: str, args: Any) -> None:
        if event == "open" and not self._busy and isinstance(args[0], str | bytes):
            mode = args[1] or ("w" if int(args[2] or 0) & (os.O_WRONLY | os.O_RDWR) else "r")
            self._opened(os.fsdecode(args[0]), mode)

    def _opened(self, name: str, mode: str) -> None:
        path = os.path.abspath(name)
        if not path.startswith(self.work + "/") or path.endswith(_NO_ARTIFACT):
            return
        parts = path[len(self.work) :].split("/")
        if any(p.startswith(".") or p == "__pycache__" for p in parts):
            return
        self._busy = True
        try:
            if any(m in mode for m in "wax+"):
                self._written(path)
            else:
                self._read(path)
        finally:
            self._busy = False

    def _written(self, path: str) -> None:
        self._time("first_write")
        self._calls.open = True
        if self.rank == 0:
            self.facts["written"][path] = self._seconds()
            self._keep("float", self._largest(None))

    def _read(self, path: str) -> None:
        if not self._is_ours(path):
            return
        if self.give is not None and self.named in (None, os.path.basename(path)):
            aside = f"{path}.given{self.rank}"
            shutil.copyfile(self.give, aside)
            os.replace(aside, path)
        self._time("read_back")
        self._calls.open = True
        self._calls.mark(READ, os.path.basename(path).encode())
        self._loaded = None
        self._calls.before_score = self.decoded
        if self.rank == 0:
            self._remember(path)
        if self.stop == "read":
            raise Stop

    def _is_ours(self, path: str) -> bool:
        """Whether this run made the file: it is younger than the process."""
        try:
            found = os.stat(path)
        except OSError:
            return False
        return found.st_mtime_ns > self._began and found.st_size > 0

    def _remember(self, path: str) -> None:
        data = Path(path).read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        known = [f for f in self.facts["read_back"] if f["name"] == path and f["sha256"] == digest]
        if not known:
            entry = {"name": path, "bytes": len(data), "sha256": digest}
            self.facts["read_back"].append(entry)
        if len(data) <= LARGEST_COPY:
            (self.folder / "artifact.bin").write_bytes(data)

    def decoded(self) -> None:
        """Keep the model that is about to score; called once."""
        self._calls.before_score = None
        self._time("first_score")
        if self.rank == 0:
            self._guarded("decoded", lambda: self._keep("decoded", self._largest(self._loaded)))
        if self.stop == "score":
            raise Stop

    def finish(self) -> None:
        """The end of the script: what was not kept before is kept now."""
        self._busy, self.stop = True, ""
        self._time("end")
        if self._calls.before_score is not None:
            self.decoded()
        elif self.rank == 0 and not self.facts["read_back"]:
            self._guarded("decoded", lambda: self._keep("decoded", self._largest(self._loaded)))

    def _guarded(self, what: str, work: Any) -> None:
        """A failure of ours never reaches the script; the outside learns of it."""
        try:
            work()
        except Exception as error:
            self.facts["notes"].append(f"{what}: {type(error).__name__}: {str(error)[:200]}")

    def _keep(self, name: str, model: nn.Module | None) -> None:
        if model is None:
            return
        self._guarded(f"{name} weights", lambda: self._keep_state(name, model))
        self._guarded(f"{name} model", lambda: self._save(model, str(self.folder / f"{name}.pt")))
        self._guarded(f"{name} globals", lambda: keep_globals(self.folder / f"{name}.pt.json"))

    def _keep_state(self, name: str, model: nn.Module) -> None:
        state = model.state_dict()
        left_out = tensors.save(self.folder / f"{name}.safetensors", state)
        if left_out:
            self.facts["notes"].append(
                f"{name}: {len(left_out)} tensors have no plain form, {left_out[0]} first"
            )
        self.facts[name] = {
            "class": type(model).__qualname__,
            "parameters": sum(p.numel() for p in model.parameters()),
        }
        if name == "float":
            self._float_state = {k: v.detach().cpu().clone() for k, v in list(state.items())[:64]}

    def _largest(self, preferred: nn.Module | None) -> nn.Module | None:
        """The outermost module with the most parameters; the one that holds `preferred`, or among equals the one that is
        not the float model."""
        found = outermost()
        if preferred is not None:
            holders = [m for m in found if any(s is unwrapped(preferred) for s in m.modules())]
            found = holders or found
        sizes = {id(m): sum(p.numel() for p in m.parameters()) for m in found}
        most = max(sizes.values(), default=0)
        best = [m for m in found if sizes[id(m)] == most and most > 0]
        others = [m for m in best if not self._is_float(m)] if self.facts["read_back"] else best
        return next(iter(others or best), None)

    def _is_float(self, model: nn.Module) -> bool:
        state = model.state_dict()
        return bool(self._float_state) and all(
            k in state and state[k].shape == v.shape and torch.equal(state[k].cpu(), v)
            for k, v in self._float_state.items()
        )

    def _seconds(self) -> float:
        return float(self._clock() - self._began) / 1e9

    def _time(self, name: str) -> None:
        self.facts["times"].setdefault(name, self._seconds())


def keep_globals(path: Path) -> None:
    """Write the plain values of the script's module: its model may read what a function has put there."""
    held = vars(sys.modules["__main__"])
    plain = {k: v for k, v in held.items() if v is None or type(v) in (bool, int, float, str)}
    path.write_text(json.dumps(plain), encoding="utf-8")


def unwrapped(module: nn.Module) -> nn.Module:
    """The module without what torch.compile and DDP put around it."""
    while type(module).__name__ in _WRAPPERS:
        inner: Any = module
        module = inner._modules.get("_orig_mod") or inner._modules["module"]
    return module


def outermost() -> list[nn.Module]:
    """Every module of the process that is part of no other; wrappers are seen through."""
    alive = [m for m in gc.get_objects() if issubclass(type(m), nn.Module)]
    plain = [m for m in alive if type(m).__name__ not in _WRAPPERS and "_modules" in m.__dict__]
    inside = {id(unwrapped(c)) for m in plain for c in m._modules.values() if c is not None}
    return [m for m in plain if id(m) not in inside]
