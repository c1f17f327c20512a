"""The rules on papers alone (claims witness, nothing run): what they ask of merged records, and which rulings they find."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.bench.rulings import Ruling
from harness.bench.targets import record_folders
from harness.case import Case, Claim, Finding, Status, Submission
from harness.intake import IntakeError, load_pull_request, load_target
from harness.intake.claim import claimed_configuration
from harness.witnesses import claims
from rules.registry import all_rules

CATEGORIES = (
    "packaging", "significance", "artifact_size", "train_time", "eval_time", "gptq_calibration_eval_time", "byte_count",
    "partial_val", "train_val_overlap", "target_gating",
)  # fmt: skip
"""Categories of rulings that papers can show."""

_PAPERS = {"claims", "rerun"}  # a rerun may add to what papers say; without one they speak alone
_LOUD = (Status.FAIL, Status.REVIEW)
Asked = tuple[str, Finding]


def asked(submissions: Sequence[Submission]) -> Iterator[Asked]:
    """(submission, finding) of every rule on papers that fails a submission or asks for a look."""
    for submission in submissions:
        case = Case(submission, Claim(), static_only=True)
        if submission.files:
            claim = claimed_configuration(submission)
            case = Case(submission, claim, claims=claims.examine(submission, claim), static_only=True)
        for rule in all_rules():
            if (
                rule.needs[0] == "claims"
                and set(rule.needs) <= _PAPERS
                and (found := rule.check(case)).status in _LOUD
            ):
                yield submission.name, found


def records(clone: Path, scratch: Path) -> str:
    """A table of what the rules ask of the record folders of the main line."""
    rows = []
    targets = record_folders(clone, scratch)
    for target in targets:
        with tempfile.TemporaryDirectory(dir=scratch) as work:
            rows += [
                f"| {target.key} | {f.rule} | {f.status.value} | {_cell(f.summary)} |"
                for _, f in asked(load_target(Path(target.arguments[0]), Path(work)))
            ]
    head = f"{len(targets)} record folders, {len(rows)} findings that fail or ask:"
    return "\n".join([head, "", "| folder | rule | status | finding |", "|---|---|---|---|", *rows]) + "\n"


def rulings(clone: Path, scratch: Path, labels: Sequence[Ruling]) -> str:
    """A table of the rulings in categories that papers can show: by what the pull request is asked for the same reason."""
    rows, found = [], 0
    chosen = [r for r in labels if r.category in CATEGORIES and r.verdict in ("invalid", "not_ready")]
    for number in sorted({r.pr for r in chosen}):
        try:
            with tempfile.TemporaryDirectory(dir=scratch) as work:
                said = [f for _, f in asked(load_pull_request(clone, number, Path(work)))]
        except IntakeError as error:
            rows.append(f"| #{number} | | | not read: {_cell(str(error))} |")
            continue
        for ruling in {r.category: r for r in chosen if r.pr == number}.values():
            same = sorted({f"{f.rule} {f.status.value}" for f in said if f.category in ruling.categories})
            other = sorted({f"{f.rule} {f.status.value}" for f in said} - set(same))
            found += bool(same)
            cells = (
                f"#{number}",
                f"{ruling.judge}: {ruling.category}",
                ", ".join(same) or "–",
                ", ".join(other),
            )
            rows.append(f"| {' | '.join(cells)} |")
    head = f"{len(rows)} rulings, {found} found for the same reason:"
    return (
        "\n".join([head, "", "| pull request | ruling | same reason | else |", "|---|---|---|---|", *rows])
        + "\n"
    )


def _cell(text: str) -> str:
    return text.replace("|", "/")[:300]
