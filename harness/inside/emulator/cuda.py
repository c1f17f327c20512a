"""The torch.cuda surface of one H100: device, streams, events, memory statistics, random state."""

from __future__ import annotations

import contextlib
import types
from typing import Any

import torch

from .clock import VirtualClock
from .mode import on_cpu

NAME = "NVIDIA H100 80GB HBM3"
MEMORY = 80 * 2**30

PROPERTIES = types.SimpleNamespace(
    name=NAME,
    major=9,
    minor=0,
    total_memory=MEMORY,
    multi_processor_count=132,
    warp_size=32,
    max_threads_per_multi_processor=2048,
    regs_per_multiprocessor=65536,
    shared_memory_per_block_optin=232448,
    shared_memory_per_multiprocessor=233472,
    L2_cache_size=50 * 2**20,
    gcnArchName="",
    is_integrated=False,
    is_multi_gpu_board=False,
    uuid="00000000-0000-0000-0000-000000000000",
)


class Stream:
    """A stream: work is done when it is issued, so there is nothing to wait for. Usable as a context manager."""

    device = torch.device("cuda", 0)
    device_index = 0
    cuda_stream = 0
    stream_id = 0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *error: Any) -> None:
        return None

    def wait_stream(self, stream: Any) -> None:
        """Nothing is pending."""

    def wait_event(self, event: Any) -> None:
        """Nothing is pending."""

    def synchronize(self) -> None:
        """Nothing is pending."""

    def is_capturing(self) -> bool:
        """Never: graphs are not captured."""
        return False

    def query(self) -> bool:
        """All work is done."""
        return True

    def record_event(self, event: Any = None) -> Any:
        """Record an event now."""
        cuda: Any = torch.cuda
        event = event or cuda.Event(enable_timing=True)
        event.record()
        return event


def _event_class(clock: VirtualClock) -> type:
    class Event:
        """An event: it holds the virtual time of its record."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            self.at: float | None = None

        def record(self, stream: Any = None) -> None:
            self.at = clock.now()

        def elapsed_time(self, end: Any) -> float:
            if self.at is None or end.at is None:
                raise RuntimeError("Both events must be recorded before calculating elapsed time.")
            return float(1000 * (end.at - self.at))

        def synchronize(self) -> None:
            return None

        def query(self) -> bool:
            return True

        def wait(self, stream: Any = None) -> None:
            return None

    return Event


class Device(contextlib.ContextDecorator):
    """torch.cuda.device, device_of and stream: contexts that change nothing."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.idx = 0
        self.stream = args[0] if args else None

    def __enter__(self) -> Device:
        return self

    def __exit__(self, *error: Any) -> None:
        return None


class CUDAGraph:
    """Capture is not emulated: a replay would have to run the captured Python again."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError("the emulator does not replay CUDA graphs; run this script on a GPU")


class GradScaler:
    """A gradient scaler of scale 1: nothing overflows in float32."""

    def __init__(self, *args: Any, enabled: bool = True, **kwargs: Any) -> None:
        self.enabled = enabled

    def scale(self, outputs: Any) -> Any:
        """The outputs, times 1."""
        return outputs

    def step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        """The optimizer's step."""
        return optimizer.step(*args, **kwargs)

    def unscale_(self, optimizer: Any) -> None:
        """Gradients are unscaled already."""

    def update(self, new_scale: Any = None) -> None:
        """The scale stays 1."""

    def get_scale(self) -> float:
        """1."""
        return 1.0

    def is_enabled(self) -> bool:
        """As the script asked."""
        return self.enabled

    def state_dict(self) -> dict[str, Any]:
        """Nothing to save."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to load."""


def _nothing(*args: Any, **kwargs: Any) -> None:
    return None


def _zero(*args: Any, **kwargs: Any) -> int:
    return 0


def _true(*args: Any, **kwargs: Any) -> bool:
    return True


_DOES_NOTHING = (
    "set_device init _lazy_init synchronize empty_cache ipc_collect reset_peak_memory_stats reset_max_memory_allocated "
    "reset_max_memory_cached reset_accumulated_memory_stats set_per_process_memory_fraction set_sync_debug_mode "
    "set_stream check_error"
)
_IS_ZERO = (
    "current_device memory_allocated max_memory_allocated memory_reserved max_memory_reserved memory_cached "
    "max_memory_cached get_sync_debug_mode utilization memory_usage"
)
_IS_TRUE = "is_available is_initialized is_bf16_supported is_tf32_supported can_device_access_peer"


