"""Measures the auditor against rulings on real pull requests: confusion by category, wrong FAILs, disagreements."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.bench.batch import Row, run_batch
from harness.bench.targets import pull_requests
from harness.intake import IntakeError

STRONG = ("organizer", "leaderboard", "author")

CODE = (
    "train_on_val_before_score",
    "multi_pass_rescore",
    "ngram_target_in_key",
    "unnormalised_mixture",
    "slot",
    "gptq_calibration_eval_time",
    "val_calibration",
    "byte_count",
    "partial_val",
    "paid_prefix",
    "target_gating",
    "doc_boundary_leak",
)
"""Categories that the code of a submission can show."""

_COLUMNS = ("pr", "judge", "verdict", "category", "categories_all", "evidence")


@dataclasses.dataclass(frozen=True)
class Ruling:
    """One line of the labels: who ruled what on which pull request, and in which words."""

    pr: int
    judge: str
    verdict: str
    category: str
    categories: tuple[str, ...]
    words: str

    @property
    def strong(self) -> bool:
        """Whether an organizer, the leaderboard or the author said so."""
        return self.judge in STRONG


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What the auditor says of one pull request: its worst verdict, and the categories that fail or ask for review."""

    pr: int
    verdict: str
    failed: frozenset[str]
    reviewed: frozenset[str]
    why: str


