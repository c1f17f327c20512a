"""A tensor that knows which scores it is made of: losses keep their origin through slices, masks, sums and accumulators.

Only tensors that stem from a val loss are of this class, so only operations on losses pay for it. Each element carries a
code: a row of scores.bin, a node (a sum of codes), or -1. Codes follow structure (views, slices, cat, where) by applying
the same function to the tensor of codes; sums make nodes; accumulators take part in place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch._C import (
    DisableTorchFunction,
    DisableTorchFunctionSubclass,
)  # the real ones: a script that calls them is noted

from .ledger import NODE, Ledger, runs

_MAX_NODES = 4096  # more slices than this in one reduction are taken as one
_MANY_NODES = 200_000  # a script that has made so many computes with losses, it does not count them


def _names(*groups: str) -> frozenset[str]:
    return frozenset(name for group in groups for name in group.split())


_SAME = _names(
    "to float double half bfloat16 cpu cuda type detach clone contiguous requires_grad_ pin_memory detach_ exp log neg",
    "negative abs sqrt nan_to_num clamp clamp_min clamp_max clamp_ mul_ div_ true_divide_ neg_ sigmoid tanh square pow",
    "log2 exp2 relu nan_to_num_ round exp_ log_ clamp_min_ clamp_max_ rsub expm1 log1p positive type_as softmax",
)
_MOVE = _names(
    "__getitem__ view reshape flatten unsqueeze squeeze transpose permute t expand expand_as index_select masked_select",
    "flip roll narrow select unflatten view_as reshape_as repeat repeat_interleave take movedim swapaxes diagonal split",
    "chunk unbind tensor_split split_with_sizes tile broadcast_to ravel moveaxis unfold gather take_along_dim",
)
_JOIN = _names("cat stack concat concatenate hstack vstack")
_SUMS = _names("sum mean nansum nanmean cumsum prod std var norm logsumexp median amax amin max min")
_PAIRS = _names(
    "add sub subtract __iadd__ __isub__ add_ sub_ __add__ __radd__ __sub__ __rsub__ lerp lerp_ logaddexp"
)
_PRODUCTS = _names(
    "mul div true_divide __mul__ __rmul__ __truediv__ multiply divide __imul__ __itruediv__ floor_divide"
)
_CHOICES = _names("minimum maximum fmin fmax")
_WIPE = _names("zero_ fill_ normal_ uniform_")
_FRESH = _names(
    "ones_like zeros_like empty_like full_like rand_like randn_like new_zeros new_ones new_empty new_full new_tensor"
)
_SILENT = _names(
    "size dim numel stride storage_offset is_contiguous data_ptr element_size register_hook __len__ __hash__ __repr__"
    " untyped_storage ndimension is_floating_point is_complex get_device backward retain_grad __get__ __set__ __delete__"
)


class Tracked(torch.Tensor):
    """A float tensor with `_codes`, an int64 tensor of its shape."""

    _codes: torch.Tensor

    @classmethod
    def __torch_function__(
        cls, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if name == "__format__":
            spec = args[1] if len(args) > 1 else ""
            return format(args[0].item(), spec) if args[0].numel() == 1 else repr(args[0])
        if TRACKER is None or name in _SILENT:
            with DisableTorchFunctionSubclass():
                return func(*args, **kwargs)
        return TRACKER.follow(func, name, args, kwargs)


def codes_of(value: Any) -> torch.Tensor | None:
    """The codes of a tracked tensor, None for anything else."""
    return value._codes if isinstance(value, Tracked) and hasattr(value, "_codes") else None


def _walk(values: Any) -> list[Tracked]:
    found = []
    for value in values:
        if isinstance(value, Tracked):
            found.append(value)
        elif isinstance(value, list | tuple):
            found.extend(_walk(value))
    return found


class Tracker:
    """Follows tracked tensors through operations and writes what becomes a number."""

    def __init__(self, ledger: Ledger, failed: Callable[[str], None]) -> None:
        self._ledger = ledger
        self._failed = failed

    def wrap(self, value: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
        """`value` as a tracked tensor, its autograd history kept."""
        with DisableTorchFunction(), torch.set_grad_enabled(value.requires_grad):
            out = value.as_subclass(Tracked)
        out._codes = codes
        return out

    def follow(self, func: Callable[..., Any], name: str, args: Any, kwargs: Any) -> Any:
        """Run `func` as it is, then let the codes follow. A failure of the tracking never reaches the script."""
        with DisableTorchFunctionSubclass():
            result = func(*args, **kwargs)
        if self._ledger.closed:
            return result
        try:
            with DisableTorchFunction(), torch.no_grad():
                return self._codes_follow(func, name, args, kwargs, result)
        except Exception as error:  # the script goes on; the outside learns that the trace has a hole
            self._failed(f"{name}: {type(error).__name__}: {error}")
            return result

    def _codes_follow(self, func: Callable[..., Any], name: str, args: Any, kwargs: Any, result: Any) -> Any:
        if name in ("item", "__float__", "__int__", "tolist", "numpy", "__array__"):
            self._materialize(args[0], result)
            return result
        if name == "__setitem__":
            return self._set(args[0], args[1], args[2])
        if name in _FRESH:
            return result
        if isinstance(result, tuple | list):
            return self._several(func, name, args, kwargs, result)
        if not isinstance(result, torch.Tensor) or not result.dtype.is_floating_point:
            return result
        codes = self._result_codes(func, name, args, kwargs, result)
        if codes is None:
            return result
        return self._attach(args, kwargs, result, codes)

    def _attach(self, args: Any, kwargs: Any, result: torch.Tensor, codes: torch.Tensor) -> Any:
        in_place = kwargs.get("out") is result or (bool(args) and args[0] is result)
        return adopt(result, codes) if in_place else self.wrap(result, codes)

    def _result_codes(
        self, func: Callable[..., Any], name: str, args: Any, kwargs: Any, result: torch.Tensor
    ) -> torch.Tensor | None:
        if name in _WIPE:
            return torch.full(result.shape, -1, dtype=torch.int64)
        if name in _SAME:
            own = codes_of(args[0])
            if own is None:
                return self._coarse(args, kwargs, result)
            return own.expand(result.shape) if own.shape != result.shape else own.clone()
        if name in _MOVE:
            return self._moved(func, args, kwargs)
        if name in _JOIN:
            return self._joined(func, args, kwargs)
        if name in _PRODUCTS:
            return self._masked(args, result)
        if name in _PAIRS:
            return self._added(args, result)
        if name in _CHOICES:
            first_when = (args[0] <= args[1]) if name in ("minimum", "fmin") else (args[0] >= args[1])
            return self._chosen(name, first_when, args[0], args[1], result)
        if name == "where" and len(args) == 3:
            return self._chosen(name, args[0], args[1], args[2], result)
        if name in ("copy_", "masked_fill", "masked_fill_"):
            return self._copied(name, args, result)
        if (name in _SUMS and result.dim() < args[0].dim()) or name in ("sum", "mean"):
            return self._reduced(args, kwargs, result)
        return self._coarse(args, kwargs, result)

    def _plain(self, value: Any, shape: torch.Size) -> torch.Tensor:
        codes = codes_of(value)
        if codes is None:
            return torch.full(shape, -1, dtype=torch.int64)
        return codes.expand(shape)

    def _moved(self, func: Callable[..., Any], args: Any, kwargs: Any) -> torch.Tensor | None:
        own = codes_of(args[0])
        if own is None:
            return None
        moved = func(own, *args[1:], **kwargs)
        return moved if isinstance(moved, torch.Tensor) else None

    def _several(self, func: Callable[..., Any], name: str, args: Any, kwargs: Any, result: Any) -> Any:
        own = codes_of(args[0]) if args else None
        if name in _MOVE and own is not None:
            moved = func(own, *args[1:], **kwargs)
            return type(result)(self.wrap(r, c) for r, c in zip(result, moved, strict=True))
        return result

    def _joined(self, func: Callable[..., Any], args: Any, kwargs: Any) -> torch.Tensor | None:
        parts = args[0] if args else kwargs.get("tensors")
        moved = func([self._plain(p, p.shape) for p in parts], *args[1:], **kwargs)
        return moved if isinstance(moved, torch.Tensor) else None

    def _masked(self, args: Any, result: torch.Tensor) -> torch.Tensor | None:
        """A product with zero does not count; any other factor leaves the codes as they are."""
        first, second = codes_of(args[0]), codes_of(args[1])
        if first is not None and second is not None:
            return self._added(args, result)
        own, other = (first, args[1]) if first is not None else (second, args[0])
        if own is None:
            return None
        codes = own.expand(result.shape)
        if isinstance(other, torch.Tensor):
            return torch.where((other == 0).expand(result.shape), -1, codes)
        return torch.full(result.shape, -1, dtype=torch.int64) if other == 0 else codes

    def _added(self, args: Any, result: torch.Tensor) -> torch.Tensor | None:
        left, right = self._plain(args[0], result.shape), self._plain(args[1], result.shape)
        both = (left >= 0) & (right >= 0)
        codes = torch.where(left >= 0, left, right).contiguous()
        count = int(both.sum())
        if count:
            pairs = torch.stack([left[both], right[both]], 1)
            pairs, which = torch.unique(pairs, dim=0, return_inverse=True)
            if len(pairs) > self._nodes_left():
                return self._coarse(args, {}, result)
            nodes = [self._sum_of_two(a, b) for a, b in pairs.tolist()]
            codes[both] = torch.tensor(nodes, dtype=torch.int64)[which.view(-1)]
        return codes

    def _nodes_left(self) -> int:
        """How many nodes one operation may make; beyond, its elements are taken as one."""
        return _MAX_NODES if len(self._ledger.nodes) < _MANY_NODES else 1

    def _sum_of_two(self, a: int, b: int) -> int:
        return self._ledger.node(
            np.array([a, b], np.int64), coarse=a == b and a - NODE in self._ledger.coarse
        )

    def _chosen(
        self, name: str, first_when: torch.Tensor, a: Any, b: Any, result: torch.Tensor
    ) -> torch.Tensor:
        """Element by element one of two; where both are scores of the same position, a choice was made."""
        first, second = self._plain(a, result.shape), self._plain(b, result.shape)
        codes = torch.where(first_when.expand(result.shape), first, second)
        both = (
            ((first >= 0) & (second >= 0) & (first < NODE) & (second < NODE) & (first != second))
            .reshape(-1)
            .numpy()
        )
        if both.any():
            left = self._ledger.positions_of(first.reshape(-1).numpy()[both])
            right = self._ledger.positions_of(second.reshape(-1).numpy()[both])
            same = left == right
            if same.any():
                low = torch.minimum(
                    torch.as_tensor(a).expand(result.shape), torch.as_tensor(b).expand(result.shape)
                )
                lower = (result <= low).reshape(-1).numpy()[both][same]
                self._ledger.event(
                    "choice",
                    s=self._ledger.stack(),
                    by=name,
                    p=runs(np.unique(left[same])),
                    low=float(lower.mean()),
                )
        return codes

    def _copied(self, name: str, args: Any, result: torch.Tensor) -> torch.Tensor:
        if name == "copy_":
            return self._plain(args[1], result.shape).clone()
        return torch.where(args[1].expand(result.shape), -1, self._plain(args[0], result.shape))

    def _reduced(self, args: Any, kwargs: Any, result: torch.Tensor) -> torch.Tensor | None:
        own = codes_of(args[0])
        if own is None:
            return self._coarse(args, kwargs, result)
        if result.numel() == 1:
            return torch.full(result.shape, self._ledger.node(own.reshape(-1).numpy()), dtype=torch.int64)
        dims = kwargs.get("dim", args[1] if len(args) > 1 else None)
        if dims is None or isinstance(dims, torch.dtype) or result.numel() > self._nodes_left():
            return self._coarse(args, kwargs, result)
        axes = sorted({d % own.dim() for d in ([dims] if isinstance(dims, int) else dims)})
        kept = [d for d in range(own.dim()) if d not in axes]
        rows = own.permute(*kept, *axes).reshape(result.numel(), -1).numpy()
        nodes = [self._ledger.node(row) for row in rows]
        return torch.tensor(nodes, dtype=torch.int64).view(result.shape)

    def _coarse(self, args: Any, kwargs: Any, result: torch.Tensor) -> torch.Tensor | None:
        """An operation that is not known: every element of the result stems from everything that went in."""
        parts = [c.reshape(-1) for t in _walk([*args, *kwargs.values()]) if (c := codes_of(t)) is not None]
        if not parts:
            return None
        node = self._ledger.node(torch.cat(parts).numpy(), coarse=True)
        return torch.full(result.shape, node, dtype=torch.int64)

    def _set(self, target: Any, index: Any, value: Any) -> None:
        """`target[index] = value`, already done: the codes move in the same way."""
        if not target.dtype.is_floating_point:
            return
        codes = codes_of(target)
        if codes is None:
            if codes_of(value) is None:
                return
            codes = torch.full(target.shape, -1, dtype=torch.int64)
        else:
            codes = codes.clone()
        moved = codes_of(value)
        codes[index] = moved if moved is not None else -1
        adopt(target, codes)

    def _materialize(self, value: Any, result: Any) -> None:
        codes = codes_of(value)
        if codes is None or not bool((codes >= 0).any()):
            return
        if codes.numel() == 1:
            self._ledger.event(
                "value", s=self._ledger.stack(), v=float(result if not hasattr(result, "item") else result.item()),
                c=int(codes.reshape(-1)[0]),
            )  # fmt: skip
            return
        flat = codes.reshape(-1).numpy()
        first, count = self._ledger.codes(flat)
        values = torch.as_tensor(value.detach().as_subclass(torch.Tensor)).double().reshape(-1).numpy()
        at = self._ledger.values(values)
        self._ledger.event("values", s=self._ledger.stack(), o=first, n=count, v=at)


def adopt(target: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
    """Make a plain tensor tracked in place: every name that holds it (an accumulator passed to a helper) sees it."""
    if type(target) is torch.Tensor:
        target.__class__ = Tracked
    target._codes = codes  # type: ignore[attr-defined]
    return target


TRACKER: Tracker | None = None


def install(tracker: Tracker) -> None:
    """Let tracked tensors report to `tracker`."""
    global TRACKER
    TRACKER = tracker
