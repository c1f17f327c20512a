"""The site of a sweep: what it says is what the database holds, nothing breaks out, and it works in a browser."""

from __future__ import annotations

import base64
import copy
import dataclasses
import hashlib
import json
import re
import shutil
import subprocess
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cli import main
from harness.case import Verdict
from harness.sweep import Plan, Store, sweep
from harness.sweep.index import Index, frontier, index
from harness.sweep.plan import heads
from harness.sweep.store import Audited, Head, Row
from reports.site import write_site
from tests.intake.test_pull_request import Clone, R, train
from tests.reports.conftest import HOSTILE

ROOT = Path(__file__).parents[2]
BROWSER = next((b for b in ("chromium", "chromium-browser", "google-chrome") if shutil.which(b)), None)


def document(
    verdict: str, claimed: float | None, category: str | None = None, **submission: Any
) -> dict[str, Any]:
    status = {"PASS": "pass", "FAIL": "fail", "REVIEW": "review"}[verdict]
    finding = {"rule": "C1", "status": status, "summary": f"why {verdict}", "category": category, "grade": "static",
               "evidence": [{"file": "train_gpt.py", "line": 3, "snippet": "x = 1"}]}  # fmt: skip
    given = {"name": "n", "folder": f"{R}/n", "track": "record", "origin": {}, "files": {}, "notes": [],
             "script": {"path": "train_gpt.py"}} | submission  # fmt: skip
    return {"schema": 1, "verdict": verdict, "why": f"because {verdict}", "findings": [finding],
            "score": {"claimed_bpb": claimed}, "static_only": True, "submission": given}  # fmt: skip


def row(number: int, *documents: dict[str, Any], date: str = "2026-04-01", problem: str = "") -> Row:
    contents = tuple(f"c{number}-{n}" for n in range(len(documents)))
    return Row(number, "a" * 40, f"{date}T00:00:00Z", False, problem, contents, documents)


ROWS = [
    row(1, document("PASS", 1.20), date="2026-03-20"),
    row(2, document("FAIL", 0.90, "slot"), date="2026-03-21"),
    row(3, document("PASS", 1.10), document("REVIEW", 1.05, "packaging"), date="2026-03-22"),
    row(4, document("PASS", 1.15), date="2026-03-23"),
    row(5, problem="git failed"),
    row(6, document("PASS", 0.50, track="non_record"), date="2026-03-19"),
    row(7, document("PASS", 1.01), date="2026-03-24"),
]


def written(tmp_path: Path, rows: list[Row]) -> Path:
    return write_site(index(rows, static_only=True), tmp_path / "site", lambda content: None).parent


