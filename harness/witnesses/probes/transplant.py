"""Probe 4 and 5: another run's artifact in the place of the script's own; the score must be that run's.

Hypothesis: the score is a function of code, artifact and val. Statistic: the claimed line of a run A, of a run B with the
same val and the same training documents in another order, and of A once more, which finds B's artifact wherever it reads
its own back. Decision: the last must print B's numbers. Where it prints A's, the artifact is not what scored; where it
prints others, something else travelled from training to the score: memory, or training data. Both are questions.

Then A runs again with its own artifact, but from the moment it reads that with other training shards: a score that changes,
and does so twice alike, was made with training data. Where the first experiment printed B's score there is nothing to find,
since B's artifact was scored beside A's shards.

The seed stays, or what an evaluation draws at random would differ. Only scripts that read their artifact back are covered.
"""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np

from harness.emulate import WORLD, Run
from harness.exchange import Exchange
from harness.sandbox import ResultError, read_result
from harness.witnesses.probes import facts
from harness.witnesses.probes.artifact import MOST_BYTES, Artifact, artifacts_of
from harness.witnesses.probes.facts import Transplant
from harness.witnesses.probes.laboratory import Laboratory
from harness.witnesses.probes.printed import Line, claimed_line
from harness.witnesses.trace.run import trace_of
from harness.worlds import World
from harness.worlds.retrained import retrained, train_shards

ROUNDING = 2.0
"""Scores that differ by more than so many half digits of their print are not the same."""
APART = 8.0
"""The scores of A and B must differ by so many, for a third to tell which of them it is."""


@dataclasses.dataclass(frozen=True)
class Donor:
    """The run on other training data: its claimed line, what it read back, and where its training shards lie."""

    run: Run
    line: Line
    files: tuple[Artifact, ...]
    shards: tuple[Path, ...]


def transplant(lab: Laboratory) -> Transplant:
    """Run the experiment."""
    run = lab.case.run
    own = _line(lab, run)
    if run is None or own is None:
        return Transplant(facts.NOT_COVERED, "The script did not reach its score.")
    files = artifacts_of(run, lab.case.submission)
    if not files:
        return Transplant(
            facts.NOT_COVERED, "The script was not seen to read back a file that it had written."
        )
    known = Transplant(facts.NOT_COVERED, "", own=own.text)
    donor = _donor(lab)
    if isinstance(donor, str):
        return dataclasses.replace(known, reason=donor)
    known = dataclasses.replace(known, other=donor.line.text)
    why = _hopeless(files, own, donor)
    if why is not None:
        return dataclasses.replace(known, reason=why)
    result, line = _transplanted(lab, known, files, donor)
    if line is None or result.status == facts.CLEAR:
        return result
    return _questioned(lab, result, own, line, donor)


def _donor(lab: Laboratory) -> Donor | str:
    """The run on other training data, or the sentence why there is none."""
    try:
        world = retrained(lab.world, lab.folder / "retrained-world")
    except ValueError as error:
        return f"There is {error}."
    run = lab.run_in(world, None, "retrained")
    line = _line(lab, run)
    if line is None:
        return f"On other training data the script did not reach its score: {run.reason}."
    files = artifacts_of(run, lab.case.submission)
    return Donor(run, line, tuple(files), tuple(train_shards(world)))


def _hopeless(files: list[Artifact], own: Line, donor: Donor) -> str | None:
    """Why the artifact of the other run could tell nothing; None where it can."""
    theirs = {f.name: f.sha256 for f in donor.files}
    if files[0].name not in theirs:
        return f"On other training data no {files[0].name} was read back."
    if theirs[files[0].name] == files[0].sha256:
        return f"On other training data {files[0].name} is the same."
    if equal(own, donor.line, APART):
        return "On other training data the score is the same, so whose artifact was scored could not be told."
    return None


def _transplanted(
    lab: Laboratory, known: Transplant, files: list[Artifact], donor: Donor
) -> tuple[Transplant, Line | None]:
    """The script with the file that the other run read back last; where that is not all that scored, with all of them.

    The first run of it finds what the audit's own run left: where it prints the other score, nothing of that counted
    either. The line is None where nothing can be said.
    """
    theirs = {f.name for f in donor.files}
    both = tuple(f.name for f in files if f.name in theirs)
    line = None
    tries = ((both[:1], True), (both[:1], False), (both, False))
    for names, among in tries if len(both) > 1 else tries[:2]:
        run = _with_other_artifact(lab, names, donor, among=among)
        known, line = dataclasses.replace(known, files=names), _line(lab, run)
        if line is not None and equal(line, donor.line) and _holds(run, donor.run, names):
            known = dataclasses.replace(known, transplanted=line.text, among=among)
            return dataclasses.replace(known, status=facts.CLEAR, reason=_rests_on(names)), line
        if among:
            continue
        if line is None:
            why = f"With the artifact of another run the script did not reach its score: {run.reason}."
            return dataclasses.replace(known, reason=why), None
        if not _holds(run, donor.run, names):
            why = f"In the end {_and(names)} did not hold what was put there."
            return dataclasses.replace(known, reason=why), None
        known = dataclasses.replace(known, transplanted=line.text)
    return known, line


