"""Measures the auditor against rulings on real pull requests: confusion by category, wrong FAILs, disagreements."""

from __future__ import annotations

import csv
import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from scipy.stats import binomtest

from harness.bench.batch import Row, row_of, run_batch
from harness.bench.targets import pull_requests
from harness.intake import IntakeError
from harness.sweep import Store

GROUPS = (
    (("organizer",), "Organizers"),
    (("leaderboard", "author"), "Leaderboard and authors"),
    (("community",), "Community (weaker evidence)"),
)
"""Sections of the report: judges, title."""

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

ENDINGS, MISSED = 5, 4
WORD = re.compile(r"[a-z]{5,}")

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


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What the auditor says of one pull request: its worst verdict, and the categories that fail or ask for review."""

    pr: int
    verdict: str
    failed: frozenset[str]
    reviewed: frozenset[str]
    why: str


class Named(Protocol):
    """Whatever has the name of a submission."""

    @property
    def name(self) -> str:
        """Folder and script."""


N = TypeVar("N", bound=Named)


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


def measure(
    clone: Path, labels: Path, work: Path, processes: int = 2, *, full: bool = False, most: int = 3
) -> str:
    """Audit every labelled pull request (resuming what `work` holds already) and write the report, in Markdown.

    Only the code and the files are read, unless `full`: then so many as `most` submissions of each are run as well.
    Raises IntakeError on bad labels or a bad clone.
    """
    rulings = read_labels(labels)
    numbers = sorted({r.pr for r in rulings})
    extra = ["--most", str(most)] if full else ["--static-only"]
    place = work / ("full" if full else "static")
    return report(
        rulings, outcomes(run_batch(pull_requests(clone, numbers), place, processes, extra), rulings)
    )


def swept(db: Path, labels: Path) -> str:
    """The same report on what a sweep has in its database; pull requests without a row there are named at its end.

    Raises IntakeError on bad labels, or where `db` is no database of a sweep.
    """
    rulings = read_labels(labels)
    numbers = {r.pr for r in rulings}
    store = Store(db, create=False)
    try:
        rows = [row_of(f"pr-{r.number}", d) for r in store.rows() if r.number in numbers for d in r.documents]
    finally:
        store.close()
    return report(rulings, outcomes(rows, rulings))


def outcomes(rows: Sequence[Row], rulings: Sequence[Ruling] = ()) -> dict[int, Outcome]:
    """One outcome for each pull request: the worst of its submissions, of those that its rulings name where they do."""
    found: dict[int, Outcome] = {}
    by_number: dict[int, list[Row]] = {}
    for row in rows:
        by_number.setdefault(int(row.target.removeprefix("pr-")), []).append(row)
    for number, own in by_number.items():
        words = " ".join(r.words for r in rulings if r.pr == number)
        for row in meant(own, words):
            found[number] = worse(found.get(number), outcome_of(number, row))
    return found


def meant(rows: Sequence[N], words: str) -> Sequence[N]:
    """The submissions that a ruling names by a word of their folder that the others lack; all where it names none."""
    said = set(WORD.findall(words.lower()))
    named = []
    for row in rows:
        others = {w for r in rows if r.name != row.name for w in WORD.findall(r.name.lower())}
        if (set(WORD.findall(row.name.lower())) - others) & said:
            named.append(row)
    return named or rows


def outcome_of(number: int, row: Row) -> Outcome:
    """The outcome of one submission."""
    kinds = {
        status: frozenset(c for r, c in row.categories.items() if row.rules.get(r) == status)
        for status in ("fail", "review")
    }
    return Outcome(number, row.verdict, kinds["fail"], kinds["review"], row.why)


def worse(a: Outcome | None, b: Outcome) -> Outcome:
    """Two outcomes of one pull request as one."""
    if a is None:
        return b
    worst = max(a, b, key=lambda o: ("PASS", "REVIEW", "ERROR", "FAIL").index(o.verdict))
    return Outcome(a.pr, worst.verdict, a.failed | b.failed, a.reviewed | b.reviewed, worst.why)


def report(rulings: Sequence[Ruling], said: Mapping[int, Outcome]) -> str:
    """Tables and lists in Markdown."""
    parts = []
    for judges, title in GROUPS:
        chosen = [r for r in rulings if r.judge in judges and r.pr in said]
        if chosen:
            parts += [
                f"## {title}",
                confusion(chosen, said),
                valid(chosen, said),
                disagreements(chosen, said),
            ]
    missing = sorted({r.pr for r in rulings} - said.keys())
    if missing:
        parts.append("Not audited: " + ", ".join(f"#{n}" for n in missing) + ".")
    return "\n\n".join(parts) + "\n"


def confusion(rulings: Sequence[Ruling], said: Mapping[int, Outcome]) -> str:
    """By category: how many rulings `invalid`, how they end here; and in all."""
    head = (
        "| category | invalid | FAIL, same | FAIL, other | REVIEW, same | REVIEW, other | missed "
        "| recall (FAIL) | recall (FAIL or REVIEW) | same category | precision |"
    )
    lines = [head, "|---|" + "---:|" * 10]
    total = [0] * (1 + ENDINGS)
    exact = [0, 0]
    for category in CODE:
        invalid = primary(rulings, category)
        cells = [len(invalid), *counts(invalid, said)]
        right, wrong = precision(rulings, said, category)
        total = [a + b for a, b in zip(total, cells, strict=True)]
        exact = [exact[0] + right, exact[1] + wrong]
        if cells[0] or right or wrong:
            lines.append(line(category, cells, right, wrong))
    lines.append(line("all", total, *exact))
    return "\n".join(lines)


def primary(rulings: Sequence[Ruling], category: str) -> list[Ruling]:
    """One ruling `invalid` for each pull request whose main reason is this category."""
    return list({r.pr: r for r in rulings if r.verdict == "invalid" and r.category == category}.values())


def counts(invalid: Sequence[Ruling], said: Mapping[int, Outcome]) -> list[int]:
    """How many end in each way (see :func:`ending`)."""
    cells = [0] * ENDINGS
    for ruling in invalid:
        cells[ending(ruling, said[ruling.pr])] += 1
    return cells


def ending(ruling: Ruling, outcome: Outcome) -> int:
    """0, 1: FAIL with a category of the ruling, with another; 2, 3: REVIEW likewise; 4: missed."""
    for start, found in ((0, outcome.failed & set(CODE)), (2, outcome.reviewed & set(CODE))):
        if found:
            same = set(ruling.categories) & (found | outcome.reviewed if start == 2 else found)
            return start if same else start + 1
    return MISSED


def precision(rulings: Sequence[Ruling], said: Mapping[int, Outcome], category: str) -> tuple[int, int]:
    """Pull requests that fail for this category: how many were ruled invalid (for whatever reason), how many valid."""
    failing = [r for r in rulings if category in said[r.pr].failed]
    right = {r.pr for r in failing if r.verdict == "invalid"}
    return len(right), len({r.pr for r in failing if r.verdict == "valid"} - right)


def line(name: str, cells: Sequence[int], right: int, wrong: int) -> str:
    """One line of the confusion table."""
    invalid, same, other, asked_same, asked_other, _ = cells
    shares = (same + other, same + other + asked_same + asked_other, same + asked_same)
    shown = [share(n, invalid, bounds=name == "all") for n in shares]
    exact = f"{right}/{right + wrong}" if right or wrong else "–"
    return "| " + " | ".join([name, *map(str, cells), *shown, exact]) + " |"


def share(part: int, whole: int, *, bounds: bool = True) -> str:
    """A share in percent, with the bounds of Wilson's interval at 95 % where they are wanted."""
    if not whole:
        return "–"
    plain = f"{part / whole:.0%}"
    if not bounds:
        return plain
    found = binomtest(part, whole).proportion_ci(method="wilson")
    return f"{plain} ({100 * found.low:.0f}–{100 * found.high:.0f})"