class Page(HTMLParser):
    """Tags and text of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.source = path.read_text()
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_line_is_as_bad_as_its_worst_part() -> None:
    lines = {line.number: line for line in index(ROWS, static_only=True).lines}
    assert lines[3].verdict is Verdict.REVIEW
    assert (lines[3].claimed_bpb, lines[3].categories) == (1.05, ("packaging",))
    assert (lines[5].verdict, lines[5].why) == (None, "git failed")


def test_statistics_count_pull_requests() -> None:
    found = index(ROWS, static_only=True)
    assert dict(found.verdicts) == {"PASS": 4, "FAIL": 1, "REVIEW": 1, "NOT AUDITED": 1}
    assert [(r.name, r.fails, r.reviews, r.examples) for r in found.by_category] == [
        ("slot", 1, 0, (2,)),
        ("packaging", 0, 1, (3,)),
    ]


def test_the_frontier_falls_and_the_clean_one_passes() -> None:
    found = index(ROWS, static_only=True)
    assert [(s.line.number, s.bpb) for s in found.claimed] == [(1, 1.20), (2, 0.90)]
    assert [(s.line.number, s.bpb) for s in found.clean] == [(1, 1.20), (4, 1.15), (7, 1.01)]
    assert found.clean[1].gain == pytest.approx(0.05)
    assert found.open == 0
    assert frontier([]) == []


def test_the_same_content_is_named(tmp_path: Path) -> None:
    twin = dataclasses.replace(ROWS[0], number=9)
    lines = {line.number: line for line in index([ROWS[0], twin], static_only=True).lines}
    assert (lines[1].twins, lines[9].twins) == ((9,), (1,))


def test_every_link_leads_somewhere(tmp_path: Path) -> None:
    site = written(tmp_path, ROWS)
    for path in site.rglob("*.html"):
        for tag, attributes in Page(path).tags:
            assert not any(name.startswith("on") for name in attributes)
            target = attributes.get("href") or ""
            if tag in ("a", "link") and not target.startswith("https://github.com/openai/parameter-golf/"):
                assert (path.parent / target).is_file(), (path, target)


def test_strangers_text_stays_text(tmp_path: Path) -> None:
    bad = document("FAIL", 1.0, "slot", name=HOSTILE, folder=HOSTILE, track=HOSTILE, notes=[HOSTILE])
    bad["why"] = HOSTILE
    bad["findings"][0] |= {"summary": HOSTILE, "category": HOSTILE, "evidence": [
        {"file": HOSTILE, "line": 1, "snippet": HOSTILE}]}  # fmt: skip
    site = written(tmp_path, [row(1, json.loads(json.dumps(bad)))])
    for path in site.rglob("*.html"):
        page = Page(path)
        scripts = [attributes for tag, attributes in page.tags if tag == "script"]
        assert len(scripts) == (path.name == "index.html")
        assert not [tag for tag, _ in page.tags if tag in ("img", "iframe", "object")]
        assert not set(page.source) & set("\x00\x1b\x9b\u202e\u202c\u200b\ufeff\ud800")
    assert "<script>alert(1)</script>" in Page(site / "pr/1.html").text


def test_the_policy_names_the_one_script(tmp_path: Path) -> None:
    page = Page(written(tmp_path, ROWS) / "index.html")
    script = re.search(r"<script>(.*)</script>", page.source, re.S)
    assert script is not None
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    policy = next(a["content"] for tag, a in page.tags if tag == "meta" and "http-equiv" in a)
    assert f"script-src 'sha256-{digest}'" in str(policy)
    assert "script-src" not in (tmp_path / "site/why.html").read_text()


def test_full_reports_lie_beside_their_pages(tmp_path: Path) -> None:
    reports = {"c1-0": "<html>the whole report</html>"}
    site = write_site(index(ROWS, static_only=False), tmp_path, reports.get).parent
    assert (site / "report/c1-0.html").read_text() == reports["c1-0"]
    assert 'href="../report/c1-0.html"' in (site / "pr/1.html").read_text()
    assert "Full report" not in (site / "pr/2.html").read_text()


def test_a_report_in_the_database_comes_back(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.db")
    audit = document("PASS", 1.2)
    part = audit.pop("submission")
    store.add(Audited("c", audit, 1.0, "<html>\u00e9</html>"))
    store.finish(Head(1, "a" * 40, "2026-04-01"), "x", True, [("c", part)], 1.0)
    assert store.page("c") == "<html>\u00e9</html>"
    (found,) = store.rows()
    assert found.documents == (document("PASS", 1.2),)
    store.close()


def test_from_the_command_line(tmp_path: Path) -> None:
    clone = Clone(tmp_path / "clone")
    clone.pull_request(1, {f"{R}/one/train_gpt.py": train(1)})
    sweep(Plan(clone.path, tmp_path, True, 1), heads(clone.path, None), tmp_path / "s.db")
    result = CliRunner().invoke(
        main, ["site", "--db", str(tmp_path / "s.db"), "--out", str(tmp_path / "site")]
    )
    assert result.exit_code == 0, result.output
    assert "#1" in (tmp_path / "site/index.html").read_text()
    missing = CliRunner().invoke(main, ["site", "--db", str(tmp_path / "none"), "--out", str(tmp_path / "x")])
    assert missing.exit_code == 2


def many(count: int) -> Index:
    rows = []
    for number in range(1, count + 1):
        verdict, category = (("PASS", None), ("FAIL", "slot"), ("REVIEW", "packaging"))[number % 3]
        made = copy.deepcopy(document(verdict, 1 + number / 10_000, category, folder=f"{R}/name{number}"))
        rows.append(row(number, made))
    return index(rows, static_only=True)


def test_two_thousand_pull_requests_are_written_quickly_and_stay_small(tmp_path: Path) -> None:
    started = time.process_time()
    start = write_site(many(2_200), tmp_path, lambda content: None)
    assert time.process_time() - started < 30
    assert start.stat().st_size < 2_500_000


@pytest.mark.skipif(BROWSER is None, reason="no chromium is installed")
@pytest.mark.parametrize(
    ("address", "visible", "first"),
    [
        ("", 300, 1),
        ("verdict=FAIL&sort=-0", 100, 298),
        ("category=packaging&sort=4", 100, 2),
        ("words=name12+because", 11, 12),
        ("track=non_record", 0, None),
    ],
)
def test_a_browser_filters_searches_and_sorts(
    tmp_path: Path, address: str, visible: int, first: int | None
) -> None:
    start = write_site(many(300), tmp_path / "site", lambda content: None)
    done = subprocess.run(
        [str(BROWSER), "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}",
         "--dump-dom", f"{start.as_uri()}#{address}"],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    rows = re.findall(r"<tr class=\"v-[A-Z]+\"([^>]*)>\s*<td><a href=\"pr/(\d+)", done.stdout)
    shown = [int(number) for attributes, number in rows if "hidden" not in attributes]
    assert len(rows) == 300
    assert len(shown) == visible
    assert (shown[0] if shown else None) == first
    assert f">{visible} of 300</output>" in done.stdout
