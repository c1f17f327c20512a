"""Starts torchrun on a submission or on our scorer, inside the sandbox, and says how it ended."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

from harness.case import Claim, Script, Submission
from harness.emulate import INSIDE, Way, read_text, told
from harness.outcome import classify
from harness.sandbox import Completed, Limits, Mount, ResultError, Sandbox, read_result
from harness.witnesses.rerun.hardware import gpu_environment, gpu_mounts
from harness.witnesses.rerun.nodes import Nodes, Orders
from harness.worlds.fineweb import OfficialData
from harness.worlds.scale import Scale, scale_profile
from harness.worlds.shard_names import data_folders, shard_names

RERUN, WORLD = "/work/.rerun", "/world"
GIB = 2**30
_FACTS = 4 * 2**20
_NOT_FROM_A_README = re.compile(
    r"PATH|HOME|TMPDIR|PYTHON.*|LD_.*|(LOCAL_|GROUP_)?(RANK|WORLD_SIZE)|MASTER_.*|CUDA_.*|NCCL_.*|TORCHELASTIC.*|GLOO_.*"
    r"|BASH.*|IFS|SHELL"
)
_SIGNAL = re.compile(r"exitcode\s*:\s*-(\d+)[^\n]*|Signal (\d+) \(\w+\) received by PID")


@dataclasses.dataclass(frozen=True)
class Place:
    """What every process of a rerun has in common. `seconds` of wall time are given to one; a CPU run is emulated. With
    `attention` PyTorch's stands for flash attention, which is not installed. `processes` are those of all nodes.
    """

    submission: Submission
    script: Script
    claim: Claim
    data: OfficialData
    sandbox: Sandbox
    device: str
    processes: int
    work: Path
    seconds: float
    way: Way = dataclasses.field(default_factory=Way)
    attention: bool = False
    nodes: Nodes = dataclasses.field(default_factory=Nodes)

    @property
    def emulated(self) -> bool:
        """Whether one CPU stands for the GPUs, at small scale."""
        return self.device == "cpu"

    def scale(self) -> Scale | None:
        """The small scale of an emulated run; None on a GPU, where everything is as claimed."""
        if not self.emulated:
            return None
        names = [n for n in self.submission.files if n.endswith(".py") and n != self.script.path]
        helpers = {n: read_text(self.submission.root / n).replace("\r\n", "\n") for n in names}
        environment = self.claim.environment()
        way = self.way
        return scale_profile(
            self.script.runnable,
            environment,
            helpers=helpers,
            shrink=way.shrink,
            keep=way.keep,
            least=way.least,
        )


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a torchrun ended: word and sentence of ``harness.outcome``, times, memory, and the folder of what it left."""

    outcome: str
    reason: str
    completed: Completed
    folder: Path
    printed: str

    @property
    def ok(self) -> bool:
        """Whether every process ended by itself without an error."""
        return self.completed.reason == "exit" and self.completed.returncode == 0


def lay_out(place: Place, folder: Path) -> tuple[str, dict[str, str]]:
    """Fill folder/work with the submission and links to the data; (path of the script inside, settings of the scale)."""
    shutil.rmtree(folder, ignore_errors=True)
    name = place.submission.folder.strip("/") or place.submission.name
    here = _home(place, folder)
    shutil.copytree(place.submission.root, here, symlinks=True)
    scale = place.scale()
    written = {place.script.path: scale.source, **scale.helpers} if scale else {}
    for path, text in written.items():
        (here / path).parent.mkdir(parents=True, exist_ok=True)
        (here / path).write_text(text, encoding="utf-8")
    (folder / "out").mkdir()
    data = folder / "work" / "data"
    link_data(place.script.runnable, place.data, data)
    if not (here / "data").exists():
        (here / "data").symlink_to("/work/data")
    return f"/work/{name}/{place.script.path}", dict(scale.env) if scale else {}


def link_data(source: str, data: OfficialData, folder: Path) -> None:
    """A `data` folder that holds the data set and tokenizer under their own names and those that the script spells out."""
    names = data.layout
    spelled = re.findall(r"fineweb\w*10B\w*", source), re.findall(r"[\w.-]+\.(?:model|json)", source)
    own = (names.dataset, *names.dataset_links), (names.tokenizer, *names.tokenizer_links)
    for kind, real, known, found in zip(
        ("datasets", "tokenizers"), (names.dataset, names.tokenizer), own, spelled, strict=True
    ):
        for name in {*(Path(k).name for k in known), *found}:
            link = folder / kind / name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(f"{WORLD}/{real}")
    shards = [entry.name for entry in data.dataset.iterdir()]
    for name, shard in shard_names(source, shards).items():
        (folder / name).symlink_to(f"{WORLD}/{names.dataset}/{shard}")


def _home(place: Place, folder: Path) -> Path:
    """Where the submission lies."""
    return folder / "work" / (place.submission.folder.strip("/") or place.submission.name)


