"""Tables of several checkers' answers to the same rulings: confusion, precision and recall, one line a checker."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from harness.bench.batch import run_batch
from harness.bench.checkers import Checker, answers_of, compared, run_checkers
from harness.bench.rulings import CODE, Outcome, Ruling, outcomes, read_labels
from harness.bench.targets import pull_requests
from harness.sandbox import Sandbox

GROUPS = (
    (("organizer", "leaderboard", "author"), "Organizers, leaderboard and authors"),
    (("community",), "Community (weaker evidence)"),
)

VERDICT, CATEGORIES = "this auditor, verdict", "this auditor, code only"
"""Two readings of our own result: the verdict as printed, and only the rules of which code is the subject."""

SHOWN = ("fail", "review", "pass", "none")
_VERDICTS = {"FAIL": "fail", "REVIEW": "review", "PASS": "pass", "ERROR": "none"}

Answers = Mapping[str, Mapping[int, str]]
"""What everybody who was asked answers to each pull request, by name, in the order of the lines."""


def measure(
    clone: Path, labels: Path, checkers: Sequence[Checker], work: Path, sandbox: Sandbox,
    ours: Path | None = None, processes: int = 2,
) -> str:  # fmt: skip
    """Ask every checker, and this auditor, about every labelled pull request, and write the tables, in Markdown.

    `ours` is a work folder of `bench rulings --static-only`; what it lacks is audited now, into it, or into `work` where
    it is None. Raises IntakeError on bad labels or a bad clone.
    """
    rulings = read_labels(labels)
    rows = [compared(rulings, judges) for judges, _ in GROUPS]
    numbers = sorted({n for invalid, good, _ in rows for n in (*invalid, *good)})
    run_checkers(clone, rulings, numbers, checkers, work, sandbox, processes)
    answers = {c.name: answers_of(work, c, numbers) for c in checkers}
    audited = run_batch(
        pull_requests(clone, numbers), (ours or work) / "static", processes, ["--static-only"]
    )
    answers |= _own(outcomes(audited, rulings))
    return report(rulings, answers)


def _own(said: Mapping[int, Outcome]) -> dict[str, dict[int, str]]:
    return {
        VERDICT: {n: _VERDICTS[o.verdict] for n, o in said.items()},
        CATEGORIES: {n: _by_code(o) for n, o in said.items()},
    }


def _by_code(outcome: Outcome) -> str:
    if outcome.failed & set(CODE):
        return "fail"
    return "review" if outcome.reviewed & set(CODE) else "pass"


def report(rulings: Sequence[Ruling], answers: Answers) -> str:
    """For each group of judges: the confusion by checker, and the invalid ones by category."""
    parts = []
    for judges, title in GROUPS:
        invalid, good, both = compared(rulings, judges)
        parts += [
            f"## {title}",
            f"{len(invalid)} invalid for a reason in the code, {len(good)} valid."
            + (f" Ruled both, left out: {', '.join(f'#{n}' for n in both)}." if both else ""),
            confusion(answers, invalid, good),
            by_category(answers, invalid),
        ]
    return "\n\n".join(parts) + "\n"


def confusion(answers: Answers, invalid: Collection[int], valid: Collection[int]) -> str:
    """One line a checker: how its answers fall on invalid and on valid pull requests.

    Precision: the share of its fails that were ruled invalid. Recall: the share of the invalid that it fails. Told apart:
    how many more of the invalid than of the valid get something else than pass, in percentage points (0 for a checker
    that says the same to all).
    """
    lines = [
        "| checker | " + " | ".join(f"{kind}: {a}" for kind in ("invalid", "valid") for a in SHOWN)
        + " | precision (fail) | recall (fail) | recall (fail or review) | valid that pass | told apart |",
        "|---|" + "---:|" * (2 * len(SHOWN) + 5),
    ]  # fmt: skip
    for name, given in answers.items():
        bad, good = (Counter(given[n] for n in numbers) for numbers in (invalid, valid))
        alarms = bad["fail"] + bad["review"]
        false = good["fail"] + good["review"]
        both = invalid and valid
        apart = f"{100 * (alarms / len(invalid) - false / len(valid)):.0f}" if both else "–"
        cells = [
            *(str(kind[a]) for kind in (bad, good) for a in SHOWN),
            _share(bad["fail"], bad["fail"] + good["fail"]), _share(bad["fail"], len(invalid)),
            _share(alarms, len(invalid)), _share(good["pass"], len(valid)), apart,
        ]  # fmt: skip
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def by_category(answers: Answers, invalid: Mapping[int, str]) -> str:
    """How many of the invalid ones of each category a checker fails, and sends to review."""
    lines = [
        "| category | invalid | " + " | ".join(answers) + " |",
        "|---|---:|" + "---:|" * len(answers),
    ]
    for category in (c for c in CODE if c in invalid.values()):
        own = [n for n, c in invalid.items() if c == category]
        cells = []
        for given in answers.values():
            count = Counter(given[n] for n in own)
            cells.append(f"{count['fail']} + {count['review']}")
        lines.append(f"| {category} | {len(own)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if whole else "–"
