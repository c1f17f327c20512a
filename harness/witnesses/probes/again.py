"""Probe 6: run the script again among the files that it left; its score must be the same.

Hypothesis: the score follows from code and data. Statistic: the numbers of the claimed line in a first run, and in a second
one that finds what the first wrote. Decision: other numbers, where a second run in an empty folder prints the first ones
again, are a question to a reviewer: state was carried over. It is no proof, since resuming from a checkpoint is honest.
"""

from __future__ import annotations

from harness.emulate import Run
from harness.witnesses.probes import facts
from harness.witnesses.probes.facts import Again, Transplant
from harness.witnesses.probes.laboratory import Laboratory
from harness.witnesses.probes.printed import Line, claimed_line


def again(lab: Laboratory, moved: Transplant | None = None) -> Again:
    """Run the experiment. Where a run with another artifact found all that the first had left and printed the score of that
    artifact, as in an empty folder, `moved` has shown already that nothing else of it counts."""
    run = lab.case.run
    first = _line(lab, run)
    if moved is not None and moved.status == facts.CLEAR and moved.among:
        words = "A run among the files of the first, with another artifact, prints the score of that: nothing else counted."
        return Again(facts.CLEAR, words, moved.own, moved.transplanted)
    if run is None or first is None:
        return Again(facts.NOT_COVERED, "The script did not reach its score.")
    second = _line(lab, lab.run_in(lab.world, None, "again", left=run.out / "work"))
    if second is None:
        return Again(
            facts.NOT_COVERED, "Among the files of its first run the script did not reach its score."
        )
    if same(first, second):
        words = "A second run among the files of the first prints the same score."
        return Again(facts.CLEAR, words, first.text, second.text)
    fresh = _line(lab, lab.repeat())
    if fresh is None or not same(first, fresh):
        return Again(
            facts.NOT_COVERED,
            "Two runs in empty folders do not print the same score.",
            first.text,
            second.text,
        )
    words = f"A second run that finds the files of the first prints another score: {first.text}, then {second.text}."
    return Again(facts.DOUBTFUL, words, first.text, second.text)


def _line(lab: Laboratory, run: Run | None) -> Line | None:
    if run is None or run.outcome != "scored":
        return None
    return claimed_line(run, lab.case.claim, lab.case.submission)


def same(one: Line, other: Line) -> bool:
    """Whether two lines print the same loss and BPB."""
    return (one.loss, one.bpb) == (other.loss, other.bpb)
