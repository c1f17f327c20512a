"""torch and numpy: where tokens are loaded, losses taken, states saved and restored, tables filled."""

from __future__ import annotations

from harness.witnesses.static import losses, methods, shares, sifting, streams, tables, updates
from harness.witnesses.static.events import Note
from harness.witnesses.static.library import models
from harness.witnesses.static.machine import Machine, elements, unknown
from harness.witnesses.static.mixing import combine
from harness.witnesses.static.values import (
    CLEAN,
    NO,
    Ext,
    Obj,
    Seq,
    Taint,
    Val,
    Value,
    const,
    is_module,
    state_of,
    taint_of,
    text_of,
)

Args = list[Value]
Kwargs = dict[str, Value]


@models("numpy.fromfile", "numpy.memmap", "numpy.load", "torch.from_file", "numpy.loadtxt")
def fromfile(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    return streams.read_tokens(m, args[0] if args else kwargs.get("filename", Val()))


@models("torch.load", "safetensors.torch.load_file", "pickle.load", "joblib.load", "json.load")
def load(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    source = args[0] if args else Val()
    text = text_of(source)
    if streams.stream_of(text) and text.endswith((".bin", ".pt", ".npy")) and "fineweb" in text:
        return streams.read_tokens(m, source)
    streams.note_file(m, text, streams.stored(m, text))
    given = taint_of(source)
    taint = streams.stored(m, text) | Taint(
        deps=given.deps, updates=given.updates, marks=sifting.chosen(given)
    )
    return Val(taint=taint)


@models("torch.save", "safetensors.torch.save_file", "pickle.dump", "joblib.dump")
def save(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    if len(args) > 1:
        value, target = (args[0], args[1])
        if isinstance(target, Val) and not text_of(target) and not isinstance(value, Val):
            target.taint = target.taint | taint_of(value)
        if isinstance(target, Obj):
            target.attrs["\0held"] = unknown(value)
        streams.write_file(m, target, value)
    return Val(None)


@models("numpy.save", "numpy.savez")
def save_array(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    for value in [*args[1:], *kwargs.values()]:
        streams.write_file(m, args[0] if args else Val(), value)
        streams.write_array(m, value)
    return Val(None)


@models("ctypes.byref", "ctypes.pointer", "ctypes.cast", "ctypes.c_void_p")
def pointer(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    return args[0] if args else Val()


@models("io.BytesIO", "io.StringIO")
def buffer(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    return Val(taint=taint_of(args[0]) if args else CLEAN, text="\0buffer")


@models("torch.nn.functional.cross_entropy", "torch.nn.functional.nll_loss", ".cross_entropy", ".nll_loss")
def cross_entropy(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    output = args[0] if args else kwargs.get("input", Val())
    target = args[1] if len(args) > 1 else kwargs.get("target", Val())
    return losses.note(m, "cross_entropy", output, target)


@models("torch.gather", "torch.take_along_dim", "numpy.take_along_axis", "torch.index_select", "numpy.take")
def gather(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    value = args[0] if args else Val()
    index = kwargs.get("index") or next(
        (a for a in reversed(args[1:]) if not isinstance(const(a), int)), Val()
    )
    return methods.gather(m, value, index)


@models("torch.where", "numpy.where", "torch.lerp")
def where(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    taint = CLEAN
    for value in args:
        taint = combine(m, taint, taint_of(value), "where")
    if len(args) == 3 and taint_of(args[0]).losses:
        taint = taint | losses.choose(m, taint_of(args[1]), taint_of(args[2]))
    return Val(taint=taint)


@models("torch.nn.functional.embedding", "torch.embedding")
def embedding(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    return unknown(*args)


@models("torch.nn.Parameter", "torch.nn.parameter.Parameter", "torch.nn.Buffer")
def parameter(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    value = Val(taint=taint_of(args[0]) if args else CLEAN)
    value.param = "parameter"
    return value


@models(
    "torch.zeros",
    "torch.empty",
    "torch.ones",
    "torch.randn",
    "torch.zeros_like",
    "torch.empty_like",
    "torch.full",
    "torch.ones_like",
    "torch.randn_like",
    "torch.rand",
    "torch.full_like",
    "numpy.zeros",
    "numpy.ones",
    "numpy.empty",
    "numpy.zeros_like",
    "numpy.full",
    "numpy.empty_like",
    "torch.randperm",
    "torch.new_zeros",
    "numpy.ones_like",
    "numpy.full_like",
    "torch.eye",
    "numpy.eye",
)
def blank(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    value = Val()
    value.born, value.storage = m.loop_numbers(), True
    if args and isinstance(args[0], Val) and args[0].own is None and args[0].taint.states:
        value.taint = value.taint.with_marks(tables.LIKE_PREDICTIONS)
    if truth_of(kwargs.get("requires_grad")):
        value.param = "leaf"
    kind = kwargs.get("dtype", args[1] if len(args) > 1 else None)
    if isinstance(kind, Ext) and kind.tail in ("bool", "bool_"):
        value.low, value.high = 0, 1
    return value


def truth_of(value: Value | None) -> bool:
    """Whether a keyword is given as True."""
    return const(value) is True


@models("torch.arange", "numpy.arange", "torch.linspace")
def arange(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    result = Val(taint=Taint(deps=unknown(*args).taint.deps))
    start = args[0] if len(args) > 1 else None
    if isinstance(start, Val):
        result.affine = m.symbol(start)
    else:
        result.affine = (0, ())
    return result


@models(
    "torch.tensor",
    "torch.as_tensor",
    "torch.from_numpy",
    "numpy.array",
    "numpy.asarray",
    "torch.asarray",
    "numpy.ascontiguousarray",
    "torch.clone",
    "torch.detach",
    "torch.reshape",
    "torch.flatten",
    "torch.squeeze",
    "torch.unsqueeze",
    "numpy.frombuffer",
    "torch.frombuffer",
    "numpy.copy",
)
def same(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    value = args[0] if args else Val()
    if isinstance(value, Val):
        result = Val(value.const if isinstance(value.const, int | float) else NO, taint_of(value))
        result.affine, result.low, result.high = value.affine, value.low, value.high
        return result
    return unknown(value)


@models(
    "torch.compile",
    "torch.vmap",
    "torch.func.vmap",
    "torch.jit.script",
    "torch._dynamo.disable",
    "torch.no_grad",
    "torch.inference_mode",
    "torch.nn.parallel.DistributedDataParallel",
    ".DistributedDataParallel",
    ".FullyShardedDataParallel",
    "torch.compiler.disable",
    "torch.nn.DataParallel",
    "torch.enable_grad",
    "torch._dynamo.optimize",
    "torch.jit.trace",
    "torch.compiler.allow_in_graph",
    "torch.cuda.make_graphed_callables",
    ".custom_op",
    "torch.nn.utils.parametrizations.weight_norm",
)
def wrapper(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    return (
        args[0]
        if args and not (isinstance(args[0], Val) and isinstance(args[0].const, str | bool))
        else Ext("identity")
    )


@models("torch.utils.checkpoint.checkpoint", ".checkpoint")
def checkpoint(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    from harness.witnesses.static.calling import call

    return call(m, args[0], args[1:], {}) if args else Val()


@models("torch.func.functional_call", "torch.nn.utils.stateless.functional_call")
def functional_call(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    from harness.witnesses.static.calling import call

    if not args:
        return Val()
    given = args[2] if len(args) > 2 else kwargs.get("args", Val())
    inner = list(given.box.items) if isinstance(given, Seq) and given.box.items is not None else [given]
    result = call(m, args[0], inner, {})
    if isinstance(result, Val) and len(args) > 1:
        return Val(taint=result.taint | taint_of(args[1]))
    return result


@models("torch.autograd.grad")
def grad(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    outputs = args[0] if args else kwargs.get("outputs")
    losses = taint_of(elements(outputs) if isinstance(outputs, Seq) else outputs).losses
    known = updates.gradient(m, losses)
    taint = Taint(updates=known) if known else Taint(losses=losses)
    given = args[1] if len(args) > 1 else kwargs.get("inputs")
    if isinstance(given, Seq) and given.box.items is not None:
        # One each, as a zip with them takes them.
        return Seq([Val(taint=taint) for _ in given.box.items], "tuple")
    return methods.sequence_of(Val(taint=taint))


@models("torch.autograd.backward")
def backward(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    if args:
        updates.backward(m, taint_of(args[0]))
    return Val(None)


@models("numpy.add.at", "numpy.subtract.at", "numpy.maximum.at")
def add_at(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    if len(args) > 1 and isinstance(args[0], Val):
        tables.array_write(m, args[0], args[1], args[2] if len(args) > 2 else Val())
    return Val(None)


@models("numpy.bincount", "torch.bincount", "numpy.histogram", "numpy.unique", "torch.unique")
def bincount(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    key = taint_of(args[0]) if args else CLEAN
    if not key.reads("val"):
        return unknown(*args)
    result = Val()
    tables.write_table(m, result, key, CLEAN)
    return result


@models(
    "torch.distributed.all_reduce",
    "torch.distributed.broadcast",
    "torch.distributed.reduce",
    "torch.distributed.barrier",
    "torch.distributed.broadcast_object_list",
    "torch.distributed.destroy_process_group",
    "torch.distributed.init_process_group",
    "torch.nn.utils.clip_grad_norm_",
    ".clip_grad_norm_",
    "torch.cuda.synchronize",
    "torch.manual_seed",
    "numpy.random.seed",
    "random.seed",
    "os.makedirs",
    "os.remove",
    "torch.nn.utils.clip_grad_value_",
    "torch.distributed.reduce_scatter_tensor",
)
def nothing(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    shares.together(m, [*args, *kwargs.values()])
    if len(args) > 1 and isinstance(args[0], Val) and isinstance(args[1], Val) and args[0].own is None:
        args[0].taint = args[0].taint | taint_of(args[1])
    return Val()


@models(
    "torch.distributed.all_gather",
    "torch.distributed.all_gather_object",
    "torch.distributed.all_gather_into_tensor",
    "torch.distributed.scatter",
)
def all_gather(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    shares.together(m, args)
    if len(args) > 1:
        spread_to(args[0], args[1])
    return Val()


@models("torch.distributed.gather", "torch.distributed.gather_object")
def gather_to(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    shares.together(m, args)
    target = args[1] if len(args) > 1 else kwargs.get("gather_list", kwargs.get("object_gather_list"))
    if args and target is not None:
        spread_to(target, args[0])
    return Val()


def spread_to(target: Value, value: Value) -> None:
    """Every process writes its value into the target."""
    if isinstance(target, Seq):
        target.box.items, target.box.any = None, value
        target.taint = target.taint.with_deps(taint_of(value).deps)
    elif isinstance(target, Val) and target.own is None:
        target.taint = target.taint | taint_of(value)


@models("torch.distributed.get_rank")
def rank(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    return Val(0)


@models("torch.distributed.get_world_size")
def world(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    return Val(8)


@models(
    "torch.distributed.is_initialized",
    "torch.distributed.is_available",
    "torch.cuda.is_available",
    "torch.cuda.is_bf16_supported",
)
def yes(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    return Val(True)


@models("torch.is_grad_enabled", "torch.compiler.is_compiling", "torch.jit.is_scripting")
def either(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    return Val(taint=CLEAN.with_marks(("device", "grad")))


@models("torch.is_tensor")
def is_tensor(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    return Val()


@models(
    "torch.cat",
    "torch.stack",
    "numpy.concatenate",
    "torch.concat",
    "numpy.stack",
    "torch.hstack",
    "torch.vstack",
    "numpy.concat",
    "numpy.hstack",
)
def cat(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    value = args[0] if args else kwargs.get("tensors", Val())
    if isinstance(value, Seq):
        taint = CLEAN
        parts = [taint_of(item) for item in [*(value.box.items or []), value.box.any] if item is not None]
        for part in parts:
            taint = combine(m, taint, part, "cat")
        if any(p.losses for p in parts) and any(p.states and not p.losses for p in parts):
            # Beside losses of the answer stands something of the model that is no probability of it.
            taint = taint.with_marks(("expert", m.line))
        return Val(taint=taint | value.taint)
    return unknown(value)


@models("torch.logsumexp", ".logsumexp", "torch.logaddexp")
def logsumexp(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    taint = CLEAN
    for value in args:
        taint = combine(m, taint, taint_of(value), "logsumexp")
    if taint.losses and any(mark[0] == "expert" for mark in taint.marks):
        m.emit(Note(**m.where(), what="expert", losses=taint.losses))
    return Val(taint=taint)


@models(
    "torch.nn.functional.scaled_dot_product_attention",
    ".flash_attn_func",
    ".flash_attn_varlen_func",
    ".flash_attn_3_func",
    ".scaled_dot_product_attention",
    ".flash_attn_qkvpacked_func",
    ".flash_attn_with_kvcache",
)
def attention(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    causal = kwargs.get("is_causal") or kwargs.get("causal")
    if const(causal) is True:
        m.emit(Note(**m.where(), what="causal attention"))
    elif const(causal) is False and "attn_mask" not in kwargs and len(args) < 4:
        m.emit(Note(**m.where(), what="attention without a causal mask"))
    elif causal is not None and const(causal) is NO:
        m.emit(Note(**m.where(), what="attention that is causal at times"))
    return unknown(*args, *kwargs.values())


@models("torch.nn.utils.parameters_to_vector")
def to_vector(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    return unknown(elements(args[0])) if args else Val()


@models("torch.nn.utils.vector_to_parameters")
def to_parameters(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    if len(args) > 1:
        target = elements(args[1])
        if isinstance(target, Val):
            updates.in_place(m, target, taint_of(args[0]), overwrite=True)
    return Val(None)


def module_state(value: Value) -> Taint:
    """The state of a module given as a value."""
    return state_of(value) if isinstance(value, Obj) and is_module(value) else CLEAN


@models(
    "torch.randint",
    "numpy.random.randint",
    "numpy.random.choice",
    "random.randint",
    "random.randrange",
    "random.choice",
    "torch.multinomial",
    ".integers",
    ".randrange",
)
def drawn(m: Machine, args: Args, kwargs: Kwargs) -> Value:
    value = unknown(*args)
    if not value.taint.states:
        value.taint = value.taint.with_marks(("drawn", m.line))
    return value
