"""Looking ahead along a sequence: operations that bring what a later position holds to an earlier one.

Only what is clear from the call is noted: a shift against the order of positions, a reversal of their axis, a Fourier
transform over it, a recurrent layer that runs in both directions, a convolution padded alike on both sides, a mean or a
choice over all positions; and only for what a model made of val tokens, since ids themselves are shifted to make targets.
"""

from __future__ import annotations

import ast

from harness.witnesses.static.events import Note
from harness.witnesses.static.machine import Machine
from harness.witnesses.static.values import Seq, Val, Value, const, taint_of

AHEAD = "positions meet later ones"
"""What a note says of such an operation."""

POSITIONS = (1, -2)
"""The axis of positions in a batch of sequences."""

POOLED = "positions are pooled"
"""What a note says of an operation over the axis of positions whose result each of them may get."""

POOLS = {**dict.fromkeys(("mean", "var", "std", "norm", "amax", "amin", "median"), 1), "topk": 2}
"""Operations over one axis, with the place of the axis among their arguments; not those that are as usual over the second
axis of rows of logits."""

WINDOWS = frozenset(
    ("avg_pool1d", "max_pool1d", "adaptive_avg_pool1d", "adaptive_max_pool1d", "interpolate", "instance_norm")
)
"""Operations over the last axis, in windows around each position."""

COPIES = frozenset(("to", "float", "bfloat16", "half", "type_as", "contiguous", "unsqueeze", "expand"))

RECURRENT = frozenset(("GRU", "LSTM", "RNN"))


def note(m: Machine, path: str, args: list[Value], kwargs: dict[str, Value]) -> None:
    """Note a library call (its value first, for a method) that looks ahead."""
    name = path.rpartition(".")[2]
    both = name in RECURRENT and const(kwargs.get("bidirectional")) is True
    if both or (name == "Conv1d" and centred(args, kwargs)):
        m.emit(Note(**m.where(), what=AHEAD))
    if args and m.inside and not path.startswith("builtins.") and pools(name, args, kwargs):
        taint = taint_of(args[0])
        if taint.states and taint.reads("val"):
            m.emit(Note(**m.where(), what=POOLED))
    if not args or not looks(name, path, args, kwargs):
        return
    taint = taint_of(args[0])
    if taint.states and taint.reads("val"):
        m.emit(Note(**m.where(), what=AHEAD))


def mixed(m: Machine, node: ast.BinOp, left: Value, right: Value) -> None:
    """Note weights that positions are multiplied with from the left (`self.mix @ x`), as they are: no mask in between."""
    taint = taint_of(right)
    weights = isinstance(left, Val) and not left.taint.tokens and (left.own or left.taint.states)
    if m.inside and weights and bare(node.left) and taint.states and taint.reads("val"):
        m.emit(Note(**m.where(), what=POOLED))


def bare(node: ast.expr) -> bool:
    """Whether an expression is an attribute, or a part or copy of one."""
    if isinstance(node, ast.Subscript):
        return bare(node.value)
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Attribute) and node.func.attr in COPIES and bare(node.func.value)
    return isinstance(node, ast.Attribute)


def pools(name: str, args: list[Value], kwargs: dict[str, Value]) -> bool:
    """Whether a call joins what all positions, or those around one, hold."""
    if name in POOLS:
        named = axis(kwargs, args, POOLS[name])
        return isinstance(named, int) and named in POSITIONS
    if name in ("layer_norm", "rms_norm"):
        shape = kwargs.get("normalized_shape", args[1] if len(args) > 1 else None)
        return isinstance(shape, Seq) and len(shape.box.items or []) > 1
    return name in WINDOWS


def centred(args: list[Value], kwargs: dict[str, Value]) -> bool:
    """Whether `Conv1d(in, out, kernel_size, stride, padding, dilation)` has its window around each position.

    A causal one is padded by the whole window, and what hangs over is cut off, or it is not padded at all.
    """
    named = {
        **dict(zip(("", "", "kernel_size", "stride", "padding", "dilation"), args, strict=False)),
        **kwargs,
    }
    width, padding, spread = (first(named.get(k)) for k in ("kernel_size", "padding", "dilation"))
    if not isinstance(width, int) or width < 2:
        return False
    spread = spread if isinstance(spread, int) else 1
    return padding == "same" or (isinstance(padding, int) and 0 < 2 * padding <= spread * (width - 1))


def looks(name: str, path: str, args: list[Value], kwargs: dict[str, Value]) -> bool:
    """Whether the arguments say that the axis of positions is shifted back, reversed or transformed."""
    if name == "roll":
        shift = first(kwargs.get("shifts", args[1] if len(args) > 1 else None))
        return isinstance(shift, int) and shift < 0 and axis(kwargs, args, 2) in POSITIONS
    if name == "flip":
        return axis(kwargs, args, 1) in POSITIONS
    return path.startswith(("torch.fft.fft", "torch.fft.rfft")) and const(kwargs.get("dim")) in POSITIONS


def axis(kwargs: dict[str, Value], args: list[Value], place: int) -> object:
    """The axis that a call names."""
    return first(kwargs.get("dims", kwargs.get("dim", args[place] if len(args) > place else None)))


def first(value: Value | None) -> object:
    """A constant, or the only one of a list."""
    if isinstance(value, Seq):
        items = value.box.items or []
        return const(items[0]) if len(items) == 1 else None
    return const(value)
