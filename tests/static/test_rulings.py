"""The report that measures the auditor against rulings."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path

import pytest

from harness.bench import rulings as bench
from harness.bench.batch import Row
from harness.bench.rulings import Ruling, confusion, ending, outcomes, read_labels, report, valid
from harness.intake import IntakeError
from harness.sweep import Store
from harness.sweep.store import Audited, Head


def row(pr: int, verdict: str, **categories: str) -> Row:
    """One audited submission: rule -> category, of failing rules."""
    return Row(
        f"pr-{pr}",
        "n",
        "s",
        verdict,
        "why",
        "",
        "",
        0.0,
        0.0,
        dict.fromkeys(categories, "fail"),
        dict(categories),
    )


def ruling(pr: int, verdict: str, *categories: str) -> Ruling:
    """An organizer's ruling."""
    return Ruling(pr, "organizer", verdict, categories[0], categories, "because")


SAID = outcomes(
    [
        row(1, "PASS"),
        row(1, "FAIL", C3="train_on_val_before_score"),
        row(2, "FAIL", C4="multi_pass_rescore"),
        row(3, "PASS"),
        row(4, "FAIL", C1="slot"),
        dataclasses.replace(row(5, "REVIEW", C1="slot"), rules={"C1": "review"}),
    ]
)


def test_the_worst_submission_speaks_for_a_pull_request() -> None:
    assert SAID[1].verdict == "FAIL"
    assert SAID[1].failed == {"train_on_val_before_score"}


def test_endings() -> None:
    assert ending(ruling(1, "invalid", "train_on_val_before_score"), SAID[1]) == 0
    assert ending(ruling(2, "invalid", "train_on_val_before_score"), SAID[2]) == 1
    assert ending(ruling(3, "invalid", "slot"), SAID[3]) == 4
    assert ending(ruling(5, "invalid", "slot"), SAID[5]) == 2
    assert ending(ruling(5, "invalid", "byte_count"), SAID[5]) == 3


def test_tables_name_what_is_wrong() -> None:
    rulings = [
        ruling(1, "invalid", "train_on_val_before_score"),
        ruling(3, "invalid", "slot"),
        ruling(4, "valid", "ok"),
        ruling(5, "invalid", "slot"),
    ]
    table = confusion(rulings, SAID)
    assert "| train_on_val_before_score | 1 | 1 | 0 | 0 | 0 | 0 | 100% | 100% | 100% | 1/1 |" in table
    assert "| slot | 2 | 0 | 0 | 1 | 0 | 1 | 0% | 50% | 50% | 0/1 |" in table
    assert "Wrong FAILs, 100% (21–100): #4 (slot)" in valid(rulings, SAID)
    assert "| all | 3 | 1 | 0 | 1 | 0 | 1 | 33% (6–79) | 67% (21–94) | 67% (21–94) | 1/2 |" in table


def test_labels_of_another_form_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(IntakeError, match="lacks"):
        read_labels(path)


def test_a_ruling_that_names_one_of_several_submissions_is_about_that_one() -> None:
    good = dataclasses.replace(row(7, "PASS"), name="2026-03-30_Falcon/train_gpt.py")
    bad = dataclasses.replace(row(7, "FAIL", C1="slot"), name="2026-03-26_Heron/train_gpt.py")
    about = Ruling(7, "leaderboard", "valid", "ok", ("ok",), "README row Falcon 1.1")
    assert outcomes([good, bad], [about])[7].verdict == "PASS"
    assert outcomes([good, bad], [dataclasses.replace(about, words="merged")])[7].verdict == "FAIL"


def test_the_report_has_a_section_for_each_kind_of_judge_and_names_disagreements() -> None:
    labels = [
        ruling(1, "invalid", "train_on_val_before_score"),
        ruling(3, "invalid", "slot"),
        dataclasses.replace(ruling(4, "valid", "ok"), judge="community"),
        ruling(99, "valid", "ok"),
    ]
    text = report(labels, SAID)
    assert "## Organizers" in text
    assert "## Community" in text
    assert "Leaderboard" not in text
    assert "| #3 | organizer: invalid slot | because | PASS | why |" in text
    assert "| #4 | community: valid ok | because | FAIL slot | why |" in text
    assert "Not audited: #99." in text


def test_measuring_resumes_from_what_the_folder_holds(tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    with labels.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["pr", "judge", "verdict", "category", "categories_all", "evidence"])
        writer.writerow([4, "organizer", "invalid", "slot", "slot", "because"])
    (tmp_path / "static").mkdir()
    finding = {"rule": "C1", "status": "fail", "category": "slot"}
    (tmp_path / "static" / "pr-4.json").write_text(
        json.dumps({"verdict": "FAIL", "why": "w", "findings": [finding], "audit_s": 1.0})
    )
    text = bench.measure(tmp_path / "no clone", labels, tmp_path, 1)
    assert "| slot | 1 | 1 | 0 | 0 | 0 | 0 | 100% | 100% | 100% | 1/1 |" in text


def test_the_report_of_a_sweep_is_that_of_its_rows(tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text(
        "pr,judge,verdict,category,categories_all,evidence\n"
        "7,organizer,invalid,slot,slot,said so\n8,organizer,valid,,,fine\n9,organizer,valid,,,fine\n"
    )
    store = Store(tmp_path / "s.db")
    slot = {"rule": "C1", "status": "fail", "category": "slot"}
    for number, verdict, findings in ((7, "FAIL", [slot]), (8, "PASS", []), (10, "PASS", [])):
        document = {"schema": 1, "verdict": verdict, "why": "", "findings": findings}
        store.add(Audited(f"c{number}", document, 1.0))
        store.finish(
            Head(number, "0" * 40, "2026-04-01"), "a", None, [(f"c{number}", {"name": f"n{number}"})], 1.0
        )
    store.close()
    told = bench.swept(tmp_path / "s.db", labels)
    assert "| slot | 1 | 1 | 0 |" in told
    assert "Wrong FAILs, 0%" in told
    assert "Not audited: #9." in told
    with pytest.raises(IntakeError, match="no database"):
        bench.swept(tmp_path / "none.db", labels)
