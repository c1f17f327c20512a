"""The script's own process: whole, or only its tail on given float weights, or on a given artifact."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

from harness.witnesses.rerun.passes import adapts
from harness.witnesses.rerun.process import RERUN, Ended, Place, facts, lay_out, torchrun
from harness.witnesses.rerun.steps import StepFailed, sizes
from harness.witnesses.rerun.weights import Array, WeightsError, read_weights
from harness.worlds.scale_source import numbers

STEP_NAMES = ("iterations", "num_iterations", "max_steps", "train_steps", "num_steps")
WARM_UP = ("warmup_steps", "warmup_iters")
FILES = (
    "artifact.bin", "float.safetensors", "float.pt", "float.pt.json", "decoded.safetensors", "decoded.pt",
    "decoded.pt.json",
)  # fmt: skip


def run(place: Place, folder: Path, *, give: Path | None, untrained: bool = False) -> dict[str, Any]:
    """The script as claimed; with `give` it trains one step and loads that artifact, `untrained` it trains one step. A
    result for ``Steps.do``.
    """
    ended = _start(place, folder, give=give, floats=None, untrained=untrained)
    first = facts(folder, "facts-0.json")
    read = first.get("read_back")
    scale = place.scale()
    calls = [f"run/out/calls-{r}.bin" for r in range(place.processes)]
    return {
        "outcome": ended.outcome,
        "adapts": adapts(folder / "out" / "calls-0.bin"),
        "reason": ended.reason,
        "artifact": _artifact(read[-1]) if isinstance(read, list) and read else None,
        "times": {str(k)[:40]: float(v) for k, v in first.get("times", {}).items()},
        "memory_bytes": max(
            [int(facts(folder, f"facts-{r}.json").get("memory_bytes", 0)) for r in range(place.processes)]
        ),
        "notes": [str(n)[:300] for n in first.get("notes", [])],
        "overrides": [list(o) for o in scale.overrides] if scale else [],
        "files": sizes(folder.parent, *calls, *(f"run/out/{n}" for n in FILES), "run/told.txt"),
    }


def _artifact(entry: Any) -> dict[str, Any]:
    return {
        "name": str(entry["name"])[:200],
        "bytes": int(entry["bytes"]),
        "sha256": str(entry["sha256"])[:64],
    }


def again(place: Place, folder: Path, floats: Path, artifact: Path, *, whole: bool = False) -> dict[str, Any]:
    """The script's tail on the captured float weights, and its artifact beside the first one. One training step is taken
    before it, `whole`: all of them.
    """
    try:
        ended = _start(place, folder, give=None, floats=floats, whole=whole)
    except StepFailed as failed:
        return {"told": f"not made again: {failed}"}
    made = folder / "out" / "artifact.bin"
    if made.is_symlink() or not made.is_file() or not artifact.is_file():
        return {"told": f"not made again: {ended.reason}"}
    old, new = artifact.read_bytes(), made.read_bytes()
    if old == new:
        return {"told": "identical"}
    same = sum(a == b for a, b in zip(old, new, strict=False))
    return {
        "told": f"another artifact: {len(new):,} bytes for {len(old):,}, {same / max(len(old), 1):.1%} of the bytes agree"
    }


def load(
    place: Place, folder: Path, artifact: Path, name: str, scored: Path, *, whole: bool = False
) -> dict[str, Any]:
    """Whether a fresh process that reads `artifact` under its `name` comes to the weights that scored; why not. It has
    trained one step before, `whole`: all of them.
    """
    if not artifact.is_file() or not scored.is_file():
        return {
            "same": None,
            "told": "not loaded again: the artifact or the weights that scored were not kept",
        }
    try:
        ended = _start(place, folder, give=artifact, floats=None, named=name, stop="score", whole=whole)
    except StepFailed as failed:
        return {"same": None, "told": f"not loaded again: {failed}"}
    made = folder / "out" / "decoded.safetensors"
    if not made.is_file() or not facts(folder, "facts-0.json").get("read_back"):
        return {"same": None, "told": f"not loaded again: {ended.reason}"}
    try:
        before, after = read_weights(scored), read_weights(made)
    except WeightsError as error:
        return {"same": None, "told": f"not loaded again: {error}"}
    other = [n for n in sorted(before.keys() | after.keys()) if not _equal(before.get(n), after.get(n))]
    if not other:
        return {"same": True, "told": f"the very weights that scored, {len(before)} tensors to the bit"}
    told = (
        f"other weights than those that scored: {len(other)} of {len(before)} tensors, {other[0][:100]} first"
    )
    return {"same": False, "told": told}


def _equal(one: Array | None, other: Array | None) -> bool:
    if one is None or other is None or one.shape != other.shape or one.dtype != other.dtype:
        return False
    return one.tobytes() == other.tobytes()


def alone(place: Place, folder: Path, *, hooked: bool, untrained: bool) -> Ended:
    """The script whole, with or without the hooks: what they cost is the difference."""
    return _start(place, folder, give=None, floats=None, hooked=hooked, untrained=untrained)


def _start(
    place: Place, folder: Path, *, give: Path | None, floats: Path | None, hooked: bool = True,
    named: str | None = None, stop: str = "", untrained: bool = False, whole: bool = False,
) -> Ended:  # fmt: skip
    """`give` takes the place of the artifact (of the file `named`, else of each that is read back)."""
    script, settings = lay_out(place, folder)
    scale = place.scale()
    argv = [*place.claim.argv, *(scale.argv if scale else ())]
    if untrained or ((give or floats) and not whole):
        variables, options = _no_training(place)
        settings |= variables
        argv += options
    for path, name in ((give, "given.bin"), (floats, "given.safetensors")):
        if path is not None:
            shutil.copyfile(path, folder / "out" / name)
    config = {
        "script": script,
        "argv": argv,
        "folder": RERUN,
        "work": "/work",
        "emulate": place.emulated,
        "attention": place.attention,
        "audit_dir": f"{RERUN}/audit",
        "seed": 0,
        "clock": {"step_seconds": scale.step_seconds, "steps": scale.steps} if scale else {},
        "lazy_annotations": place.way.lazy_annotations,
        "give": f"{RERUN}/given.bin" if give else None,
        "floats": f"{RERUN}/given.safetensors" if floats else None,
        "named": named,
        "stop": "read" if floats is not None else stop,
        "hooked": hooked,
    }
    return torchrun(place, folder, "inside.rerun.launch", config, settings, script.rpartition("/")[0])


def _no_training(place: Place) -> tuple[dict[str, str], list[str]]:
    """Settings and options that leave one training step. Raises StepFailed where the script takes no number of steps."""
    variables: dict[str, str] = {}
    options: list[str] = []
    found = numbers(place.script.runnable, place.claim.environment())
    for number in found:
        if number.name not in (*STEP_NAMES, *WARM_UP):
            continue
        if number.variable:
            variables[number.variable] = "1"
        elif number.option:
            options += [number.option, "1"]
    names = {n.name for n in found if n.variable or n.option}
    if not names & set(STEP_NAMES):
        raise StepFailed("the script takes no number of training steps from outside")
    return variables, options


def fingerprint(path: Path | None) -> str | None:
    """The SHA-256 of a file; None where there is none."""
    if path is None or not path.is_file():
        return None
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 22):
            digest.update(block)
    return digest.hexdigest()
