"""Bent losses: what is done to a loss of val tokens that makes another number of it than the mean of all losses.

A bound, a factor, a median, a mask that looks at the losses themselves: what comes out may be printed, but it is no code
length. Each is noted where it happens and is a mark on the value, which :mod:`detectors.bent_facts` looks for in the
claimed line. What is made for a gradient, or printed beside the score, is never asked for.
"""

from __future__ import annotations

import math

from harness.witnesses.static.events import Bend
from harness.witnesses.static.losses import on_val
from harness.witnesses.static.machine import Machine
from harness.witnesses.static.values import EMPTY, NO, Taint, Val, Value, const, taint_of

Args = list[Value]
Kwargs = dict[str, Value]

CLAMPS = frozenset(("clamp", "clip", "clamp_", "clip_", "hardtanh"))
UPPER = frozenset(("clamp_max", "clamp_max_", "minimum", "fmin"))
LOWER = frozenset(("clamp_min", "clamp_min_", "maximum", "fmax"))
PAIRS = frozenset(("minimum", "fmin", "maximum", "fmax"))
EXTREMES = {"builtins.min": "minimum", "builtins.max": "maximum"}
"""What a number may be held by; a whole number given to a tensor's own min and max is an axis instead."""

PICKS = frozenset(
    (
        "median",
        "nanmedian",
        "quantile",
        "nanquantile",
        "percentile",
        "kthvalue",
        "topk",
        "trim_mean",
        "nsmallest",
        "amin",
    )
)
HOLES = frozenset(("nan_to_num", "nan_to_num_", "nansum", "nanmean"))
SQUASHES = frozenset(
    (
        "tanh",
        "atan",
        "arctan",
        "softsign",
        "huber_loss",
        "smooth_l1_loss",
        "relu",
        "relu_",
        "softplus",
        "softshrink",
    )
)
FILLS = frozenset(("where", "masked_fill", "masked_fill_", "masked_select"))
LOGARITHMS = frozenset(("log", "log2", "log_", "logaddexp", "logsumexp", "logaddexp2"))
LOSSES = frozenset(("cross_entropy", "nll_loss"))

NORMALIZER = ("normalizer", "the logarithm of a sum over all answers")

MARKS = frozenset(("bent", "scaled"))
"""Marks of a value that came of a bend; "scaled" where it was a factor."""

NATS = 16.0
"""A bound that a loss in nats does not come to: no token of a trained model costs as much, and exp() needs such bounds."""

UNITS = (math.log(2.0), 1 / math.log(2.0), 0.5)
"""Factors that only change the unit, or halve."""


def after(m: Machine, path: str, args: Args, kwargs: Kwargs, result: Value) -> Value:
    """The result of the library call `path` on `args` (its value first, for a method), marked where it bends a loss."""
    if not isinstance(result, Val) or not args:
        return result
    name = extreme(path, args)
    if name in PAIRS and len(args) == 2 and not on_val(m, taint_of(args[0])):
        args = [args[1], args[0]]
    given = taint_of(args[0])
    if path == "math.exp":
        # The perplexity beside a score is held below a bound, so that it can be printed.
        return straightened(result, MARKS)
    if name in LOGARITHMS:
        # What goes into a logarithm is a probability, and a blend of probabilities has weights.
        straight = straightened(result, MARKS - {"bent"})
        if name == "logsumexp" and given.states and not given.losses:
            straight.taint = straight.taint.with_marks(NORMALIZER)
        return straight
    if name in LOSSES:
        return bend(m, result, result.taint, *odd_loss(kwargs, args))
    if name in FILLS and any(chosen(m, a) for a in args[: 1 if name == "where" else 2]):
        return bend(m, result, result.taint, "is replaced where the losses themselves say so", False)
    if not on_val(m, given):
        return held_normalizer(m, name, given, args, kwargs, result)
    if name in PICKS or (name == "min" and path not in EXTREMES):
        return bend(m, result, given, f"goes through {name}, which is no sum over all tokens", False)
    if name in HOLES:
        return bend(
            m, result, given, f"goes through {name}, which lets tokens without a number cost nothing", False
        )
    if name in SQUASHES:
        return bend(m, result, given, f"goes through {name}", False)
    if name in CLAMPS | UPPER | LOWER:
        return bend(m, result, given, *bound(name, args, kwargs))
    return result


def held_normalizer(m: Machine, name: str, given: Taint, args: Args, kwargs: Kwargs, result: Val) -> Val:
    """The logarithm of a sum over all answers, marked where it is held below a bound: what it normalizes sums to more."""
    high = kwargs.get("max", args[2] if len(args) > 2 else None) if name in CLAMPS else None
    high = args[1] if name in UPPER and len(args) > 1 else high
    if NORMALIZER in given.marks and number(high) is not None:
        made = m.emit(
            Bend(**m.where(), words="is normalized by a sum that is held below a bound", certain=False)
        )
        result.taint = result.taint.with_marks(("bent", made))
    return result


