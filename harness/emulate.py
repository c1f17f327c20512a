"""The emulated run: one script, at small scale, in the miniature world, inside the sandbox; all that it left."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import sys
from collections.abc import Collection, Sequence
from pathlib import Path

from harness.case import Claim, Script, Submission
from harness.exchange import Exchange
from harness.outcome import classify
from harness.sandbox import Limits, Mount, Sandbox
from harness.worlds import World
from harness.worlds.miniature import miniature
from harness.worlds.scale import Scale, Shrink, scale_profile
from harness.worlds.shard_names import data_folders, shard_names
from harness.worlds.tuning import Tuning

INSIDE = Path(__file__).parent / "inside"
AUDIT = "/work/.audit"
WORLD = "/world"
SEED = 0

_NOT_FROM_A_README = re.compile(
    r"PATH|HOME|TMPDIR|PYTHON.*|LD_.*|(LOCAL_|GROUP_)?(RANK|WORLD_SIZE)|MASTER_.*|CUDA_.*|NCCL_.*|TORCH_.*|TORCHELASTIC.*"
    r"|OMP_NUM_THREADS|MKL_.*|TRITON_.*|BASH.*|IFS|SHELL"
)
_MAY_BE_OUR_SCALE = ("RuntimeError", "ValueError", "AssertionError", "IndexError", "ZeroDivisionError")
_TAIL = 4_000_000
BUSY = 3
"""A run may last so many times its processor time: other work on the machine is not its fault."""


@dataclasses.dataclass(frozen=True)
class WorldSummary:
    """What a report says of the world of a run."""

    name: str
    vocab_size: int
    caseops: bool
    val_tokens: int
    train_tokens: int
    ngram: int


@dataclasses.dataclass(frozen=True)
class Way:
    """One way to run a script: how far it shrinks, which settings stay as claimed (or shrink to `least`), started by
    torchrun or plainly.

    `lazy_annotations` reads annotations as Python 3.14 does (PEP 649): they are not evaluated when a function is defined.
    `old_load` lets torch.load read any pickle, as it did before PyTorch 2.6.
    """

    shrink: Shrink = "small"
    keep: frozenset[str] = frozenset()
    least: int | None = None
    torchrun: bool = True
    lazy_annotations: bool = False
    old_load: bool = False

    def __str__(self) -> str:
        words = {"small": "at the same scale", "mild": "at a milder scale", "full_width": "at full width"}
        size = "as claimed" if self.least is None else f"of {self.least:,}"
        kept = f" with {', '.join(sorted(self.keep))} {size}" if self.keep else ""
        lazy = ", with annotations as in Python 3.14" if self.lazy_annotations else ""
        old = ", with torch.load as before PyTorch 2.6" if self.old_load else ""
        return (
            words[self.shrink] + kept + ("" if self.torchrun else ", started without torchrun") + lazy + old
        )


@dataclasses.dataclass(frozen=True)
class Run:
    """One emulated run. `outcome` is scored, no_score, crashed, timeout, memory, output, missing_package,
    missing_tool, refused; `reason` one sentence. `out` holds stdout.txt, stderr.txt, trace/, and work/ with the files.
    `way` is the way of running it that was used in the end.

    `overrides` lists (name, claimed or default value, value used); `missing` names programs looked for in vain; `notes`
    says what else was done, such as a second attempt at a milder scale.
    """

    outcome: str
    reason: str
    out: Path
    wall_s: float
    overrides: tuple[tuple[str, str, str], ...]
    world: WorldSummary
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    cpu_s: float = 0.0
    way: Way = Way()

    @property
    def stdout(self) -> str:
        """What the script printed."""
        return read_text(self.out / "stdout.txt")


def not_run(reason: str, out: Path) -> Run:
    """What stands for the run of a script that was not run at all, for `reason`."""
    return Run("refused", reason, out, 0.0, (), WorldSummary("none", 0, False, 0, 0, 0))


def emulate(
    submission: Submission,
    claim: Claim,
    out: Path,
    *,
    cache: Path,
    sandbox: Sandbox,
    watch: bool = True,
    seconds: float = 300,
    world: World | None = None,
    tuning: Tuning | None = None,
    left: Path | None = None,
    exchange: Exchange | None = None,
    way: Way | None = None,
) -> Run:
    """Run the submission's script as claimed, at small scale. `out` is a fresh folder; `world` replaces the built-in.

    `seconds` of processor time are given to it. `tuning` is what an experiment changes besides scale; `left` is the work
    folder that an earlier run left; `exchange` are files that get other content while the script runs; `way` is the way
    to run it that is tried first. A run that
    fails in a way our scale or our launcher may have caused is repeated another way, but for one with an exchange. Raises
    ValueError when the submission has no script, SandboxUnavailable when there is no sandbox.
    """
    if submission.script is None:
        raise ValueError(f"{submission.name} has no script to run")
    way = way or Way()
    reasons: list[str] = []
    while way is not None:
        if reasons:
            shutil.rmtree(out)
        run = _attempt(
            submission,
            submission.script,
            claim,
            out,
            cache,
            sandbox,
            watch,
            seconds,
            world,
            tuning,
            left,
            way,
            exchange,
        )
        repeated = other_way(way, run.outcome, run.reason, run.overrides) if exchange is None else None
        tried, way = way, repeated
        if way is not None:
            reasons.append(run.reason)
    if not reasons:
        return run
    if run.outcome == "crashed":
        return dataclasses.replace(run, notes=(f"failed in {len(reasons) + 1} ways of running it",))
    return dataclasses.replace(run, notes=(f"repeated {tried} after {reasons[0]}",))


def other_way(way: Way, outcome: str, reason: str, overrides: Sequence[tuple[str, str, str]]) -> Way | None:
    """Another way to run a script that crashed with `reason`; None where our scale or launcher cannot be why.

    Settings that the message itself names shrink to the least value that it names, or stay as claimed; then everything
    shrinks less.
    """
    if outcome != "crashed":
        return None
    if way.torchrun and re.search(r"DistributedDataParallel|\bDDP\b", reason):
        return dataclasses.replace(way, torchrun=False)
    if not way.old_load and "Weights only load failed" in reason:
        return dataclasses.replace(way, old_load=True)
    if not way.lazy_annotations and reason.startswith("NameError"):
        return dataclasses.replace(way, lazy_annotations=True)
    if not reason.startswith(_MAY_BE_OUR_SCALE):
        return None
    words = set(re.findall(r"[a-z_]\w*", reason.partition(": ")[2].lower()))
    named = {name.lower() for name, _, _ in overrides} & words
    if named and not way.keep:
        least = re.search(r">=\s?(\d{1,9})\b", reason)
        return dataclasses.replace(way, keep=frozenset(named), least=int(least[1]) if least else None)
    if way.least is not None:
        return dataclasses.replace(way, least=None)
    milder: dict[Shrink, Shrink] = {"small": "mild", "mild": "full_width"}
    return dataclasses.replace(way, shrink=milder[way.shrink]) if way.shrink in milder else None


def _attempt(
    submission: Submission, script: Script, claim: Claim, out: Path, cache: Path, sandbox: Sandbox, watch: bool,
    seconds: float, world: World | None, tuning: Tuning | None, left: Path | None, way: Way,
    exchange: Exchange | None,
) -> Run:  # fmt: skip
    scale = scale_profile(
        script.runnable,
        claim.environment(),
        helpers=_helpers(submission, script),
        shrink=way.shrink,
        keep=way.keep,
        least=way.least,
        tuning=tuning,
    )
    world = world or miniature(
        scale.vocab_size, cache / "worlds", val_tokens=scale.val_tokens, train_tokens=scale.train_tokens,
        caseops=scale.caseops,
    )  # fmt: skip
    place = _lay_out(submission, script, scale, claim, world, out, watch, way, left, exchange)
    completed = sandbox.run(
        [sys.executable, "-P", "-m", "inside.launch", f"{AUDIT}/config.json"],
        mounts=_mounts(script, world, out, writable=exchange is not None and exchange.world),
        workdir=place.workdir,
        env=_environment(claim, scale, world, way),
        limits=Limits(
            memory_bytes=8 * 2**30,
            cpu_s=seconds,
            wall_s=BUSY * seconds,
            processes=64,
            file_bytes=2 * 2**30,
            output_bytes=64 * 2**20,
        ),
        stdout=out / "stdout.txt",
        stderr=out / "stderr.txt",
    )
    missing = _missing(out)
    outcome, reason = classify(
        completed.reason,
        completed.returncode,
        place.printed(out, submission.files),
        read_text(out / "stderr.txt"),
        script=place.script,
        label=claim.label,
        own_modules={Path(name).parts[0].removesuffix(".py") for name in submission.files},
        missing=missing,
    )
    summary = WorldSummary(
        world.name, world.vocab_size, world.caseops, world.val_tokens, world.train_tokens, world.ngram
    )
    return Run(
        outcome,
        reason,
        out,
        completed.wall_s,
        scale.overrides,
        summary,
        missing,
        cpu_s=completed.cpu_s,
        way=way,
    )


@dataclasses.dataclass(frozen=True)
class _Place:
    """Where the script lies inside the sandbox, and which log files it wrote there."""

    workdir: str
    script: str

    def printed(self, out: Path, brought: Collection[str]) -> str:
        """What :func:`told` reads of this run."""
        folder = out / "work" / self.workdir.removeprefix("/work/")
        return told(out / "stdout.txt", folder, brought)


def told(stdout: Path, folder: Path, brought: Collection[str]) -> str:
    """Standard output; where it shows no score, log files too that the script wrote below its folder (those `brought` say
    nothing).
    """
    printed = read_text(stdout)
    if "val_" in printed or "bpb" in printed:
        return printed
    logs = [p for pattern in ("*.txt", "*.log", "logs/*") for p in sorted(folder.glob(pattern))]
    return "\n".join([printed, *(read_text(p) for p in logs if str(p.relative_to(folder)) not in brought)])


def _lay_out(
    submission: Submission, script: Script, scale: Scale, claim: Claim, world: World, out: Path, watch: bool,
    way: Way, left: Path | None, exchange: Exchange | None,
) -> _Place:  # fmt: skip
    """Fill out/work as the sandbox will see it at /work: the submission where it was, the data beside it."""
    folder = submission.folder.strip("/") or submission.name
    here = out / "work" / folder
    if left is not None:
        _carry_over(left, out / "work")
    shutil.copytree(submission.root, here, symlinks=True, dirs_exist_ok=True)
    path = here / script.path
    path.parent.mkdir(parents=True, exist_ok=True)
    for name, text in {script.path: scale.source, **scale.helpers}.items():
        (here / name).write_text(text, encoding="utf-8")
    for name in ("audit", "trace"):
        (out / name).mkdir(parents=True, exist_ok=True)
    _link_data(script.runnable, world, out / "work" / "data")
    if not (here / "data").exists():
        (here / "data").symlink_to("/work/data")
    place = _Place(f"/work/{folder}", f"/work/{folder}/{script.path}")
    config = {
        "script": place.script,
        "argv": [*claim.argv, *scale.argv],
        "watch": watch,
        "torchrun": way.torchrun,
        "lazy_annotations": way.lazy_annotations,
        "trace_dir": f"{AUDIT}/trace",
        "audit_dir": AUDIT,
        "val_stream": f"{WORLD}/val_stream.npy",
        "ngram": world.ngram,
        "bos_id": world.bos_id,
        "vocab_size": world.vocab_size,
        "seed": SEED,
        "clock": {"step_seconds": scale.step_seconds, "steps": scale.steps},
        "exchange": exchange.lay_out(out / "audit" / "exchange", f"{AUDIT}/exchange") if exchange else None,
    }
    (out / "audit" / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return place


def _carry_over(left: Path, work: Path) -> None:
    """Copy the plain files that an earlier run left, but for the data: a stranger's links and pipes stay behind."""
    for folder, folders, files in os.walk(left):
        here = Path(folder)
        place = work / here.relative_to(left)
        place.mkdir(parents=True, exist_ok=True)
        folders[:] = [f for f in folders if not (here / f).is_symlink() and (here != left or f != "data")]
        for name in files:
            if not (here / name).is_symlink() and (here / name).is_file():
                shutil.copyfile(here / name, place / name)


