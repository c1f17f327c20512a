"""The machine of a rerun: which GPUs there are, what the sandbox needs to reach them, and how it is named in a report."""

from __future__ import annotations

import glob
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import torch

from harness.sandbox import Mount
from harness.witnesses.rerun.facts import Machine

NODES = (
    "/dev/nvidia[0-9]*",
    "/dev/nvidiactl",
    "/dev/nvidia-uvm",
    "/dev/nvidia-uvm-tools",
    "/dev/nvidia-caps/*",
)
TOPOLOGY = ("/sys/bus/pci", "/sys/class", "/sys/devices", "/sys/module")
"""NCCL reads from these which GPUs are joined by which links."""
OFFICIAL = re.compile(r"H100.*(?:80GB HBM3|SXM)")


class NoDevice(Exception):
    """The device that was asked for is not there; the sentence says what is."""


def check(device: str, processes: int) -> None:
    """Raises NoDevice where `device` is cuda and this machine has fewer GPUs than processes."""
    if device == "cpu":
        return
    if not torch.cuda.is_available():
        build = "this torch has no CUDA" if torch.version.cuda is None else "torch finds no CUDA device"
        raise NoDevice(
            f"--device cuda needs an NVIDIA GPU, and {build} here; --device cpu reruns at small scale"
        )
    have = torch.cuda.device_count()
    if processes > have:
        raise NoDevice(f"--nproc {processes} needs as many GPUs, and this machine has {have}")


def machine(device: str, processes: int, nodes: int = 1) -> Machine:
    """The machine as a report names it, with so many processes; of several nodes this one stands for all."""
    several = f"{nodes} nodes of " if nodes > 1 else ""
    if device == "cpu":
        name = f"{several}{_cpu()}, {os.cpu_count()} cores (not measured on a GPU)"
        return Machine("cpu", name, processes * nodes, torch.__version__, emulated=True, official=False)
    names = [torch.cuda.get_device_name(i) for i in range(processes)]
    official = processes == 8 and nodes == 1 and all(OFFICIAL.search(n) for n in names)
    kinds = sorted(set(names))
    told = f"{several}{processes} x {' and '.join(kinds)}, driver {_driver()}"
    return Machine("cuda", told, processes * nodes, torch.__version__, emulated=False, official=official)


def gpu_mounts() -> list[Mount]:
    """Device nodes of the GPUs, and what NCCL reads of the machine."""
    nodes = sorted(p for pattern in NODES for p in glob.glob(pattern))
    mounts = [Mount(Path(p), p, device=True) for p in nodes if not Path(p).is_dir()]
    return mounts + [Mount(Path(p), p) for p in TOPOLOGY if Path(p).is_dir()]


def gpu_environment() -> dict[str, str]:
    """What a compiler of kernels needs: programs of the system, and where this machine keeps its CUDA libraries."""
    found = {"PATH": f"{sys.prefix}/bin:/usr/local/cuda/bin:/usr/local/bin:/usr/bin:/bin"}
    libraries = os.environ.get("LD_LIBRARY_PATH")
    return found | ({"LD_LIBRARY_PATH": libraries} if libraries else {})


def _cpu() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.machine()
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1].strip() if found else platform.machine()


def _driver() -> str:
    program = shutil.which("nvidia-smi")
    if program is None:
        return "unknown"
    command = [program, "--query-gpu=driver_version", "--format=csv,noheader"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False).stdout.split()
    return said[0] if said else "unknown"