def install(clock: VirtualClock) -> None:
    """Replace the names of torch.cuda, and the constructors that take a device without being torch functions."""
    cuda: Any = torch.cuda
    for names, stand_in in ((_DOES_NOTHING, _nothing), (_IS_ZERO, _zero), (_IS_TRUE, _true)):
        for name in names.split():
            setattr(cuda, name, stand_in)
    cuda.device_count = lambda: 1
    cuda.is_current_stream_capturing = lambda: False
    cuda.get_device_name = lambda *a, **k: NAME
    cuda.get_device_capability = lambda *a, **k: (9, 0)
    cuda.get_device_properties = lambda *a, **k: PROPERTIES
    cuda.get_arch_list = lambda: ["sm_90"]
    cuda.mem_get_info = lambda *a, **k: (MEMORY, MEMORY)
    cuda.memory_stats = lambda *a, **k: {}
    cuda.memory_summary = lambda *a, **k: ""
    cuda.Stream = cuda.ExternalStream = Stream
    cuda.current_stream = cuda.default_stream = lambda *a, **k: Stream()
    t: Any = torch
    cuda.Event = t.Event = _event_class(clock)
    cuda.device = cuda.device_of = cuda.stream = cuda.StreamContext = Device
    cuda.CUDAGraph = cuda.graph = cuda.make_graphed_callables = CUDAGraph
    torch.version.cuda = "12.8"
    _install_accelerator()
    _install_random_state(cuda)
    _install_constructors()
    _install_settings(cuda)


def _install_accelerator() -> None:
    """torch.accelerator, which a CUDA build of torch would ask the missing driver for (optimizers do at each step)."""
    accelerator: Any = getattr(torch, "accelerator", None)
    if accelerator is None:
        return
    accelerator.current_accelerator = lambda check_available=False: torch.device("cuda")
    accelerator.device_count = lambda: 1
    accelerator.current_stream = lambda *a, **k: Stream()
    for names, stand_in in (
        ("is_available", _true),
        ("current_device_index current_device_idx", _zero),
        ("set_device_index set_device_idx set_stream synchronize empty_cache", _nothing),
    ):
        for name in names.split():
            setattr(accelerator, name, stand_in)


def _install_random_state(cuda: Any) -> None:
    cuda.manual_seed = cuda.manual_seed_all = _nothing  # torch.manual_seed seeds the one generator there is
    cuda.seed = cuda.seed_all = _nothing
    cuda.initial_seed = torch.initial_seed
    cuda.get_rng_state = lambda *a, **k: torch.get_rng_state()
    cuda.set_rng_state = _nothing
    cuda.get_rng_state_all = lambda: [torch.get_rng_state()]
    cuda.set_rng_state_all = _nothing
    cuda.default_generators = (torch.default_generator,)


def _install_constructors() -> None:
    t: Any = torch
    generator: Any = torch.Generator
    load, set_default = torch.load, torch.set_default_device

    class Generator(generator):  # type: ignore[misc]  # its base is not known to be a class
        """torch.Generator on the CPU, whatever device it was asked for."""

        def __new__(cls, device: Any = None) -> Any:
            return super().__new__(cls)

    def load_on_cpu(*args: Any, **kwargs: Any) -> Any:
        args = (*args[:1], *(_mapped(a) for a in args[1:]))
        if "map_location" in kwargs:
            kwargs["map_location"] = _mapped(kwargs["map_location"])
        return load(*args, **kwargs)

    t.Generator, t.load = Generator, load_on_cpu
    t.Tensor.record_stream = _nothing  # its C signature refuses a stand-in before any mode sees the call
    t.set_default_device = lambda device: set_default(on_cpu(device))


def _mapped(location: Any) -> Any:
    """A map_location on the CPU; functions and dictionaries of locations would only choose among GPUs."""
    if location is None or isinstance(location, str | torch.device | int):
        return on_cpu(location)
    return "cpu"


def _install_settings(cuda: Any) -> None:
    amp: Any = torch.amp
    amp.GradScaler = amp.grad_scaler.GradScaler = cuda.amp.GradScaler = GradScaler
    for name in ("enable_cudnn_sdp", "enable_flash_sdp", "enable_mem_efficient_sdp", "enable_math_sdp"):
        setattr(torch.backends.cuda, name, _nothing)
    for name in ("range_push", "range_pop", "mark", "range_start", "range_end"):
        setattr(cuda.nvtx, name, _zero)
    cuda.nvtx.range = Device
    cuda.profiler.start = cuda.profiler.stop = _nothing
