"""P4 code of the log: the script that the claimed log embeds is the script that was submitted.

What it does
    Many logs print the whole script before the run. Where the log of a run behind the score does, the embedded text is
    compared line by line with the submitted script; blank lines, indentation and, where little differs, comments do not
    count. The first differing lines are shown. A few changed lines are told only; where a quarter of the lines differ, the
    log is of another program, and a person looks. Where the log embeds nothing, its count of code bytes must not be more
    than the folder's code has. It never fails a submission, and it asks nothing of accepted rows.

Why it breaks the score
    A score belongs to the code that made it. Where that code is not in the pull request, nobody can judge it.

Example
    a log that embeds 1,400 lines with an n-gram cache; a train_gpt.py of 900 lines without one        # review

Legal alternative
    Submit the script that ran. A minified or packed copy is the same program: the packed script is read unpacked.

Rulings
    #724, #945: the submitted script lacks the code that produced the logs, so it could not be judged.
    Merged all the same: 2026-03-19_MLP3x (a tenth of the lines), 2026-04-10_VarLenAttn (comments and flags taken out).
    https://github.com/openai/parameter-golf/pull/724

Since
    0.1.0
"""

from __future__ import annotations

from harness.case import Case, Evidence, Finding, Grade, Status
from rules.papers import accepted, lines, non_record
from rules.registry import rule

_ANOTHER = 0.25
_MOST = 2_000_000  # bytes; a larger count is no count of code
_LARGER = 1.1  # a log's code count that is so many times all code of the folder counts code that is not there


@rule("P4", title="Code of the log", categories=("packaging",), needs=("claims",))
def code_of_the_log(case: Case) -> Finding:
    """Compare the claimed log's script, and name logs of other code."""
    found = case.claims.code if case.claims is not None else ()
    if case.submission.script is None:
        told = "Not covered: there is no script to compare with that of the log."
        return Finding("P4", Status.NOT_COVERED, told, grade=Grade.CLAIM)
    if not found:
        return _by_size(case)
    worst = max(found, key=lambda c: 0.0 if c.same else c.share)
    if worst.same:
        logs = worst.log if len(found) == 1 else f"{len(found)} logs"
        told = f"The script in {logs} is the submitted one."
        return Finding("P4", Status.PASS, told, grade=Grade.CLAIM)
    told = (
        f"{worst.log} embeds a script of {worst.lines:,} lines: {worst.missing:,} of them are not in the submitted script, "
        f"which has {worst.added:,} others."
    )
    others = sum(c.same for c in found)
    if others:
        told += f" {others} of the {len(found)} logs behind the score embed the submitted one."
    if worst.share < _ANOTHER or accepted(case) or non_record(case):
        return Finding("P4", Status.PASS, told, grade=Grade.CLAIM, evidence=worst.diff)
    first = (Evidence(worst.log, 0, ""),) if not worst.diff else ()
    return Finding("P4", Status.REVIEW, told, "packaging", Grade.CLAIM, (*first, *worst.diff))


def _by_size(case: Case) -> Finding:
    """The log's count of code bytes beside the script's; a packed copy may have been counted, so less says nothing."""
    logged = case.claims.artifact.logged_code if case.claims is not None else None
    if case.claims is None or logged is None:
        told = "Not covered: no log of the claimed run embeds its script or counts its bytes."
        return Finding("P4", Status.NOT_COVERED, told, grade=Grade.CLAIM)
    shown, artifact, counted = lines(logged), case.claims.artifact, int(logged.value)
    if counted == artifact.shipped_code:
        told = f"The log counts {counted:,} bytes of code, as the submitted script has."
        return Finding("P4", Status.PASS, told, grade=Grade.CLAIM, evidence=shown)
    told = f"The log counts {counted:,} bytes of code, the submitted script has {artifact.shipped_code:,}"
    script = case.submission.script
    packed = script is not None and bool(
        script.stages
    )  # the log may count the readable text it was packed from
    small = counted <= artifact.all_code * _LARGER or counted > _MOST
    if small or packed or accepted(case) or non_record(case):
        return Finding(
            "P4",
            Status.NOT_COVERED,
            f"Not covered: no log embeds the script. {told}.",
            None,
            Grade.CLAIM,
            shown,
        )
    told += f", and all code of the folder {artifact.all_code:,}: the run had code that is not here."
    return Finding("P4", Status.REVIEW, told, "packaging", Grade.CLAIM, shown)
