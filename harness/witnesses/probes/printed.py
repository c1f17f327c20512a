"""The claimed line as the outside sees it: what came out of the sandbox on standard output, standard error or in logs."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from harness.case import Claim, Submission
from harness.emulate import Run, read_text
from harness.witnesses.claims.labels import claimed_test
from harness.witnesses.trace.balance import numbers_of
from harness.witnesses.trace.record import PrintEvent

_VAL_LOSS = re.compile(r"(?i)val\w*?_?loss\w*[\"']?\s*[:=]?\s*([-+]?\d+\.\d+)")
_PLAIN_LOSS = re.compile(r"\bval_loss[:=] ?(\d+\.\d+)")
_BPB = re.compile(
    r"(?i)(?:bpb|bits[ _]per[ _]byte)\w*[\"']?\s*(?:[:=|]|is)?\s*\**([-+]?\d+\.\d+(?:e[-+]?\d+)?)(?![\w.])"
)


@dataclasses.dataclass(frozen=True)
class Line:
    """One printed line: `loss` in nats per token, `bpb` in bits per byte, each with half its last printed digit.

    `fixed` tells that the line was named by the claim beforehand; else it is the last line with a BPB.
    """

    text: str
    loss: float | None
    loss_rounding: float
    bpb: float | None
    bpb_rounding: float
    fixed: bool


def claimed_line(run: Run, claim: Claim, submission: Submission) -> Line | None:
    """The last line of the run that carries the claimed label; where there is none, the last line with a BPB, not fixed.

    Standard output before standard error before the logs that the run wrote. None where no score was printed at all.
    """
    texts = _outputs(run, submission)
    labels = dict.fromkeys([claim.label, None])
    found = (last_line(text, label) for label in labels for text in texts)
    return next((line for line in found if line is not None), None)


def lowest_loss(run: Run, submission: Submission) -> float | None:
    """The lowest loss that any line of the run gives in the form of the challenge's own script, in nats per token; None
    where none does."""
    found = (float(m[1]) for text in _outputs(run, submission) for m in _PLAIN_LOSS.finditer(text))
    return min(found, default=None)


def last_line(text: str, label: str | None) -> Line | None:
    """The last line of a text with this label and a number; without a label, the last line with a BPB."""
    rows = text.split("\n")
    is_claimed = claimed_test(label, rows) if label is not None else None
    for row in reversed(rows):
        if is_claimed is not None and not is_claimed(row):
            continue
        line = read_line(row[:2000], fixed=label is not None)
        if line is not None and (label is not None or line.bpb is not None):
            return line
    return None


def read_line(row: str, *, fixed: bool = True) -> Line | None:
    """The numbers of one line; None where it has neither a loss nor a BPB."""
    plain = numbers_of(PrintEvent(0, 0, row))
    if plain is None:
        return None
    loss, bpb = _VAL_LOSS.search(row), _BPB.search(row)
    loss_text = loss[1] if loss else None if plain.loss is None else _as_printed(row, plain.loss)
    bpb_text = bpb[1] if bpb else None
    if loss_text is None and bpb_text is None:
        return None
    return Line(
        row.strip(),
        float(loss_text) if loss_text else None,
        half_digit(loss_text),
        float(bpb_text) if bpb_text else None,
        half_digit(bpb_text),
        fixed,
    )


def half_digit(number: str | None) -> float:
    """Half a unit of the last printed digit: the true value lies within it. Zero where there is no number."""
    if number is None:
        return 0.0
    digits, _, exponent = number.lower().partition("e")
    decimals = len(digits.partition(".")[2])
    return float(0.5 * 10.0 ** (int(exponent or 0) - decimals))


def _as_printed(row: str, value: float) -> str | None:
    """The text of a number of the line."""
    found = [m[0] for m in re.finditer(r"[-+]?\d+\.\d+", row) if float(m[0]) == value]
    return found[0] if found else None


def _outputs(run: Run, submission: Submission) -> list[str]:
    texts = [run.stdout, read_text(run.out / "stderr.txt")]
    for path in sorted((run.out / "work").rglob("*")):
        if path.suffix in (".txt", ".log") and not _brought(path, run, submission):
            texts.append(read_text(path))
    return texts


def _brought(path: Path, run: Run, submission: Submission) -> bool:
    """Whether a file was there before the run: one that the submission brings."""
    name = path.relative_to(run.out / "work").as_posix()
    return any(name == brought or name.endswith("/" + brought) for brought in submission.files)