def _helpers(submission: Submission, script: Script) -> dict[str, str]:
    """The other Python files of the submission, by path."""
    names = [n for n in submission.files if n.endswith(".py") and n != script.path]
    return {n: read_text(submission.root / n).replace("\r\n", "\n") for n in names}


def _link_data(source: str, world: World, data: Path) -> None:
    """A `data` folder with the world under its own names and under those that the script spells out."""
    for kind, real in (("datasets", world.layout.dataset), ("tokenizers", world.layout.tokenizer)):
        (data / kind).mkdir(parents=True, exist_ok=True)
        names = {entry.name for entry in (world.root / kind).iterdir()}
        for name in names:
            (data / kind / name).symlink_to(f"{WORLD}/{kind}/{name}")
        pattern = r"fineweb\w*10B\w*" if kind == "datasets" else r"[\w.-]+\.(?:model|json)"
        for name in set(re.findall(pattern, source)) - names:
            (data / kind / name).symlink_to(f"{WORLD}/{real}")
    own = [entry.name for entry in (world.root / world.layout.dataset).iterdir()]
    for name, shard in shard_names(source, own).items():
        (data / name).symlink_to(f"{WORLD}/{world.layout.dataset}/{shard}")


def _mounts(script: Script, world: World, out: Path, *, writable: bool) -> list[Mount]:
    mounts = [
        Mount(INSIDE, "/auditor/inside"),
        Mount(world.root, WORLD, writable),
        Mount(out / "work", "/work", writable=True),
        Mount(out / "audit", AUDIT, writable=True),
        Mount(out / "trace", f"{AUDIT}/trace", writable=True),
    ]
    return mounts + [Mount(world.root, path, writable) for path in data_folders(script.runnable)]


def _environment(claim: Claim, scale: Scale, world: World, way: Way) -> dict[str, str]:
    """The claimed settings, then our scale, then where the data is, then what the emulator needs."""
    claimed = {k: v for k, v in claim.environment().items() if not _NOT_FROM_A_README.fullmatch(k)}
    fixed = {
        "PYTHONPATH": "/auditor",
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "TRITON_INTERPRET": "1",
        "HOME": "/work",
        "WANDB_MODE": "disabled",
    }
    if way.old_load:
        fixed["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"
    return claimed | dict(scale.env) | world.environment(WORLD) | fixed


def _missing(out: Path) -> tuple[str, ...]:
    """Programs that the script looked for in vain, as the emulator noted; the note is a stranger's data."""
    try:
        names = json.loads(read_text(out / "audit" / "missing.json") or "[]")
    except ValueError:
        return ()
    return tuple(str(n)[:80] for n in names[:20]) if isinstance(names, list) else ()


def read_text(path: Path) -> str:
    """The end of a text file that a stranger wrote: never through a link, never more than 4 MB; empty if absent."""
    if path.is_symlink() or not path.is_file():
        return ""
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - _TAIL))
        return stream.read().decode("utf-8", errors="replace")
