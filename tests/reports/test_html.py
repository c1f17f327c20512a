"""The HTML page: complete in itself, true to the audit, unmoved by hostile text."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from harness.analysis.frontier import COLUMNS, MOST_CELLS, ROWS, Cell, Frontier
from harness.case import Audit
from reports.html import audit_html, index_html
from reports.prose import CHALLENGE
from reports.svg.frontier import frontier_plot

ALLOWED = set(
    """html head meta title style body header div p h1 h2 h3 h4 ol ul li span a dl dt dd small main nav section
    article table thead tbody tr th td code pre b details summary figure figcaption footer svg desc rect line
    polyline polygon path text g sup""".split()  # noqa: SIM905 - a list of sixty strings is no easier to read
)
VOID = {"meta", "rect", "line", "polyline", "polygon", "path"}


class Page(HTMLParser):
    """Every tag with its attributes; raises where tags do not nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open, f"left open: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)


@pytest.mark.parametrize("scene", ["honest", "cheat", "crash", "hostile"])
def test_the_page_loads_nothing_and_runs_nothing(scenes: dict[str, Audit], scene: str) -> None:
    page = Page(audit_html(scenes[scene]))
    assert {tag for tag, _ in page.tags} <= ALLOWED
    for tag, attributes in page.tags:
        assert not any(name.startswith("on") or name in ("style", "src", "srcset") for name in attributes), (
            tag
        )
        assert (attributes.get("href") or "#").startswith(("#", CHALLENGE))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("scene", ["honest", "cheat", "crash", "hostile"])
def test_every_link_inside_the_page_leads_somewhere(scenes: dict[str, Audit], scene: str) -> None:
    page = Page(audit_html(scenes[scene]))
    ids = {attributes.get("id") for _, attributes in page.tags}
    links = {a["href"] for t, a in page.tags if t == "a"}
    assert {link for link in links if not (link or "").startswith(CHALLENGE)} <= {f"#{i}" for i in ids}


def test_the_policy_allows_this_style_and_nothing_else(honest: Audit) -> None:
    text = audit_html(honest)
    style = re.search(r"<style>(.*?)</style>", text, re.S)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    policy = next(a["content"] for t, a in Page(text).tags if t == "meta" and "http-equiv" in a)
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert "url(" not in style[1]
    assert "@import" not in style[1]


def test_hostile_text_is_shown_as_text(hostile: Audit) -> None:
    text = audit_html(hostile)
    shown = "".join(Page(text).words)
    assert "<script>alert(1)</script>" in shown
    assert "{{ 7*7 }}" in shown
    assert "\u27e8U+202E\u27e9" in shown
    assert not set(text) & set("\x00\x1b\x9b\u202e\u202c\u200b\ufeff\ud800")


def test_verdict_and_reason_come_before_everything_else(cheat: Audit) -> None:
    words = " ".join("".join(Page(audit_html(cheat)).words).split())
    parts = (
        "Verdict: FAIL",
        cheat.why,
        "Strict causality",
        "Score before update Fail",
        "Only scale was changed",
    )
    order = [words.index(part) for part in parts]
    assert order == sorted(order)


def test_a_cheat_is_red_and_an_honest_run_is_not(cheat: Audit, honest: Audit) -> None:
    assert '<path class="f-leaked"' in audit_html(cheat)
    assert '<path class="f-leaked"' not in audit_html(honest)
    assert "none trained on before it was scored" in audit_html(honest)


def test_experiments_are_shown_with_their_numbers_and_plots(cheat: Audit, honest: Audit) -> None:
    page = audit_html(cheat)
    assert "39,896 bits" in page
    assert "p &lt; 1e-279" in page
    for name in ("bound", "law", "moves"):
        assert f'id="{name}-title"' in page
    assert "33 of 2,273 losses" in page
    assert "None were made" in audit_html(honest)


def test_a_must_have_rule_without_a_finding_is_not_covered(cheat: Audit) -> None:
    words = "".join(Page(audit_html(cheat)).words)
    assert words.count("No witness spoke on it.") == 2


def test_a_crash_says_why_instead_of_drawing(crash: Audit) -> None:
    text = audit_html(crash)
    assert "No module named &#39;mamba_ssm&#39;" in text
    assert '<svg class="plot"' not in text


def test_settings_overrides_and_ambiguity_are_shown(cheat: Audit) -> None:
    words = "".join(Page(audit_html(cheat)).words)
    for expected in ("TTT_EPOCHS", "train_seed1337.log:14", "786432", "2048", cheat.case.claim.ambiguous[0]):
        assert expected in words


def test_the_same_audit_gives_the_same_page(cheat: Audit) -> None:
    assert audit_html(cheat) == audit_html(cheat)


def test_the_index_links_to_each_page_and_takes_the_worst(scenes: dict[str, Audit]) -> None:
    page = Page(index_html(list(scenes.values()), list(scenes)))
    assert [a["href"] for t, a in page.tags if t == "a"] == [f"{name}/report.html" for name in scenes]
    assert "".join(page.words).split().index("FAIL") < 20


def test_a_frontier_with_the_most_cells_stays_small() -> None:
    cells = tuple(Cell("both", 100 + i % 140, 100 + i % 60, 101 + i % 60) for i in range(MOST_CELLS))
    plot = Frontier(COLUMNS, ROWS, 10**6, 10**5, tuple(range(COLUMNS)), cells, (), (), 1, 1, 1, 1)
    assert len(frontier_plot("frontier", plot)) < 300_000
