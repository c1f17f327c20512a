"""P1 packaging: a submission brings a README, a submission.json, a training log and a script that Python reads.

What it does
    Looks for the four files in the submission's folder and reads submission.json and the script. A package that the script
    imports at its top, and that neither the challenge's requirements nor any paper of the folder names, is asked for
    where no log shows that it ran. A script that lies outside its record folder is asked for too; where the change brings
    no record folder at all, that is P3's question and no papers are missed. What lies in the non-record track, or is
    called a non-record by its own papers, may come without a log, but not where its README lists one that is not there.
    It never fails a submission: a missing paper is put right in a minute, and then the audit can be run again.

Why it breaks the score
    It does not; but without the log nobody can tell whether the claimed run took place.

Example
    a record folder without any train log                                        # review

Legal alternative
    Add the missing file. Names may differ: merged records carry train_gpt_v5.py and submission_ternary.json.

Rulings
    README of the challenge: one folder under records/ with README.md, submission.json, train log and train_gpt.py.
    #8, #15: no log. #432: an import of tensorboard, which nothing installs. 2026-03 #505 #656 #674: no submission.json,
    no logs. Non-record work was merged without a log.
    https://github.com/openai/parameter-golf#readme

Since
    0.1.0
"""

from __future__ import annotations

from harness.case import Case, Finding, Grade, Status, Submission
from harness.witnesses.claims import Packaging
from rules.papers import non_record
from rules.registry import rule


@rule("P1", title="Packaging", categories=("packaging",), needs=("claims",))
def packaging(case: Case) -> Finding:
    """Name what is missing; a missing log or submission.json stops only a record."""
    if case.submission.alone:
        return Finding("P1", Status.NOT_APPLICABLE, "One script was named, not its folder.")
    if case.claims is None:
        return Finding(
            "P1", Status.NOT_COVERED, "Not covered: nothing of what the submission states was read."
        )
    if _elsewhere(case.submission):
        told = "It lies outside records/, where a submission belongs (P3): no papers are asked for here."
        return Finding("P1", Status.NOT_APPLICABLE, told)
    if _bare(case.submission, case.claims.packaging):
        told = "The folder lies outside records/ and holds code alone: a record needs README, submission.json and log."
        return Finding("P1", Status.NOT_APPLICABLE, told)
    record, scores = not non_record(case), case.submission.script is not None
    missing, notes = _missing(case.claims.packaging, record=record, scores=scores)
    if case.submission.script_from is not None:
        where = case.submission.script_from or "the top level"
        missing.append(f"its script: that lies in {where}, outside the record folder")
    if not record and case.submission.track == "record":
        notes.append("the papers call it a non-record, its folder lies in the record track")
    if missing:
        told = f"The submission lacks {_list(missing)}."
        if case.submission.origin.merged:
            told = f"{told.removesuffix('.')} (merged all the same)."
            return Finding("P1", Status.PASS, told, grade=Grade.CLAIM)
        return Finding("P1", Status.REVIEW, told, "packaging", Grade.CLAIM)
    told = "README, submission.json, log and script are there."
    if notes:
        told = f"Nothing that must be there is missing ({'; '.join(notes)})."
    return Finding("P1", Status.PASS, told, grade=Grade.CLAIM)


def _elsewhere(submission: Submission) -> bool:
    """Whether a change brings it outside records/ and no record folder at all: P3 asks for that."""
    change = submission.origin.change
    return change is not None and not change.folders and not submission.folder.startswith("records/")


def _bare(submission: Submission, found: Packaging) -> bool:
    """Whether a local folder is no submission yet: outside the challenge's layout, with none of the papers."""
    papers = found.readme or found.submission_json is not None or found.log_names
    return submission.origin.pull_request is None and submission.track == "unknown" and not papers


def _missing(found: Packaging, *, record: bool, scores: bool) -> tuple[list[str], list[str]]:
    """(what a maintainer would ask for, what is only worth a note); `scores` says that there is a script that does."""
    missing: list[str] = []
    notes: list[str] = []
    if not found.readme:
        missing.append("a README")
    if found.submission_json is None:
        unread = next((n for n in found.unread if n.lower().endswith(".json")), None)
        told = f"a readable {unread}, which was left out" if unread else "a submission.json"
        (missing if record else notes).append(told if record else "no submission.json")
    elif not found.json_valid:
        missing.append(f"a {found.submission_json} that is valid JSON")
    if found.json_valid and found.fields_missing:
        notes.append(f"{found.submission_json} has no {', '.join(found.fields_missing)}")
    if found.fields_mistyped:
        notes.append(f"{', '.join(found.fields_mistyped)} in {found.submission_json}: not of the usual type")
    if not found.parses:
        told = "script that Python reads" if scores else "script that scores"
        (missing if record or scores else notes).append(f"a {told}" if record or scores else f"no {told}")
    if found.unnamed:  # a log shows that the run had it
        told = f"a word on where {_list(list(found.unnamed))} comes from, which the script imports"
        (notes if found.logs_with_score else missing).append(
            f"no {told.removeprefix('a ')}" if found.logs_with_score else told
        )
    if found.listed:
        notes.append(f"the README lists {_list(list(found.listed[:4]))}, which is not there")
    promised = [n for n in found.listed if n.endswith((".log", ".txt"))]
    if not found.log_names and promised:
        missing.append(f"the training log that its README lists ({promised[0]})")
    elif not found.log_names:
        (missing if record else notes).append("a training log" if record else "no training log")
    elif not found.logs_with_score:
        (missing if record else notes).append(
            "a training log that states a score" if record else "no log states a score"
        )
    return missing, notes


def _list(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