def valid(rulings: Sequence[Ruling], said: Mapping[int, Outcome]) -> str:
    """Rulings `valid`: how many fail, by name and for whatever reason, and how many the code sends to review."""
    numbers = sorted({r.pr for r in rulings if r.verdict == "valid"})
    wrong = [n for n in numbers if said[n].failed]
    asked = [n for n in numbers if said[n].reviewed & set(CODE) and n not in wrong]
    named = ", ".join(f"#{n} ({', '.join(sorted(said[n].failed))})" for n in wrong) or "none"
    review = ", ".join(f"#{n} ({', '.join(sorted(said[n].reviewed & set(CODE)))})" for n in asked) or "none"
    return (
        f"Ruled valid: {len(numbers)}. Wrong FAILs, {share(len(wrong), len(numbers))}: {named}. "
        f"Sent to review by the code, {share(len(asked), len(numbers))}: {review}."
    )


def disagreements(rulings: Sequence[Ruling], said: Mapping[int, Outcome]) -> str:
    """Where the two sides differ, in the words of both."""
    lines = ["| pull request | ruling | its words | here | why |", "|---|---|---|---|---|"]
    for ruling in rulings:
        outcome = said[ruling.pr]
        bad = ruling.verdict == "invalid" and ruling.category in CODE and ending(ruling, outcome) != 0
        if bad or (ruling.verdict == "valid" and outcome.failed):
            here = f"{outcome.verdict} {' '.join(sorted(outcome.failed or outcome.reviewed))}".strip()
            cells = [
                f"#{ruling.pr}", f"{ruling.judge}: {ruling.verdict} {ruling.category}",
                cell(ruling.words), here, cell(outcome.why),
            ]  # fmt: skip
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def cell(text: str) -> str:
    """Text that fits a cell of a table."""
    return text.replace("|", "/").replace("\n", " ")[:160]
