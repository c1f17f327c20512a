"""How the training data was made: commands and defaults that decide which documents validation takes."""

from __future__ import annotations

import dataclasses
import re

from harness.case import Evidence, Submission
from harness.witnesses.claims.papers import read_text

_CALL = re.compile(r"(prepare_caseops_data|download_hf_docs_and_tokenize|prepare_\w{0,40}data)\.py")
_VAL_DOCS = re.compile(r"--(?:val[-_]docs|num[-_]val[-_]docs)[ =](\d{1,9})")
_RENAMED = re.compile(r"\b(?:ln|cp|mv)\b[^\n]{0,200}fineweb_val_\S{0,40}\s[^\n]{0,200}fineweb_train_")
_TOLD = re.compile(
    r"(?i)\btrain(?:ing)?[ _-]shards?\b[^.\n]{0,40}\b(?:are|is|match\w*|come|were|was|made|built)\b.{0,160}?"
    r"\bval[-_]docs`?\s?=\s?`?(\d{1,3}(?:[_,]?\d{3}){0,2})\b"
)
_TRAINED = re.compile(
    r"(?i)\bval(?:idation)?[- ]only[- ]train\w*|\btrain(?:s|ed|ing)?\b[^.\n]{0,40}\bon (?:the )?(?:val|eval)\w* shards?\b"
    r"|\bTRAIN_FILES=\S{0,200}fineweb_val"
)
_NOT = re.compile(
    r"(?i)\b(?:not?|never|without|nor|neither|none|zero|avoid\w*|forbid\w*|illegal|invalid|unlike)\b|n't\b"
)
_DENIED = re.compile(r"(?i)\b(?:not|never|no|instead|unlike|rather|fix\w*|avoid\w*)\b|50[_,]?000|50k")
_DEFAULT = re.compile(r"--val-docs\"[^\n]{0,120}default\s?=\s?([\d_]{1,12})")


@dataclasses.dataclass(frozen=True)
class Preparation:
    """One call of a data-preparation script; `val_docs` as the call or the script's default says.

    `renamed` is a command that gives a validation shard the name of a training shard. `told` marks a sentence that says
    with how many the training shards were made, where no command does; `trained` one that says that the validation shard
    is what was trained on.
    """

    evidence: Evidence
    val_docs: int | None
    by_default: bool
    renamed: bool = False
    told: bool = False
    trained: bool = False


def preparations(submission: Submission) -> tuple[Preparation, ...]:
    """Calls of preparation scripts in READMEs and run scripts, with the validation documents they set aside."""
    default = _default(submission)
    found = []
    for name in sorted(submission.files):
        if not name.lower().endswith((".md", ".sh")):
            continue
        lines = read_text(submission, name).split("\n")
        for number, line in enumerate(lines, 1):
            if _RENAMED.search(line[:2000]):
                shown = Evidence(name, number, line.strip()[:300])
                found.append(Preparation(shown, None, by_default=False, renamed=True))
            if _trained(line[:2000]):
                shown = Evidence(name, number, line.strip()[:300])
                found.append(Preparation(shown, None, by_default=False, trained=True))
            if _CALL.search(line[:2000]) and re.search(r"\bpython|\.py\s+--", line[:2000]):
                call = " ".join(lines[number - 1 : number + 8]).split(" && ")[0]
                stated = _VAL_DOCS.search(call)
                value = int(stated[1]) if stated else default
                found.append(Preparation(Evidence(name, number, line.strip()[:300]), value, stated is None))
            elif (told := _told(line[:2000])) is not None:
                found.append(Preparation(Evidence(name, number, line.strip()[:300]), told, False, told=True))
    return tuple(found)


def _trained(line: str) -> bool:
    """Whether a line says that the validation shard is the training data, and denies nothing before it says so."""
    match = _TRAINED.search(line)
    return match is not None and _NOT.search(line[max(0, match.start() - 60) : match.end()]) is None


def _told(line: str) -> int | None:
    """The validation documents of a sentence that says how the training shards were made; None where it denies it."""
    match = _TOLD.search(line)
    if match is None or _DENIED.search(match[0]):
        return None
    return int(match[1].replace(",", "").replace("_", ""))


def _default(submission: Submission) -> int | None:
    for name in sorted(submission.files):
        if name.endswith(".py") and _CALL.search(name):
            match = _DEFAULT.search(read_text(submission, name))
            if match:
                return int(match[1].replace("_", ""))
    return None
