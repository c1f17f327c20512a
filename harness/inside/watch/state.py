"""What each piece of model state knows: the val positions that an update has put into it, and which pieces are in use.

Knowledge is kept by storage: an int32 array over the val stream, 0 where the position is unknown to the tensor, else the
number of the latest update that used it. A backward pass from a val loss makes its positions pending for the leaves it
reaches; a change of such a leaf makes them known; a reset or a copy of a clean value makes them forgotten.
"""

from __future__ import annotations

import weakref
import zlib
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from torch._C import DisableTorchFunction  # the real ones: a script that calls them is noted
from torch.multiprocessing import reductions
from torch.optim.optimizer import (
    Optimizer,
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from .ledger import NODE, Ledger, runs

_WRITES = [
    "add_",
    "sub_",
    "addcmul_",
    "addcdiv_",
    "lerp_",
    "__iadd__",
    "__isub__",
    "mul_",
    "div_",
    "__imul__",
    "__itruediv__",
    "copy_",
    "zero_",
    "fill_",
    "normal_",
    "uniform_",
    "set_",
    "addmm_",
    "baddbmm_",
    "clamp_",
    "trunc_normal_",
]
_RESETS = frozenset(["zero_", "fill_", "normal_", "uniform_", "trunc_normal_", "set_"])
_INITS = [
    "zeros_",
    "ones_",
    "constant_",
    "normal_",
    "uniform_",
    "kaiming_uniform_",
    "kaiming_normal_",
    "xavier_uniform_",
    "xavier_normal_",
    "orthogonal_",
    "trunc_normal_",
    "eye_",
]


# A weak reference to the storage itself: its address is not given out again as long as this is held.
_WEAK: Any = reductions.StorageWeakRef
_TENSOR: Any = torch.Tensor
_MODULE: Any = torch.nn.Module
_OPTIMIZER: Any = Optimizer

MODULE, LOOSE, SUSPECT = 1, 2, 3
"""Kinds of state that know a position: a tensor of a module; one that no module owns; one whose value came from nobody
knows where while another tensor knew the position."""


def _storage(tensor: torch.Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


def _digest(tensor: torch.Tensor) -> int:
    flat = tensor.detach().reshape(-1).contiguous().float()
    return zlib.crc32(flat.view(torch.uint8).numpy().data) ^ (flat.numel() << 32)


def _bits(tensor: torch.Tensor) -> int:
    """The sum of a tensor's bit patterns: any update changes it, and it costs less than a digest."""
    whole = {2: torch.int16, 4: torch.int32, 8: torch.int64}.get(tensor.element_size(), torch.uint8)
    return int(tensor.detach().contiguous().view(whole).sum(dtype=torch.int64))


class _Piece:
    """The knowledge of one storage."""

    __slots__ = ("absorbed", "before", "clean", "known", "leaf", "loose", "pending", "ref", "suspected")

    def __init__(self, tensor: torch.Tensor) -> None:
        self.ref = _WEAK(tensor.untyped_storage())
        self.known: np.ndarray | None = None
        self.pending: list[np.ndarray] = []  # of gradients that lie ready
        self.absorbed: list[np.ndarray] = []  # of gradients that were written into the tensor
        self.suspected: np.ndarray | None = None  # what a value of unknown origin may know
        self.clean: int | None = None
        self.leaf: Any = None  # a weak reference to the leaf whose gradients are pending
        self.before = 0  # its bits when the first of them arrived
        self.loose = False  # a leaf that no module owns, such as an offset that is optimized for itself


class StateBook:
    """Keeps the knowledge of every tensor that val losses have reached."""

    def __init__(self, size: int, ledger: Ledger, failed: Callable[[str], None]) -> None:
        self._size = size
        self._ledger = ledger
        self._failed = failed
        self._pieces: dict[int, _Piece] = {}
        self._unions: dict[tuple[int, ...], tuple[list[np.ndarray], np.ndarray]] = {}
        self._modules: weakref.WeakSet[torch.nn.Module] = weakref.WeakSet()
        self._used: set[int] = set()
        self._lent: set[int] = set()  # storages that stood in for parameters during a forward pass
        self._held: weakref.WeakKeyDictionary[torch.nn.Module, dict[str, int]] = weakref.WeakKeyDictionary()
        self._parents: dict[int, list[torch.nn.Module]] = {}
        self._counted_modules = -1
        self._shape: tuple[int, ...] = ()
        self._embedded: list[np.ndarray] = []
        self._taken: dict[int, np.ndarray] = {}
        self._copies: dict[int, tuple[weakref.ref[torch.Tensor], int]] = {}
        self._parameter_storages: tuple[int, set[int]] = (-1, set())
        self._marking = False
        self._fresh = False
        self._in_step = False
        self._waiting: dict[int, _Piece] = {}
        self._waiting_stack = 0

    # ---- what the model is given -----------------------------------------------------------------------------------

    def entered(self, shape: tuple[int, ...], positions: np.ndarray | None) -> None:
        """A batch of token ids went into an embedding; positions only where gradients are on."""
        self._shape = shape
        if positions is not None:
            self._embedded.append(positions)
            del self._embedded[:-64]

    def last_rows(self, count: int) -> int:
        """The number of rows of the latest batch, where it has `count` tokens; else 1."""
        shape = self._shape
        return shape[0] if len(shape) == 2 and shape[0] * shape[1] == count else 1

    # ---- hooks -----------------------------------------------------------------------------------------------------

    def hooks(self) -> dict[Callable[..., Any], Callable[..., Any]]:
        """Handlers by torch function."""
        table: dict[Callable[..., Any], Callable[..., Any]] = {
            torch.Tensor.backward: self.backward,
            torch.autograd.backward: self.backward,
            torch.autograd.grad: self.grad,
            torch.Tensor.clone: self.clone,
            torch.clone: self.clone,
            torch.Tensor.__deepcopy__: self.clone,
            _TENSOR.grad.__set__: self.grad_set,
        }
        for name in _WRITES:
            method = getattr(torch.Tensor, name, None)
            if method is not None:
                table[method] = self.write
        for name in dir(torch):
            if name.startswith(("_foreach_", "_fused_")) and (
                name.endswith("_") or name.startswith("_fused_")
            ):
                table[getattr(torch, name)] = self.foreach
        for name in _INITS:
            table[getattr(torch.nn.init, name)] = self.write
        return table

    def watch_modules(self) -> None:
        """Keep account of modules and of those that take part in a forward pass; note when state is taken or stepped."""
        book = self
        create, revive = _MODULE.__init__, _MODULE.__setstate__
        state_dict = _MODULE.state_dict

        def created(module: torch.nn.Module, *args: Any, **kwargs: Any) -> None:
            create(module, *args, **kwargs)
            book._modules.add(module)

        def revived(module: torch.nn.Module, state: Any) -> None:
            revive(module, state)
            book._revived(module)
            book._modules.add(module)

        def taken(module: torch.nn.Module, *args: Any, **kwargs: Any) -> Any:
            book._state_taken(module)
            return state_dict(module, *args, **kwargs)

        _MODULE.__init__ = created
        _MODULE.__setstate__ = revived
        _MODULE.state_dict = taken
        zero = _MODULE.zero_grad

        def zeroed(module: torch.nn.Module, *args: Any, **kwargs: Any) -> None:
            zero(module, *args, **kwargs)
            book.forget_gradients(module.parameters())

        _MODULE.zero_grad = zeroed
        register_optimizer_step_pre_hook(lambda optimizer, args, kwargs: book._stepping())
        register_optimizer_step_post_hook(lambda optimizer, args, kwargs: book._stepped(optimizer))
        clear = _OPTIMIZER.zero_grad

        def cleared(optimizer: Optimizer, *args: Any, **kwargs: Any) -> None:
            clear(optimizer, *args, **kwargs)
            book.forget_gradients(p for g in optimizer.param_groups for p in g["params"])

        _OPTIMIZER.zero_grad = cleared

    # ---- gradients -------------------------------------------------------------------------------------------------

    def backward(self, func: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """loss.backward() and torch.autograd.backward(losses)."""
        losses = args[0] if args else kwargs.get("tensors")
        try:
            with DisableTorchFunction():
                self._reach(losses if isinstance(losses, list | tuple) else [losses], None)
        except Exception as error:
            self._failed(f"backward: {type(error).__name__}: {error}")
        return func(*args, **kwargs)

    def grad(self, func: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """torch.autograd.grad(outputs, inputs)."""
        outputs = args[0] if args else kwargs["outputs"]
        inputs = args[1] if len(args) > 1 else kwargs["inputs"]
        try:
            with DisableTorchFunction():
                self._reach(
                    outputs if isinstance(outputs, list | tuple) else [outputs],
                    inputs if isinstance(inputs, list | tuple) else [inputs],
                )
        except Exception as error:
            self._failed(f"grad: {type(error).__name__}: {error}")
        return func(*args, **kwargs)

    def _reach(self, losses: Iterable[Any], leaves: Iterable[torch.Tensor] | None) -> None:
        losses = [x for x in losses if isinstance(x, torch.Tensor)]
        rows = [code for x in losses for code in self._rows(x)]
        embedded, self._embedded = self._embedded, []
        if rows:
            positions = np.unique(self._ledger.positions_of(np.concatenate(rows)))
        elif embedded and all(not hasattr(x, "_codes") for x in losses):
            joined = np.concatenate(embedded)
            positions = np.unique(joined[joined >= 0])
        else:
            return
        positions = positions[positions >= 0]
        if not len(positions):
            return
        number = self._ledger.event(
            "backward", s=self._ledger.stack(), p=runs(positions), seen=int(bool(rows))
        )
        mask = np.zeros(self._size, np.int32)
        mask[positions] = number
        for leaf in _leaves(losses) if leaves is None else leaves:
            piece = self._piece(leaf)
            if piece.clean is None:
                if piece.known is None:
                    piece.clean = _digest(leaf)
                piece.loose = _storage(leaf) not in self._owned()[0]
            if not piece.pending:
                piece.leaf, piece.before = weakref.ref(leaf), _bits(leaf)
            piece.pending.append(mask)
        self._mark_modules()

    def _rows(self, loss: torch.Tensor) -> list[np.ndarray]:
        codes = getattr(loss, "_codes", None)
        if codes is None:
            return []
        return [c for c in self._expand(codes.reshape(-1).numpy()) if len(c)]

    def _expand(self, codes: np.ndarray) -> Iterable[np.ndarray]:
        stack = [codes[codes >= 0]]
        while stack:
            part = stack.pop()
            yield part[part < NODE]
            stack.extend(self._ledger.nodes[int(c) - NODE] for c in part[part >= NODE])

    def forget_gradients(self, tensors: Iterable[torch.Tensor]) -> None:
        """Gradients were thrown away: what was pending never reaches the state, but for what was written unseen before."""
        if self._pieces:
            for tensor in tensors:
                key = _storage(tensor)
                piece = self._pieces.get(key)
                if piece is not None and piece.pending:
                    self._compare_one(key, piece)
                    piece.pending = []

    def grad_set(self, func: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """`p.grad = None` throws a gradient away."""
        if self._pieces and args[1] is None:
            self.forget_gradients([args[0]])
        return func(*args, **kwargs)

    # ---- changes of state ------------------------------------------------------------------------------------------

    def _stepping(self) -> None:
        self._in_step = True  # what an optimizer writes is learned at once when its step is over

    def _stepped(self, optimizer: Any) -> None:
        self._in_step = False
        if not self._pieces:
            return
        changed = [
            piece
            for group in optimizer.param_groups
            for p in group["params"]
            if (piece := self._pieces.get(_storage(p))) is not None and piece.pending
        ]
        self._learn(changed)
        self._settle()

    def write(self, func: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """An in-place operation; only tensors that val losses have reached matter."""
        result = func(*args, **kwargs)
        if self._pieces and not self._in_step:
            try:
                with DisableTorchFunction():
                    self._written(func.__name__, args, kwargs)
            except Exception as error:
                self._failed(f"{func.__name__}: {type(error).__name__}: {error}")
        return result

    def foreach(self, func: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """An in-place operation on a list of tensors."""
        result = func(*args, **kwargs)
        if self._pieces and not self._in_step and args and isinstance(args[0], list | tuple):
            try:
                pieces = [self._pieces.get(_storage(t)) for t in args[0] if isinstance(t, torch.Tensor)]
                self._learn([p for p in pieces if p is not None and p.pending])
            except Exception as error:
                self._failed(f"{func.__name__}: {type(error).__name__}: {error}")
        return result

    def _written(self, name: str, args: Any, kwargs: Any) -> None:
        target = args[0] if args else kwargs.get("tensor")
        if not isinstance(target, torch.Tensor) or not target.dtype.is_floating_point:
            return
        piece = self._pieces.get(_storage(target))
        if name in _RESETS or name in _INITS:
            self._forget(piece, target)
            return
        if name == "copy_":
            self._copied(piece, target, args[1])
            return
        if piece is not None and piece.pending:
            self._learn([piece])
        for other in args[1:]:
            if isinstance(other, torch.Tensor) and other.dtype.is_floating_point:
                source = self._pieces.get(_storage(other))
                if source is not None and source.known is not None and source is not piece:
                    self._join(target, source.known)

    def _learn(self, pieces: list[_Piece]) -> None:
        """Gradients were written into these tensors. Writes one after the other are one update, entered by `_settle`."""
        for piece in pieces:
            if not self._waiting:
                self._waiting_stack = self._ledger.stack()
            piece.absorbed += piece.pending
            piece.pending = []
            self._waiting[id(piece)] = piece

    def _compare(self) -> None:
        """Leaves that changed while val gradients lay ready, in a way that no hook saw (numpy, `p.data = ...`), learned."""
        for key, piece in [(k, p) for k, p in self._pieces.items() if p.pending]:
            self._compare_one(key, piece)

    def _compare_one(self, key: int, piece: _Piece) -> None:
        leaf = piece.leaf() if piece.leaf is not None else None
        if leaf is None:
            return
        if (_storage(leaf) != key or _bits(leaf) != piece.before) and _digest(leaf) == piece.clean:
            piece.pending = []  # put back
        elif _storage(leaf) != key:  # its storage was put in place of the old one
            moved = self._piece(leaf)
            moved.clean, moved.leaf, moved.pending = piece.clean, piece.leaf, piece.pending
            piece.pending = []
            self._learn([moved])
        elif _bits(leaf) != piece.before:
            self._learn([piece])

    def _settle(self) -> None:
        """Enter what was written since the last score or gradient as one update."""
        if not self._waiting:
            return
        pieces = list(self._waiting.values())
        self._waiting = {}
        number = self._ledger.event(
            "update", s=self._waiting_stack, p=runs(_positions(pieces)), n=len(pieces)
        )
        unions: dict[tuple[int, ...], np.ndarray] = {}
        for piece in pieces:
            key = (id(piece.known), *map(id, piece.absorbed))
            if key not in unions:
                fresh = np.zeros(self._size, np.int32) if piece.known is None else piece.known.copy()
                for mask in piece.absorbed:
                    fresh[mask > 0] = number
                unions[key] = fresh
        for piece in pieces:
            key = (id(piece.known), *map(id, piece.absorbed))
            piece.known, piece.absorbed = unions[key], []

    def _forget(self, piece: _Piece | None, target: torch.Tensor) -> None:
        self._settle()
        if piece is None or (piece.known is None and not piece.pending):
            return
        if target.numel() * target.element_size() < target.untyped_storage().nbytes():
            return  # a part of a larger tensor: the rest still knows
        if piece.known is not None:
            self._ledger.event("restore", s=self._ledger.stack(), by="reset")
        piece.known, piece.pending, piece.suspected = None, [], None

    def _copied(self, piece: _Piece | None, target: torch.Tensor, source: Any) -> None:
        if not isinstance(source, torch.Tensor):
            return
        self._settle()
        origin = self._pieces.get(_storage(source))
        if origin is not None and origin is not piece:
            if origin.known is not None:
                self._join(target, origin.known, replace=True)
                return
            self._forget(piece, target)
            return
        if origin is None and self._clean_copy(source):
            self._forget(piece, target)
            return
        if piece is not None and piece.known is not None:
            if piece.clean is not None and _digest(target) == piece.clean:
                self._forget(piece, target)
        elif self._taken and target.dim() > 0:
            for known in self._taken.values():
                self._join(target, known)
        elif isinstance(target, torch.nn.Parameter):
            self._suspect(target)

    def _suspect(self, target: torch.Tensor) -> None:
        """A parameter takes a value of unknown origin while tensors of modules know val positions: it may know them."""
        owned, _ = self._owned()
        known = {id(p.known): p.known for k, p in self._pieces.items() if p.known is not None and k in owned}
        if known:
            self._piece(target).suspected = np.maximum.reduce(list(known.values()))

    def _revived(self, module: torch.nn.Module) -> None:
        """A module came out of a pickle (or a deep copy): its parameters know what those know whose values they hold.

        A value that no clean tensor of a module holds, nor one that knows val positions, is of unknown origin.
        """
        if not self._pieces:
            return
        try:
            with DisableTorchFunction():
                self._compare()
                self._settle()
                new = [
                    p
                    for p in module._parameters.values()
                    if p is not None and _storage(p) not in self._pieces
                ]
                held = self._values_held() if new else {}
                for tensor in new if any(known is not None for known in held.values()) else ():
                    digest = _digest(tensor)
                    known = held.get(digest)
                    if known is not None:
                        self._join(tensor, known)
                    elif digest not in held:
                        self._suspect(tensor)
        except Exception as error:
            self._failed(f"a revived module: {type(error).__name__}: {error}")

    def _values_held(self) -> dict[int, np.ndarray | None]:
        """What each value that a module holds knows, by its digest; None where a clean tensor holds it."""
        tensors = [
            t
            for module in list(self._modules)
            for t in (*module._parameters.values(), *module._buffers.values())
            if t is not None and t.dtype.is_floating_point
        ]
        held = {_digest(t): self._known_of(t) for t in tensors}
        return held | {_digest(t): None for t in tensors if self._known_of(t) is None}

    def _join(self, target: torch.Tensor, known: np.ndarray, replace: bool = False) -> None:
        piece = self._piece(target)
        piece.known = known if piece.known is None or replace else np.maximum(piece.known, known)
        piece.pending = [] if replace else piece.pending

    def clone(self, func: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """A copy of a tensor that knows val positions knows them too; one of a clean parameter is kept in mind."""
        result = func(*args, **kwargs)
        if isinstance(args[0], torch.Tensor):
            try:
                if self._pieces:
                    self._settle()
                source = self._pieces.get(_storage(args[0]))
                if source is not None:
                    copy = self._piece(result)
                    copy.known = source.known
                elif self._is_parameter(args[0]):
                    self._copies[_storage(result)] = (weakref.ref(result), _digest(result))
            except Exception as error:
                self._failed(f"clone: {type(error).__name__}: {error}")
        return result

    def _is_parameter(self, tensor: torch.Tensor) -> bool:
        """Whether a tensor shares the storage of a module's parameter or buffer, as of the last new module."""
        count, storages = self._parameter_storages
        if count != len(self._modules):
            storages = self._owned()[0]
            self._parameter_storages = (len(self._modules), storages)
        return _storage(tensor) in storages

    def _clean_copy(self, tensor: torch.Tensor) -> bool:
        """Whether a tensor is a copy of a parameter that knew nothing then, and holds the same values still."""
        reference, digest = self._copies.get(_storage(tensor), (None, 0))
        kept = reference() if reference is not None else None
        return (
            kept is not None
            and _storage(kept) == _storage(tensor)
            and kept.numel() == tensor.numel()
            and _digest(kept) == digest
        )

    def _state_taken(self, module: torch.nn.Module) -> None:
        """The state of a module is taken (to be saved or quantized): what it knows travels with the artifact."""
        if not self._pieces:
            return
        self._settle()
        known = [k for p in module.parameters() if (k := self._known_of(p)) is not None]
        if known:
            # Parameters share their arrays, so a handful of distinct ones is joined.
            joined = np.maximum.reduce(list({id(k): k for k in known}.values()))
            self._taken[id(module)] = joined
            self._ledger.event("taken", s=self._ledger.stack(), p=runs(np.nonzero(joined)[0]))
        else:
            self._taken.pop(id(module), None)

    # ---- what a score is made with ---------------------------------------------------------------------------------

    def known(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Two int32 arrays like `positions`: the number of the latest update that put the position into state that this
        forward pass used, 0 where none did; and what kind of state knows it: MODULE, LOOSE or SUSPECT."""
        self._compare()
        self._settle()
        leaks = np.zeros(len(positions), np.int32)
        kinds = np.zeros(len(positions), np.int32)
        inside = np.nonzero(positions >= 0)[0]
        for kind, arrays in self._in_use().items():
            for array in arrays:
                found = array[positions[inside]]
                stronger = (found > 0) & (
                    (kinds[inside] == 0) | ((kinds[inside] == kind) & (found > leaks[inside]))
                )
                at = inside[stronger]
                leaks[at], kinds[at] = found[stronger], kind
        self._fresh = True
        return leaks, kinds

    def _in_use(self) -> dict[int, list[np.ndarray]]:
        """The distinct arrays of knowledge in use by the kind of tensor that holds them, the strongest kind first."""
        found: dict[int, dict[int, np.ndarray]] = {MODULE: {}, LOOSE: {}, SUSPECT: {}}
        if not self._pieces:
            return {}
        self._purge()
        knowing = {k: p for k, p in self._pieces.items() if p.known is not None or p.suspected is not None}
        if not knowing:
            return {}
        owned, used = self._owned()
        for key, piece in knowing.items():
            if key in used and piece.suspected is not None:
                found[SUSPECT][id(piece.suspected)] = piece.suspected
            if piece.known is None:
                continue
            if key in used:
                found[MODULE][id(piece.known)] = piece.known
            elif key not in owned and piece.loose:
                found[LOOSE][id(piece.known)] = piece.known
        return {kind: list(arrays.values()) for kind, arrays in found.items()}

    def _owned(self) -> tuple[set[int], set[int]]:
        """Storages that belong to a module, and those whose module (or one inside it) took part since the last score."""
        owned: set[int] = set()
        used: set[int] = set()
        active = self._active()
        for module in list(self._modules):
            tensors = [t for t in (*module._parameters.values(), *module._buffers.values()) if t is not None]
            keys = {_storage(t) for t in tensors}
            owned |= keys
            if id(module) in active:
                used |= keys
        return owned, used | self._lent

    def _active(self) -> set[int]:
        if len(self._modules) != self._counted_modules:
            self._parents = {}
            for module in list(self._modules):
                for child in module._modules.values():
                    if child is not None:
                        self._parents.setdefault(id(child), []).append(module)
            self._counted_modules = len(self._modules)
        active = set(self._used)
        queue = list(active)
        while queue:
            for parent in self._parents.get(queue.pop(), []):
                if id(parent) not in active:
                    active.add(id(parent))
                    queue.append(id(parent))
        return active

    def _mark_modules(self) -> None:
        """From the first val gradient on, note which modules a forward pass goes through."""
        if not self._marking:
            self._marking = True
            for module in list(self._modules):
                self._held[module] = _parameters(module)
            torch.nn.modules.module.register_module_forward_pre_hook(self._entering)

    def _entering(self, module: torch.nn.Module, args: Any) -> None:
        if module._parameters or module._modules:
            if self._fresh:  # the first module after a score begins a new forward pass
                self._used.clear()
                self._lent.clear()
                self._fresh = False
            self._used.add(id(module))
            self._replaced(module)

    def _replaced(self, module: torch.nn.Module) -> None:
        """Tensors that took the place of parameters (a new Parameter, fast weights) may hold what gradients that lie ready
        say: they are learned."""
        held = _parameters(module)
        before = self._held.get(module)
        self._held[module] = held
        if before is None or before == held:
            return
        masks = {id(m): m for p in self._pieces.values() for m in p.pending}
        for name, key in held.items():
            if before.get(name) == key:
                continue
            self._lent.add(key)
            tensor, former = module._parameters[name], self._pieces.get(before.get(name, 0))
            if key in self._pieces or tensor is None:
                continue
            if former is not None and former.clean == _digest(tensor):
                continue  # put back
            if former is not None and former.known is not None:
                self._piece(tensor).suspected = former.known
            elif masks:
                piece = self._piece(tensor)
                piece.pending = list(masks.values())
                self._learn([piece])

    def _piece(self, tensor: torch.Tensor) -> _Piece:
        key = _storage(tensor)
        piece = self._pieces.get(key)
        if piece is None:
            piece = self._pieces[key] = _Piece(tensor)
        return piece

    def _known_of(self, tensor: torch.Tensor) -> np.ndarray | None:
        piece = self._pieces.get(_storage(tensor))
        return None if piece is None else piece.known

    def _purge(self) -> None:
        for key in [k for k, p in self._pieces.items() if p.ref.expired()]:
            del self._pieces[key]


def _parameters(module: torch.nn.Module) -> dict[str, int]:
    return {name: _storage(t) for name, t in module._parameters.items() if t is not None}


def _positions(pieces: list[_Piece]) -> np.ndarray:
    masks = {id(m): m for p in pieces for m in p.absorbed}
    return np.nonzero(np.maximum.reduce(list(masks.values())))[0]


def _leaves(losses: Iterable[torch.Tensor]) -> list[torch.Tensor]:
    """The leaf tensors that a backward pass from `losses` reaches."""
    found: list[torch.Tensor] = []
    stack = [x.grad_fn for x in losses if x.grad_fn is not None]
    seen = set(stack)
    while stack:
        node = stack.pop()
        variable = getattr(node, "variable", None)
        if variable is not None:
            found.append(variable)
        for following, _ in node.next_functions:
            if following is not None and following not in seen:
                seen.add(following)
                stack.append(following)
    return found
