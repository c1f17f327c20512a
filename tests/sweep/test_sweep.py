"""A sweep of a small clone: each content once, only what changed again, whole after a kill."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cli import main
from harness.intake import IntakeError
from harness.policy import Policy
from harness.sweep import Plan, Store, numbers, sweep
from harness.sweep import store as store_module
from harness.sweep.plan import bounded, heads
from harness.sweep.progress import pace
from tests.intake.test_pull_request import Clone, R, train
from tests.sweep.test_pool import alive, family

ROOT = Path(__file__).parents[2]
CHEAT = (ROOT / "submissions/fail/ngram_target_in_key/train_gpt.py").read_text()


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path / "clone")


def plan(clone: Clone, **given: Any) -> Plan:
    return Plan(clone.path, clone.path / "cache", static_only=True, processes=2, **given)


def run(clone: Clone, database: Path, **given: Any) -> tuple[int, int, int, int]:
    """(looked at, audits, shared, problems)."""
    done = sweep(plan(clone, **given), heads(clone.path, None), database)
    return done.looked_at, done.audited, done.shared, done.problems


def held(database: Path) -> list[tuple[Any, ...]]:
    """Everything that a database says, but for times and places."""
    store = Store(database, create=False)
    rows = [(r.number, r.head, r.date, r.merged, r.problem, r.contents, json.dumps(r.documents, sort_keys=True))
            for r in store.rows()]  # fmt: skip
    store.close()
    return rows


def test_the_same_content_is_audited_once(clone: Clone, tmp_path: Path) -> None:
    clone.pull_request(1, {f"{R}/one/train_gpt.py": CHEAT})
    clone.pull_request(2, {f"{R}/again/train_gpt.py": CHEAT})
    clone.pull_request(3, {f"{R}/other/train_gpt.py": train(3)})
    clone.pull_request(4, {"docs/a.md": "b"})
    database = tmp_path / "s.db"
    assert run(clone, database) == (4, 3, 1, 0)
    rows = {row[0]: row for row in held(database)}
    assert rows[1][5] == rows[2][5] != rows[3][5]
    first, second = (json.loads(rows[n][6])[0] for n in (1, 2))
    assert (first["verdict"], second["verdict"]) == ("FAIL", "FAIL")
    assert (first["submission"]["folder"], second["submission"]["folder"]) == (f"{R}/one", f"{R}/again")
    assert json.loads(rows[4][6])[0]["verdict"] == "REVIEW"


def test_the_same_content_in_another_change_is_another(clone: Clone, tmp_path: Path) -> None:
    clone.pull_request(1, {f"{R}/one/train_gpt.py": CHEAT})
    clone.pull_request(2, {f"{R}/two/train_gpt.py": CHEAT, "stray.txt": "a"})
    database = tmp_path / "s.db"
    assert run(clone, database) == (2, 2, 0, 0)
    first, second = held(database)
    assert first[5] != second[5]
    assert first[6] != second[6]


def test_a_row_is_what_the_audit_of_one_pull_request_says(clone: Clone, tmp_path: Path) -> None:
    clone.pull_request(1, {f"{R}/one/train_gpt.py": CHEAT})
    run(clone, tmp_path / "s.db")
    out = tmp_path / "a.json"
    CliRunner().invoke(
        main,
        ["audit", "--repo", str(clone.path), "--pr", "1", "--static-only", "--json", str(out)],
    )
    assert json.loads(held(tmp_path / "s.db")[0][6]) == [json.loads(out.read_text())]


def test_only_what_changed_is_audited_again(
    clone: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (1, 2, 3):
        clone.pull_request(number, {f"{R}/n{number}/train_gpt.py": train(number)})
    database = tmp_path / "s.db"
    assert run(clone, database)[:2] == (3, 3)
    assert run(clone, database)[:2] == (0, 0)
    clone.git("branch", "-D", "pr2")
    clone.pull_request(2, {f"{R}/n2/train_gpt.py": train(22)})
    assert run(clone, database)[:2] == (1, 1)
    assert run(clone, database, policy=Policy(warn=frozenset(["A1"])))[:2] == (3, 3)
    monkeypatch.setattr("harness.sweep.content.code_of_auditor", lambda: "another")
    assert run(clone, database)[:2] == (3, 3)
    kept = sqlite3.connect(database).execute("SELECT count(*) FROM audits").fetchone()
    assert kept == (3,)


def test_a_failure_is_a_row_and_is_tried_again(
    clone: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone.pull_request(1, {f"{R}/one/train_gpt.py": train(1)})
    clone.pull_request(2, {f"{R}/two/train_gpt.py": train(2)})
    tree = clone.git("rev-parse", "pr2^{tree}")
    lost = clone.path / ".git" / "objects" / tree[:2] / tree[2:]
    away = lost.rename(tmp_path / "lost")
    database = tmp_path / "s.db"
    assert run(clone, database) == (2, 1, 0, 1)
    rows = {row[0]: row for row in held(database)}
    assert rows[1][4] == ""
    assert "git" in rows[2][4]
    away.rename(lost)
    assert run(clone, database) == (1, 1, 0, 0)


DRIVER = """
import sys
from pathlib import Path
import harness.sweep.content as content
content.code_of_auditor = lambda: "one and the same, whoever edits the auditor meanwhile"
from harness.sweep import Plan, sweep
from harness.sweep.plan import heads
if __name__ == "__main__":
    clone = Path(sys.argv[1])
    sweep(Plan(clone, clone / "cache", True, 2), heads(clone, None), Path(sys.argv[2]))