def _with_other_artifact(lab: Laboratory, names: tuple[str, ...], donor: Donor, *, among: bool) -> Run:
    """The run that reads back what the other run wrote: plain files, as `artifacts_of` has seen."""
    assert lab.case.run is not None
    exchange = Exchange(
        tuple(f"/work/{n}" for n in names), {f"/work/{n}": donor.run.out / "work" / n for n in names}
    )
    left = lab.case.run.out / "work" if among else None
    place = f"transplanted-{len(names)}{'-among' if among else ''}"
    return lab.run_in(lab.world, None, place, exchange=exchange, left=left)


def _holds(one: Run, other: Run, names: tuple[str, ...]) -> bool:
    """Whether these files are the same after two runs."""
    try:
        data = [[read_result(r.out / "work", n, max_bytes=MOST_BYTES) for n in names] for r in (one, other)]
    except ResultError:
        return False
    return data[0] == data[1]


def _rests_on(names: tuple[str, ...]) -> str:
    told = f"With {_and(names)} of a run on other training data in its place the script prints the score of that run"
    if len(names) == 1:
        return f"{told}: code, artifact and val make the score."
    return f"{told}, and with {names[0]} alone it does not: the score rests on all of these files."


def _questioned(lab: Laboratory, known: Transplant, own: Line, line: Line, donor: Donor) -> Transplant:
    """A question, where a repeat prints the script's own score again."""
    repeat = _line(lab, lab.repeat())
    if repeat is None or not equal(repeat, own):
        return dataclasses.replace(known, reason="Two runs of the script do not print the same score.")
    told = f"With {_and(known.files)} of a run on other training data in its place the script prints"
    if equal(line, own):
        words = f"{told} its own score: what it wrote and read back is not what scored."
    else:
        words = f"{told} neither its own score nor that of the other run: something else travels from training to it."
    result = dataclasses.replace(known, status=facts.DOUBTFUL, reason=words)
    return _without_shards(lab, result, own, donor)


def _without_shards(lab: Laboratory, known: Transplant, own: Line, donor: Donor) -> Transplant:
    """Exchange the training shards when the artifact is read; a score that changes is looked at twice."""
    known = dataclasses.replace(known, shards="unknown")
    printed: list[Line] = []
    balanced = lab.case.trace is not None and lab.case.trace.covers
    for attempt in ("once", "twice"):
        world = dataclasses.replace(lab.world, root=lab.folder / f"without-{attempt}-world")
        shutil.copytree(lab.world.root, world.root, symlinks=True)
        run = lab.run_in(
            world, None, f"without-{attempt}", exchange=_other_shards(known.files[0], world, donor)
        )
        line = _line(lab, run)
        if line is None:
            why = (
                f"With other training shards at evaluation the script did not reach its score: {run.reason}."
            )
            return dataclasses.replace(known, shards_reason=why)
        if not _shards_of(donor, world) or not np.array_equal(world.val_stream(), lab.world.val_stream()):
            return dataclasses.replace(
                known, shards_reason="The shards were not exchanged as they should be."
            )
        trace = trace_of(run, world, lab.case.claim)
        balanced = balanced and trace is not None and trace.covers
        printed.append(line)
        if equal(line, own):
            why = "Other training shards from the moment it reads its artifact do not change the score."
            return dataclasses.replace(known, shards="same", shards_reason=why, without=line.text)
    return _changed(known, own, printed, balanced=balanced)


def _other_shards(artifact: str, world: World, donor: Donor) -> Exchange:
    folder = f"{WORLD}/{world.layout.dataset}"
    return Exchange(
        (f"/work/{artifact}",), {f"{folder}/{path.name}": path for path in donor.shards}, world=True
    )


def _shards_of(donor: Donor, world: World) -> bool:
    """Whether the training shards of a world are those of the other run."""
    return [p.read_bytes() for p in train_shards(world)] == [p.read_bytes() for p in donor.shards]


def _changed(known: Transplant, own: Line, printed: list[Line], *, balanced: bool) -> Transplant:
    """Training data made the score: sure where it happens twice alike and the books balance throughout."""
    known = dataclasses.replace(known, without=printed[0].text)
    if not equal(printed[0], printed[1]):
        return dataclasses.replace(
            known, shards_reason="Two runs with the same shards do not print the same score."
        )
    words = (
        f"From the moment it read {known.files[0]}, the script found other training shards, and it printed another score "
        f"({printed[0].text}) than with its own ({own.text}), twice: it reads training data after its artifact is made."
    )
    return dataclasses.replace(known, shards="changed" if balanced else "doubtful", shards_reason=words)


def _line(lab: Laboratory, run: Run | None) -> Line | None:
    if run is None or run.outcome != "scored":
        return None
    return claimed_line(run, lab.case.claim, lab.case.submission)


def equal(one: Line, other: Line, times: float = ROUNDING) -> bool:
    """Whether two lines print the same loss and BPB, within so many times the rounding of their print."""
    pairs = ((one.loss, other.loss, one.loss_rounding), (one.bpb, other.bpb, one.bpb_rounding))
    return all(
        a == b or (a is not None and b is not None and abs(a - b) <= (times + 0.01) * r) for a, b, r in pairs
    )


def _and(names: tuple[str, ...]) -> str:
    return " and ".join(names[:3])