def read_labels(path: Path) -> list[Ruling]:
    """The rulings of a CSV in the form of rulings_dev.csv. Raises IntakeError when a column is missing."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise IntakeError(f"cannot read the labels: {error}") from error
    missing = [c for c in _COLUMNS if rows and c not in rows[0]]
    if missing or not rows:
        raise IntakeError(f"{path} is no table of rulings: it lacks {', '.join(missing) or 'any row'}.")
    return [
        Ruling(
            int(r["pr"]), r["judge"], r["verdict"], r["category"], tuple(r["categories_all"].split(";")), r["evidence"]
        )
        for r in rows
    ]  # fmt: skip


def measure(clone: Path, labels: Path, work: Path, processes: int = 2, *, full: bool = False) -> str:
    """Audit every labelled pull request (resuming what `work` holds already) and write the report, in Markdown.

    Only the code and the files are read, unless `full`. Raises IntakeError on bad labels or a bad clone.
    """
    rulings = read_labels(labels)
    numbers = sorted({r.pr for r in rulings})
    rows = run_batch(
        pull_requests(clone, numbers), work / "results", processes, [] if full else ["--static-only"]
    )
    return report(rulings, outcomes(rows))


def outcomes(rows: Sequence[Row]) -> dict[int, Outcome]:
    """One outcome for each pull request from the rows of its submissions."""
    order = ("PASS", "REVIEW", "ERROR", "FAIL")
    found: dict[int, Outcome] = {}
    for row in rows:
        number = int(row.target.removeprefix("pr-"))
        failed = frozenset(c for r, c in row.categories.items() if row.rules.get(r) == "fail")
        reviewed = frozenset(c for r, c in row.categories.items() if row.rules.get(r) == "review")
        now = Outcome(number, row.verdict, failed, reviewed, row.why)
        before = found.get(number)
        if before is not None:
            worse = max(before, now, key=lambda o: order.index(o.verdict))
            now = Outcome(
                number, worse.verdict, before.failed | failed, before.reviewed | reviewed, worse.why
            )
        found[number] = now
    return found


def report(rulings: Sequence[Ruling], said: Mapping[int, Outcome]) -> str:
    """Tables and lists in Markdown."""
    parts = []
    for strong, title in ((True, "Organizers, leaderboard, authors"), (False, "Community")):
        chosen = [r for r in rulings if r.strong is strong and r.pr in said]
        parts += [f"## {title}", confusion(chosen, said), valid(chosen, said), disagreements(chosen, said)]
    return "\n\n".join(parts) + "\n"


def confusion(rulings: Sequence[Ruling], said: Mapping[int, Outcome]) -> str:
    """By category: how many rulings `invalid`, how they end here; and in all."""
    head = "| category | invalid | FAIL, same category | FAIL, other | REVIEW | missed | recall | precision |"
    lines = [head, "|---|" + "---:|" * 7]
    total = [0, 0, 0, 0, 0]
    for category in CODE:
        invalid = primary(rulings, category)
        cells = [len(invalid), *counts(invalid, said)]
        total = [a + b for a, b in zip(total, cells, strict=True)]
        if cells[0] or precision(rulings, said, category) != "–":
            lines.append(line(category, cells, precision(rulings, said, category)))
    lines.append(line("all", total, ""))
    return "\n".join(lines)


def primary(rulings: Sequence[Ruling], category: str) -> list[Ruling]:
    """One ruling `invalid` for each pull request whose main reason is this category."""
    return list({r.pr: r for r in rulings if r.verdict == "invalid" and r.category == category}.values())


def counts(invalid: Sequence[Ruling], said: Mapping[int, Outcome]) -> list[int]:
    """FAIL with a category of the ruling, FAIL with another, REVIEW, missed."""
    cells = [0, 0, 0, 0]
    for ruling in invalid:
        cells[ending(ruling, said[ruling.pr])] += 1
    return cells


def ending(ruling: Ruling, outcome: Outcome) -> int:
    """0: FAIL with a category of the ruling, 1: FAIL with another, 2: REVIEW, 3: missed."""
    if set(ruling.categories) & outcome.failed:
        return 0
    if outcome.failed & set(CODE):
        return 1
    return 2 if outcome.reviewed & set(CODE) else 3


def precision(rulings: Sequence[Ruling], said: Mapping[int, Outcome], category: str) -> str:
    """Of the pull requests that fail for this category and were ruled valid or invalid: how many were so ruled."""
    failing = [r for r in rulings if category in said[r.pr].failed and r.verdict in ("valid", "invalid")]
    if not failing:
        return "–"
    right = {r.pr for r in failing if r.verdict == "invalid" and category in r.categories}
    wrong = {r.pr for r in failing if r.verdict == "valid"} - right
    return f"{len(right)}/{len(right) + len(wrong)}" if right or wrong else "–"


def line(name: str, cells: Sequence[int], exact: str) -> str:
    """One line of the confusion table."""
    recall = f"{(cells[1] + cells[2]) / cells[0]:.0%}" if cells[0] else "–"
    return "| " + " | ".join([name, *map(str, cells), recall, exact]) + " |"


def valid(rulings: Sequence[Ruling], said: Mapping[int, Outcome]) -> str:
    """Rulings `valid`: how many fail by the code, by name, and how many are sent to review."""
    numbers = sorted({r.pr for r in rulings if r.verdict == "valid"})
    wrong = [n for n in numbers if said[n].failed & set(CODE)]
    asked = [n for n in numbers if said[n].reviewed & set(CODE) and n not in wrong]
    named = ", ".join(f"#{n} ({', '.join(sorted(said[n].failed & set(CODE)))})" for n in wrong) or "none"
    review = ", ".join(f"#{n}" for n in asked) or "none"
    share = f"{len(asked) / len(numbers):.0%}" if numbers else "–"
    return (
        f"Ruled valid: {len(numbers)}. Wrong FAILs: {named}. Sent to review by the code ({share}): {review}."
    )


def disagreements(rulings: Sequence[Ruling], said: Mapping[int, Outcome]) -> str:
    """Where the two sides differ, in the words of both."""
    lines = ["| pull request | ruling | its words | here | why |", "|---|---|---|---|---|"]
    for ruling in rulings:
        outcome = said[ruling.pr]
        bad = ruling.verdict == "invalid" and ruling.category in CODE and ending(ruling, outcome) != 0
        if bad or (ruling.verdict == "valid" and outcome.failed & set(CODE)):
            here = f"{outcome.verdict} {' '.join(sorted(outcome.failed & set(CODE)))}".strip()
            cells = [
                f"#{ruling.pr}", f"{ruling.judge}: {ruling.verdict} {ruling.category}",
                cell(ruling.words), here, cell(outcome.why),
            ]  # fmt: skip
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def cell(text: str) -> str:
    """Text that fits a cell of a table."""
    return text.replace("|", "/").replace("\n", " ")[:160]