"""


def test_killed_in_the_middle_it_goes_on_and_ends_the_same(clone: Clone, tmp_path: Path) -> None:
    for number in range(1, 25):
        script = train(number // 2) if number % 4 else CHEAT
        clone.pull_request(number, {f"{R}/n{number}/train_gpt.py": script})
    broken, whole = tmp_path / "broken.db", tmp_path / "whole.db"
    driver = tmp_path / "driver.py"
    driver.write_text(DRIVER)
    arguments = [sys.executable, str(driver), str(clone.path)]
    process = subprocess.Popen([*arguments, str(broken)])
    until(lambda: finished(broken) >= 3)
    children = family(process.pid)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert 3 <= finished(broken) < 24
    until(lambda: not any(alive(child) for child in children))
    subprocess.run([*arguments, str(broken)], check=True)
    assert finished(broken) == 24
    subprocess.run([*arguments, str(whole)], check=True)
    assert held(broken) == held(whole)
    assert not broken.with_name("broken.db.files").exists()


def until(condition: Any) -> None:
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def finished(database: Path) -> int:
    if not database.exists():
        return 0
    try:
        with sqlite3.connect(database.as_uri() + "?mode=ro", uri=True) as db:
            return int(db.execute("SELECT count(*) FROM pull_requests").fetchone()[0])
    except sqlite3.Error:
        return 0


def test_two_sweeps_do_not_share_a_database(clone: Clone, tmp_path: Path) -> None:
    clone.pull_request(1, {f"{R}/one/train_gpt.py": train(1)})
    database = tmp_path / "s.db"
    with (tmp_path / "s.db.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(IntakeError, match="another sweep"):
            run(clone, database)
    run(clone, database)
    with pytest.raises(IntakeError, match="holds static audits"):
        sweep(Plan(clone.path, tmp_path, static_only=False, processes=1), [], database)


def test_files_that_are_no_database_of_ours_are_refused(tmp_path: Path) -> None:
    text, other, newer = tmp_path / "a.txt", tmp_path / "other.db", tmp_path / "newer.db"
    text.write_text("no database at all, and long enough to be looked at as one" * 20)
    sqlite3.connect(other).execute("CREATE TABLE t (x)")
    Store(newer).close()
    sqlite3.connect(newer).execute("PRAGMA user_version = 99")
    for path, words in ((text, "cannot be used"), (other, "another program"), (newer, "newer auditor")):
        with pytest.raises(IntakeError, match=words):
            Store(path)
    with pytest.raises(IntakeError, match="no database"):
        Store(tmp_path / "none.db", create=False)


def test_an_old_schema_is_brought_up_to_date_with_its_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path / "s.db")
    store.claim("kind", "static")
    store.close()
    later = (*store_module.MIGRATIONS, "ALTER TABLE facts ADD COLUMN since TEXT NOT NULL DEFAULT 'then'")
    monkeypatch.setattr(store_module, "MIGRATIONS", later)
    store = Store(tmp_path / "s.db")
    assert store.fact("kind") == "static"
    store.close()
    assert sqlite3.connect(tmp_path / "s.db").execute("SELECT since FROM facts").fetchone() == ("then",)


def test_a_migration_is_all_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Store(tmp_path / "s.db").close()
    bad = (*store_module.MIGRATIONS, "CREATE TABLE extra (x); SELECT nonsense FROM nowhere")
    with monkeypatch.context() as patch:
        patch.setattr(store_module, "MIGRATIONS", bad)
        with pytest.raises(IntakeError, match="cannot be used"):
            Store(tmp_path / "s.db")
    Store(tmp_path / "s.db").close()
    names = sqlite3.connect(tmp_path / "s.db").execute("SELECT name FROM sqlite_master").fetchall()
    assert ("extra",) not in names


def test_ranges_of_pull_requests() -> None:
    assert [n for r in numbers("1-3, 7") for n in r] == [1, 2, 3, 7]
    for bad in ("", "1-", "a", "1;2"):
        with pytest.raises(IntakeError, match="no range"):
            numbers(bad)


def test_processes_are_bounded_by_cores() -> None:
    assert 1 <= bounded(1000, static_only=True) <= len(os.sched_getaffinity(0))
    assert bounded(1, static_only=False) == 1


def test_rate_and_time_left() -> None:
    assert pace(100, 400, 10) == "10.0 a second, 0:00:30 left"
    assert pace(1, 61, 60) == "1.0 a minute, 1:00:00 left"
    assert pace(0, 10, 5) == ""


@pytest.mark.parametrize(
    "arguments", [["--prs", "x"], ["--prs", "99"], ["--repo", "/nowhere"], ["--policy", "/nowhere"]]
)
def test_bad_input_is_one_sentence_and_exit_code_2(
    clone: Clone, tmp_path: Path, arguments: list[str]
) -> None:
    clone.pull_request(1, {f"{R}/one/train_gpt.py": train(1)})
    base = ["sweep", "--repo", str(clone.path), "--db", str(tmp_path / "s.db"), "--static-only"]
    result = CliRunner().invoke(main, [*base, *arguments])
    assert result.exit_code == 2
    assert "Error: " in result.output
    assert "Traceback" not in result.output
