"""Terminal report of a rerun: what was measured beside what was claimed, and the steps. Markup is never parsed."""

from __future__ import annotations

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.limits import CHALLENGE, Limits
from harness.witnesses.rerun.facts import RerunFacts
from reports import rerun_words
from reports.text import clip
from reports.words import MISSING, count, number


def print_rerun(rerun: RerunFacts, console: Console, limits: Limits = CHALLENGE) -> None:
    """Print one rerun."""
    parts: list[RenderableType] = [Text("Rerun", style="bold"), Text(clip(rerun_words.sentence(rerun), 900))]
    parts += [Text(clip(rerun_words.times(rerun, limits), 400), style="dim"), Text(), _scores(rerun), Text()]
    if rerun.artifact is not None:
        told = f"Artifact {rerun.artifact.name}, {count(rerun.artifact.bytes)} bytes; made again: {rerun.artifact.again}"
        told += f"; loaded in a fresh process: {rerun.artifact.loaded_told}"
        parts.append(Text(clip(told, 500)))
    parts += [_steps(rerun), *(Text(clip(note, 400), style="dim") for note in rerun.notes), Text()]
    console.print(Group(*parts))


def _scores(rerun: RerunFacts) -> Table:
    table = _table("Weights", "Loss", "BPB", "Positions", "How")
    for m in rerun.measured:
        name = rerun_words.WEIGHTS.get(m.weights, m.weights)
        how = clip(m.failed or m.way, 200)
        table.add_row(name, number(m.loss, 6), number(m.bpb, 6), count(m.positions), Text(how))
    for p in rerun.passes:
        name = "The script's own pass" + (" (claimed)" if p.claimed else "")
        how = clip(rerun_words.own_pass(p, rerun.targets), 200)
        table.add_row(name, number(p.loss, 6), number(p.bpb, 6), count(p.positions), Text(how))
    return table


def _steps(rerun: RerunFacts) -> Table:
    table = _table("Step", "Seconds", "Memory", "What came of it")
    for step in rerun.steps:
        seconds = number(step.seconds, 1) if step.done else MISSING
        table.add_row(
            rerun_words.STEPS.get(step.name, step.name),
            seconds,
            rerun_words.mebibytes(step.memory_bytes),
            Text(clip(step.told, 300)),
        )
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
