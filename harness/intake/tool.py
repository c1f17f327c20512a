"""Whether a script is only a tool beside the one behind the claimed score: an evaluation that was tried, a sweep.

It is one where no command and no text of the submission names it, and another script of the folder has all the words of
the claimed line in its source, which this one has not.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from harness.case import Submission
from harness.witnesses.claims.papers import read_text

_WORD = re.compile(r"[A-Za-z_][A-Za-z_0-9]{3,}")
_COMMON = frozenset(
    ("val_loss", "val_bpb", "eval_time", "train_time", "step_avg", "time", "step", "loss", "stride")
)
_TEXTS = (".md", ".txt", ".sh", ".bash", ".slurm", ".sbatch", ".json", ".log", ".yaml", ".yml")


def tool_beside(submission: Submission, label: str | None) -> str:
    """A sentence that says so, empty for the submission's own script; `label` is the text of the claimed line."""
    script = submission.script
    words = set(_WORD.findall(label or "")) - _COMMON
    if script is None or not words or _has(script.source, words):
        return ""
    path = script.path if script.path in submission.files else PurePosixPath(script.path).name
    others = [n for n in submission.files if n.endswith(".py") and n != path]
    main = next((n for n in sorted(others) if _has(read_text(submission, n), words)), None)
    if main is None or any(_names(submission, n, path) for n in submission.files if n.endswith(_TEXTS)):
        return ""
    return (
        f"the claimed line is printed by {main} and not by this script, which nothing in the submission names"
    )


def _has(source: str, words: set[str]) -> bool:
    """Whether all the words stand in a source."""
    return words <= set(_WORD.findall(source))


def _names(submission: Submission, text: str, path: str) -> bool:
    """Whether a text names a script."""
    return PurePosixPath(path).name in read_text(submission, text)