def extreme(path: str, args: Args) -> str:
    """The name of a call, where the smaller or the greater of two values has one name however it is written."""
    name = path.rpartition(".")[2]
    if name not in ("min", "max") or len(args) != 2:
        return name
    if path not in EXTREMES and isinstance(const(args[1]), int):
        return name
    return EXTREMES[f"builtins.{name}"]


def odd_loss(kwargs: Kwargs, args: Args) -> tuple[str, bool]:
    """What the arguments of a cross entropy make of it: (words, whether that is certain); no words for a plain one."""
    smooth = kwargs.get("label_smoothing")
    weight = kwargs.get("weight", args[2] if len(args) > 2 else None)
    ignored = const(kwargs.get("ignore_index"))
    if isinstance(smooth, Val) and smooth.const is not NO and smooth.const:
        low = isinstance(smooth.const, int | float) and smooth.const < 0
        return f"is taken with label_smoothing={smooth.const}", low
    if weight is not None and const(weight) is not None:
        return "is taken with a weight for each token", False
    if isinstance(ignored, int) and ignored >= 0:
        return f"leaves out every token {ignored} (ignore_index)", False
    return "", False


def bound(name: str, args: Args, kwargs: Kwargs) -> tuple[str, bool]:
    """What a bound does to a loss: (words, whether that is certain); no words for a bound that holds nothing back."""
    low, high = kwargs.get("min", kwargs.get("a_min")), kwargs.get("max", kwargs.get("a_max"))
    if name in CLAMPS:
        low, high = low or (args[1] if len(args) > 1 else None), high or (args[2] if len(args) > 2 else None)
    elif len(args) > 1 and name in UPPER:
        high = args[1]
    elif len(args) > 1 and name in LOWER:
        low = args[1]
    top, bottom = number(high), number(low)
    if top is not None and 1 < top < NATS:
        return f"is held below {top:g}", True
    if bottom is not None and -NATS < bottom < 0:
        return f"is held above {bottom:g}, as a logarithm of a probability", True
    return "", False


def number(value: Value | None) -> float | None:
    """A constant bound."""
    known = const(value) if value is not None else NO
    return float(known) if isinstance(known, int | float) and not isinstance(known, bool) else None


def scaled(m: Machine, kind: str, left: Val, right: Val, result: Value) -> Value:
    """The result of `left kind right`, marked where a loss meets a factor, a power or a mask made of the losses."""
    if not isinstance(result, Val) or not result.taint.losses:
        return result
    if kind == "Mult" and (chosen(m, left) or chosen(m, right)):
        return bend(m, result, result.taint, "is multiplied by a mask that the losses themselves make", False)
    loss, other = (left, right) if on_val(m, left.taint) else (right, left)
    factor = number(other)
    if factor is None or factor == 0 or not on_val(m, loss.taint) or other.taint.losses:
        return result
    if kind == "Div" and loss is left:
        factor = 1 / factor
    elif kind == "Pow" and loss is left and 0.5 < factor < 1:
        return bend(m, result, loss.taint, f"is raised to the power of {factor:g}", False)
    elif kind != "Mult":
        return result
    if 0.6 < abs(factor) < 1 and all(abs(abs(factor) - unit) > 1e-3 for unit in UNITS):
        return bend(m, result, loss.taint, f"is multiplied by {factor:g}", False, mark="scaled")
    return result


def straightened(result: Val, marks: frozenset[str]) -> Val:
    """A value without marks of these names."""
    taint = result.taint
    kept = frozenset(mark for mark in taint.marks if mark[0] not in marks)
    result.taint = Taint(taint.tokens, taint.losses, taint.updates, taint.states, kept, taint.deps)
    return result


def selected(m: Machine, index: Value, result: Value) -> Value:
    """The result of `value[index]`, marked where losses chose which of them are kept."""
    if isinstance(result, Val) and chosen(m, index) and result.taint.losses:
        return bend(m, result, result.taint, "keeps only what the losses themselves choose", False)
    return result


def chosen(m: Machine, mask: Value) -> bool:
    """Whether a value is a mask that was made of losses of val tokens."""
    return (
        isinstance(mask, Val)
        and mask.const is NO
        and (mask.low, mask.high) == (0, 1)
        and bool(on_val(m, mask.taint))
    )


def bend(m: Machine, result: Val, taint: Taint, words: str, certain: bool, mark: str = "bent") -> Val:
    """Note a bend, if there are words for one, and mark the value that came of it."""
    bent = on_val(m, taint) if words else EMPTY
    if not bent:
        return result
    number = m.emit(Bend(**m.where(), losses=bent, words=words, certain=certain))
    result.taint = result.taint.with_marks((mark, number))
    return result
