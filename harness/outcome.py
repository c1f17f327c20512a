"""What became of a run: one word and one sentence, read from its exit, its output and its last traceback."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Sequence

from harness.witnesses.claims.labels import claimed_test

STOPPED = {
    "timeout": ("timeout", "did not finish in the time given to the emulated run"),
    "memory": ("memory", "used more memory than the emulated run is given"),
    "output": ("output", "wrote more output than the emulated run may"),
    "disk": ("output", "wrote more to its work folder than the emulated run may"),
}

_SCORE = re.compile(r"(bpb|val_loss)\W{0,4}\s*\d", re.IGNORECASE)
_NUMBER = re.compile(r"[-+]?\d[\d.,_]*(?:e[-+]?\d+)?")
_FRAME = re.compile(r'^ {2}File "(?P<file>[^"]+)", line (?P<line>\d+)', re.MULTILINE)
_ERROR = re.compile(r"^(?P<type>[A-Za-z_][\w.]*)(?:: (?P<message>.*))?$")
_MODULE = re.compile(r"No module named '([^']+)'")


@dataclasses.dataclass(frozen=True)
class Failure:
    """The last traceback: exception type, message, and the deepest line of the script itself (0 when unknown)."""

    type: str
    message: str
    line: int

    @property
    def sentence(self) -> str:
        """One sentence for a report."""
        where = f" at line {self.line} of the script" if self.line else ""
        return f"{self.type}{where}: {self.message}" if self.message else f"{self.type}{where}"


def failure(stderr: str, script: str) -> Failure | None:
    """The last traceback in stderr; `script` is the path under which the script ran."""
    start = stderr.rfind("Traceback (most recent call last)")
    if start < 0:
        return None
    trace = stderr[start:]
    frames = [int(m["line"]) for m in _FRAME.finditer(trace) if m["file"] == script]
    for line in trace.split("\n")[1:]:
        found = None if line.startswith(" ") else _ERROR.match(line)
        if found:
            message = (found["message"] or "").strip()[:200]
            return Failure(found["type"], message, frames[-1] if frames else 0)
    return None


def score_lines(stdout: str) -> list[str]:
    """The lines that print a loss or a BPB with a number, in order."""
    return [line for line in stdout.split("\n") if _SCORE.search(line)]


def has_label(stdout: str, label: str) -> bool:
    """Whether a line of the output is the claimed one: the same words once the numbers are taken out."""
    wanted, lines = _words(label), score_lines(stdout)
    is_claimed = claimed_test(label, lines)
    return any(wanted <= _words(line) or is_claimed(line) for line in lines)


def _words(line: str) -> set[str]:
    return set(re.findall(r"[A-Za-z_][\w./-]*", _NUMBER.sub(" ", line)))


def classify(
    reason: str, returncode: int, stdout: str, stderr: str, *, script: str, label: str | None,
    own_modules: Collection[str], missing: Sequence[str],
) -> tuple[str, str]:  # fmt: skip
    """(outcome, sentence). `reason` is the sandbox's; `own_modules` are modules that the submission itself brings."""
    if reason in STOPPED:
        return STOPPED[reason]
    scores = score_lines(stdout)
    claimed = label is not None and has_label(stdout, label)
    if reason == "exit" and returncode == 0:
        return _finished(scores, claimed, label, missing)
    failed = failure(stderr, script)
    if failed is None:
        word = (
            f"ended with exit code {returncode}"
            if reason == "exit"
            else f"was killed by signal {-returncode}"
        )
        return "crashed", f"{word} and left no traceback"
    if claimed:
        return "scored", f"printed the claimed line and failed afterwards: {failed.sentence}"
    module = _MODULE.search(failed.message) if failed.type == "ModuleNotFoundError" else None
    if module and module[1].split(".")[0] not in own_modules:
        return "missing_package", f"needs the package {module[1].split('.')[0]}, which is not installed"
    if failed.type in ("FileNotFoundError", "PermissionError") and any(
        tool in failed.message for tool in missing
    ):
        return "missing_tool", f"needs the program {missing[-1]}, which is not installed"
    return "crashed", failed.sentence


def _finished(scores: list[str], claimed: bool, label: str | None, missing: Sequence[str]) -> tuple[str, str]:
    if claimed:
        return "scored", "ran to its end and printed the claimed line"
    if scores and label is None:
        return "scored", "ran to its end and printed a score"
    if scores:
        return "scored", f"ran to its end and printed a score, but not the claimed line '{label}'"
    if missing:
        return "missing_tool", f"ran to its end without a score; it looked in vain for {', '.join(missing)}"
    return "no_score", "ran to its end without printing a score"