def torchrun(
    place: Place, folder: Path, module: str, config: dict[str, Any], settings: dict[str, str], workdir: str
) -> Ended:
    """Run `python -m MODULE CONFIG` in every process. `folder` was laid out; `settings` come after the claimed ones."""
    (folder / "out" / "config.json").write_text(json.dumps(config), encoding="utf-8")
    environment = _environment(place, settings)
    if place.nodes.count > 1:
        name = str(folder.relative_to(place.work))
        order = {"folder": name, "module": module, "workdir": workdir, "environment": environment}
        Orders(place.work).give(order)
    completed = _start(place, folder, module, workdir, environment)
    printed = told(folder / "stdout.txt", _home(place, folder), place.submission.files)
    (folder / "told.txt").write_text(printed, encoding="utf-8")
    outcome, reason = classify(
        completed.reason,
        completed.returncode,
        printed,
        read_text(folder / "stderr.txt"),
        script=str(config["script"]),
        label=place.claim.label,
        own_modules={Path(name).parts[0].removesuffix(".py") for name in place.submission.files},
        missing=(),
    )
    if completed.reason == "exit" and completed.returncode != 0:
        outcome, reason = "crashed", _first_death(place, folder, reason)
    return Ended(outcome, reason, completed, folder, printed)


def _start(place: Place, folder: Path, module: str, workdir: str, environment: dict[str, str]) -> Completed:
    """This node's processes; what others than node 0 print lies in files of their own."""
    command = [sys.executable, "-P", "-m", "torch.distributed.run", *place.nodes.arguments()]
    command += ["--max-restarts", "0", "--nproc-per-node", str(place.processes // place.nodes.count)]
    node = f"-node{place.nodes.rank}" if place.nodes.rank else ""
    return place.sandbox.run(
        [*command, "-m", module, f"{RERUN}/config.json"],
        mounts=_mounts(place, folder),
        workdir=workdir,
        env=environment,
        limits=_limits(place),
        stdout=folder / f"stdout{node}.txt",
        stderr=folder / f"stderr{node}.txt",
        network=place.nodes.count > 1,
    )


def obey(place: Place, order: dict[str, Any]) -> None:
    """Start this node's part of what node 0 starts."""
    folder = place.work / order["folder"]
    _start(place, folder, order["module"], order["workdir"], order["environment"])


def _first_death(place: Place, folder: Path, otherwise: str) -> str:
    """The process that failed first, and why; the others were only stopped."""
    failures = [f for r in range(place.processes) if (f := facts(folder, f"failure-{r}.json"))]
    if failures:
        first = min(failures, key=lambda f: float(f.get("time", 0)))
        line = int(first.get("line", 0))
        where = f" at line {line} of the script" if line else ""
        return f"process {first.get('rank')} failed: {first.get('type')}{where}: {str(first.get('message'))[:200]}"
    killed = _SIGNAL.search(read_text(folder / "stderr.txt"))
    if killed:
        return f"a process was killed by signal {killed[1] or killed[2]}"
    return otherwise


def facts(folder: Path, name: str) -> dict[str, Any]:
    """A JSON object that a process left in out/; empty where there is none. A stranger's data."""
    try:
        found = json.loads(read_result(folder / "out", name, _FACTS))
    except (ResultError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _mounts(place: Place, folder: Path) -> list[Mount]:
    names = place.data.layout
    return [
        Mount(INSIDE, "/auditor/inside"),
        Mount(place.data.dataset, f"{WORLD}/{names.dataset}"),
        Mount(place.data.tokenizer, f"{WORLD}/{names.tokenizer}"),
        Mount(folder / "work", "/work", writable=True),
        Mount(folder / "out", RERUN, writable=True),
        *(Mount(folder / "work" / "data", path) for path in data_folders(place.script.runnable)),
        *([] if place.emulated else gpu_mounts()),
    ]


def _environment(place: Place, settings: dict[str, str]) -> dict[str, str]:
    claimed = {k: v for k, v in place.claim.environment().items() if not _NOT_FROM_A_README.fullmatch(k)}
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    fixed = {
        "PYTHONPATH": "/auditor",
        "PYTHONSAFEPATH": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "HOME": "/tmp",
        "WANDB_MODE": "disabled",
        **_interfaces(place.nodes),
    }
    small = {"PYTHONHASHSEED": "0", "TRITON_INTERPRET": "1"} if place.emulated else gpu_environment()
    old = {"TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1"} if place.way.old_load else {}
    return (
        claimed
        | place.data.layout.environment(WORLD, place.data.vocab_size)
        | settings
        | threads
        | small
        | old
        | fixed
    )


def _interfaces(nodes: Nodes) -> dict[str, str]:
    """The network that processes meet on: loopback, or with several machines what the caller names, else their choice."""
    names = ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME")
    if nodes.local:
        return dict.fromkeys(names, "lo")
    return {name: os.environ[name] for name in names if name in os.environ}


def _limits(place: Place) -> Limits:
    if place.emulated:
        return Limits(
            memory_bytes=8 * GIB, wall_s=place.seconds, processes=512, file_bytes=2 * GIB, disk_bytes=8 * GIB
        )
    return Limits(
        memory_bytes=1024 * GIB,
        wall_s=place.seconds,
        processes=32_768,
        file_bytes=64 * GIB,
        output_bytes=64 * 2**20,
        disk_bytes=256 * GIB,
    )
