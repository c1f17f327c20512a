"""Our own score of captured weights: prepares the scorer's files, starts it, and sums what it wrote."""

from __future__ import annotations

import dataclasses
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.witnesses.rerun.facts import Measured
from harness.witnesses.rerun.process import RERUN, Place, facts, lay_out, torchrun
from harness.witnesses.rerun.steps import StepFailed

BATCH = {"cpu": 16, "cuda": 1024}
"""Windows at once to begin with; memory that runs out halves it."""


@dataclasses.dataclass(frozen=True)
class Set:
    """One set of weights to score: the pickled model, and a file of weights that replaces its own (None: as pickled)."""

    name: str
    model: Path
    weights: Path | None = None


def score(
    place: Place, folder: Path, sets: list[Set], length: int, stride: int, batch: int
) -> dict[str, dict[str, Any]]:
    """Score every set; {name: figures of the scorer, its losses file among them}. Raises StepFailed where it broke down."""
    script, settings = lay_out(place, folder)
    chosen = {s.name: _lay_out_set(folder / "out", s, place.data.val_tokens - 1) for s in sets}
    names = place.data.layout
    scale = place.scale()
    config = {
        "script": script,
        "argv": [*place.claim.argv, *(scale.argv if scale else ())],
        "sets": chosen,
        "shards": [[f"/world/{names.dataset}/{p.name}", n] for p, n in place.data.val],
        "notes": RERUN,
        "length": length,
        "stride": stride,
        "batch": batch,
        "vocab": place.data.vocab_size,
        "device": place.device,
        "emulate": place.emulated,
        "attention": place.attention,
        "audit_dir": f"{RERUN}/audit",
    }
    workdir = script.rpartition("/")[0]
    ended = torchrun(place, folder, "inside.rerun.score", config, settings, workdir)
    if not ended.ok:
        raise StepFailed(f"the scorer did not finish: {ended.reason}")
    ranks = [facts(folder, f"score-{r}.json") for r in range(place.processes)]
    return {s.name: _figures([r.get(s.name, {}) for r in ranks]) for s in sets}


def _lay_out_set(out: Path, chosen: Set, targets: int) -> dict[str, str | None]:
    """Put the files of a set where the scorer finds them, and an empty array for its losses."""
    names: dict[str, str | None] = {"weights": None}
    for kind, path in (("model", chosen.model), ("weights", chosen.weights)):
        if path is None:
            continue
        if path.is_symlink() or not path.is_file():
            raise StepFailed(f"{path.name} is missing")
        for file in (path, path.with_name(f"{path.name}.json")):
            if file.is_file() and not file.is_symlink() and not (out / file.name).exists():
                shutil.copyfile(file, out / file.name)
        names[kind] = f"{RERUN}/{path.name}"
    file = out / f"losses-{chosen.name}.npy"
    losses = np.lib.format.open_memmap(file, mode="w+", dtype=np.float32, shape=(targets,))
    losses[:] = np.nan
    losses.flush()
    names["losses"] = f"{RERUN}/{file.name}"
    return names


def _figures(ranks: list[dict[str, Any]]) -> dict[str, Any]:
    """The slowest process's times, the largest memory, the notes of all."""
    failed = next((str(r["failed"])[:300] for r in ranks if "failed" in r), None)
    if failed is not None or not all(ranks):
        return {"failed": failed or "a process of the scorer left no figures"}
    notes = [f"process {i}: {str(n)[:200]}" for i, r in enumerate(ranks) for n in r["notes"][:20]]
    return {
        "seconds_scoring": max(float(r["seconds"]) for r in ranks),
        "preparing_s": max(float(r["preparing_s"]) for r in ranks),
        "memory_bytes": max(int(r["memory_bytes"]) for r in ranks),
        "flops": int(ranks[0]["flops"]),
        "way": str(ranks[0]["way"])[:200],
        "short_head": bool(ranks[0]["short_head"]),
        "notes": notes,
    }


def read_losses(path: Path, targets: int) -> npt.NDArray[np.float32]:
    """The losses [targets] in nats that the scorer wrote, memory-mapped. Raises StepFailed for any other file."""
    if path.is_symlink() or not path.is_file():
        raise StepFailed(f"{path.name} is missing")
    try:
        found: npt.NDArray[np.float32] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise StepFailed(f"{path.name} is no array") from error
    if found.shape != (targets,) or found.dtype != np.float32:
        raise StepFailed(f"{path.name} is {found.dtype} {found.shape}, float32 ({targets},) was laid out")
    return found


def measured(name: str, figures: dict[str, Any], losses: Path, sizes: npt.NDArray[np.int64]) -> Measured:
    """The score of one set: losses summed in float64 over all positions, bytes [targets] from the tokenizer."""
    if "failed" in figures:
        return Measured(name, failed=figures["failed"])
    found = read_losses(losses, sizes.size)
    if np.isnan(found).any() or (found < 0).any():
        bad = int((np.isnan(found) | (found < 0)).sum())
        return Measured(name, failed=f"{bad} of {sizes.size} positions have no loss, or one below zero")
    nats, spelled = float(np.sum(found, dtype=np.float64)), int(sizes.sum())
    way = figures["way"] + (", head on counted positions only" if figures["short_head"] else "")
    return Measured(
        weights=name,
        loss=nats / sizes.size,
        bpb=nats / math.log(2.0) / spelled,
        positions=int(sizes.size),
        bytes=spelled,
        seconds=float(figures["seconds_scoring"]),
        flops=int(figures["flops"]),
        memory_bytes=int(figures["memory_bytes"]),
        way=way,
        notes=tuple(figures["notes"]),
    )
