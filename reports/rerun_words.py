"""How every format tells of a rerun: what was reproduced, on which hardware, within which tolerance."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from harness.limits import CHALLENGE, Limits
from harness.witnesses.rerun.facts import OwnPass, RerunFacts
from reports.words import MISSING, count, number, plural

WEIGHTS = {
    "decoded": "Decoded from the artifact",
    "float": "Float, before quantization",
    "int8": "Yardstick int8 per row, zlib",
    "int6": "Yardstick int6 per row, zstd",
}
STEPS = {
    "run": "The script, whole",
    "again": "Quantized again",
    "again after training": "Quantized again, all steps",
    "load": "Artifact, fresh process",
    "load after training": "Artifact, after all steps",
    "yardsticks": "Reference quantizers",
    "score": "Our sliding windows",
    "passes": "Its own passes, rebuilt",
}


@dataclasses.dataclass(frozen=True)
class Quantizer:
    """One row of the table of quantizers. `cost` is its BPB above that of the float weights."""

    name: str
    bytes: int | None
    bits: float | None
    relative: float | None
    cost: float | None


def sentence(rerun: RerunFacts) -> str:
    """What became of the claimed score."""
    claimed = rerun.claimed
    if claimed.measured is None:
        return f"Nothing was measured: {rerun.outcome.reason}."
    told = f"Measured {number(claimed.measured, 6)} BPB ({claimed.source})"
    if rerun.machine.emulated:
        return (
            f"{told}. This is the small scale of an emulated run: not comparable with the claimed "
            f"{number(claimed.bpb, 6)} BPB, and nothing here was measured on a GPU."
        )
    if claimed.bpb is None:
        return f"{told}; no score is claimed."
    difference = claimed.measured - claimed.bpb
    within = "within" if abs(difference) <= claimed.tolerance else "NOT within"
    if within == "NOT within" and not claimed.comparable:
        return (
            f"{told}, claimed {number(claimed.bpb, 6)}: {difference:+.6f}. Not comparable: it was trained on "
            f"{rerun.machine.hardware}, not on 8xH100, where the same seconds hold another number of steps."
        )
    return (
        f"{told}, claimed {number(claimed.bpb, 6)}: {difference:+.6f}, {within} the tolerance of "
        f"{number(claimed.tolerance, 6)} ({claimed.tolerance_from})."
    )


def times(rerun: RerunFacts, limits: Limits = CHALLENGE) -> str:
    """The script's own clocks against the limits; a pass or a fail only on the challenge's hardware."""
    train, evaluated = rerun.outcome.train_s, rerun.outcome.eval_s
    clocks = f"By the script's own clocks: training {_seconds(train)}, evaluation {_seconds(evaluated)}."
    if rerun.machine.emulated:
        return f"{clocks} The clock of an emulated run is virtual: no pass and no fail on time."
    if not rerun.machine.official:
        return f"{clocks} Measured on {rerun.machine.hardware}, not on 8xH100: no pass and no fail on time."
    held = (("training", train, limits.train_seconds), ("evaluation", evaluated, limits.eval_seconds))
    late = [f"{name} over {limit:g} s" for name, taken, limit in held if taken is not None and taken > limit]
    most = " and ".join(dict.fromkeys(f"{limit:g} s" for _, _, limit in held))
    return f"{clocks} " + (f"Too long: {', '.join(late)}." if late else f"Within {most}.")


def own_pass(found: OwnPass, targets: int) -> str:
    """A pass of the script's own: do its books balance, which of the `targets` does it leave out, was anything trained on
    before it was scored?
    """
    told = []
    if found.loss is not None and found.printed_loss is not None:
        told.append(f"printed loss {number(found.printed_loss, 6)}")
    told.append(f"{plural(found.score_calls, 'scoring call')}, {plural(found.train_calls, 'training call')}")
    if found.positions < targets:
        told.append(f"{count(targets - found.positions)} of {count(targets)} targets not seen")
    if found.train_calls:
        told.append(f"{plural(found.steps, 'step')}")
        told.append(f"gradients before the score: {count(found.trained_before)} positions")
    if found.coarse:
        told.append("losses known as means of calls")
    return "; ".join(told)


def quantizers(rerun: RerunFacts) -> list[Quantizer]:
    """The submission's quantization, then the yardsticks."""
    scores = {m.weights: m.bpb for m in rerun.measured if m.bpb is not None}
    base = scores.get("float")

    def cost(name: str) -> float | None:
        return scores[name] - base if base is not None and name in scores else None

    own = rerun.quantization
    rows = []
    if own is not None:
        size = rerun.artifact.bytes if rerun.artifact else None
        rows.append(
            Quantizer("The submission's own", size, own.bits_per_weight, own.relative, cost("decoded"))
        )
    for y in rerun.yardsticks:
        rows.append(
            Quantizer(
                f"{y.name} per row, {y.compressor}", y.bytes, y.bits_per_weight, y.relative, cost(y.name)
            )
        )
    return rows


def overrides(changed: Sequence[tuple[str, str, str]]) -> str:
    """What the small scale changed, name by name."""
    return ", ".join(f"{name} {was} to {used}" for name, was, used in changed)


def mebibytes(size: int) -> str:
    """Bytes as MiB; a dash where they were not measured."""
    return f"{size / 2**20:,.0f} MiB" if size else MISSING


def _seconds(value: float | None) -> str:
    return "not stated" if value is None else f"{value:.1f} s"
