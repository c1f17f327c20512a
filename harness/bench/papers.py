"""The rules on papers alone (claims witness, nothing run): what they ask of merged records, and which rulings they find."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.bench.rulings import Ruling
from harness.bench.targets import pull_request_numbers, record_folders
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


def heads(clone: Path, scratch: Path, wanted: Sequence[range]) -> str:
    """Tables of the rules on papers at pull requests: heads failed or asked by each rule, and every FAIL."""
    counts: Counter[tuple[str, Status]] = Counter()
    fails, unread, loud = [], [], 0
    numbers = [n for n in pull_request_numbers(clone) if any(n in r for r in wanted)]
    for number in numbers:
        try:
            with tempfile.TemporaryDirectory(dir=scratch) as work:
                said = list(asked(load_pull_request(clone, number, Path(work))))
        except IntakeError as error:
            unread.append(f"#{number} was not read: {_cell(str(error))}")
            continue
        loud += bool(said)
        counts.update({(f.rule, f.status) for _, f in said})
        fails += [(number, name, f) for name, f in said if f.status is Status.FAIL]
    rows = [
        f"| {rule} | {counts[rule, Status.FAIL]} | {counts[rule, Status.REVIEW]} |"
        for rule in sorted({rule for rule, _ in counts})
    ]
    told = [f"| #{n} | {_cell(name)} | {f.rule} | {_cell(f.summary)} |" for n, name, f in fails]
    head = f"{len(numbers)} heads, {loud} with a FAIL or a question, {len({n for n, _, _ in fails})} with a FAIL:"
    parts = [head, "", "| rule | FAIL | asked |", "|---|---:|---:|", *rows, ""]
    parts += ["| pull request | submission | rule | FAIL |", "|---|---|---|---|", *told, *unread]
    return "\n".join(parts) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "/")[:300]
