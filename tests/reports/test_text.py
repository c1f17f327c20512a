"""Text of strangers: what cannot be seen becomes visible, what can be seen is left alone."""

from __future__ import annotations

import sys
import unicodedata

import pytest

from reports import prose
from reports.text import clip, plain
from reports.words import count, number, percent, plural
from rules.registry import all_rules


@pytest.mark.parametrize("text", ["plain", "naïve café", "日本語", "λ→∞", "▁the", "emoji 🙂", "  spaces  "])
def test_visible_text_is_left_alone(text: str) -> None:
    assert plain(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31m", "␛[31m"),
        ("a\rb", "a␍b"),
        ("\u202ex", "⟨U+202E⟩x"),
        ("a\nb\tc", "a b c"),
        ("\x7f", "␡"),
        ("\x85", "⟨U+0085⟩"),
    ],
)
def test_what_cannot_be_seen_is_shown(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_no_control_or_format_character_survives() -> None:
    every = "".join(map(chr, range(sys.maxunicode + 1)))
    left = {unicodedata.category(c) for c in plain(every)}
    assert not left & {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


def test_lines_are_kept_only_when_asked_for() -> None:
    assert plain("a\r\n\tb", lines=True) == "a\n    b"


def test_stacked_marks_are_cut() -> None:
    assert len(plain("a" + "\u0301" * 50)) == 4


def test_clip_says_that_it_cut() -> None:
    assert clip("abcdef", 4) == "abc…"
    assert clip("abcd", 4) == "abcd"


def test_figures() -> None:
    assert [number(1234.5678, 2), number(None), number(float("nan")), count(63779840)] == [
        "1,234.57",
        "–",
        "–",
        "63,779,840",
    ]
    assert [percent(0.0268), percent(0.0022), percent(0.0), percent(None)] == [
        "2.7 %",
        "0.22 %",
        "0.0 %",
        "–",
    ]
    assert [plural(1, "line"), plural(2000, "event")] == ["1 line", "2,000 events"]


DOC = """C3 score before update: a sentence.

What it does
    Looks at `order` & more.
    Goes on.

    Another paragraph.

Example
    for x in val:     # fails
        <b>

Legal alternative
    Score first:
    for chunk in chunks:
        score(chunk)

Rulings
    2026-03-24 #549 merged.
    https://example.org/a.

Since
    0.1.0
"""


def test_rule_documentation_as_html() -> None:
    page = prose.to_html(DOC)
    assert page.startswith("<p>C3 score before update: a sentence.</p>\n<h4>What it does</h4>")
    assert "<p>Looks at <code>order</code> &amp; more. Goes on.</p>\n<p>Another paragraph.</p>" in page
    assert "<pre>for x in val:     # fails\n    &lt;b&gt;</pre>" in page
    assert "<p>Score first:</p>\n<pre>for chunk in chunks:\n    score(chunk)</pre>" in page
    thread = "https://github.com/openai/parameter-golf/issues/549"
    assert f'<li>2026-03-24 <a href="{thread}" rel="noreferrer">#549</a> merged.</li>' in page
    assert '<a href="https://example.org/a" rel="noreferrer">https://example.org/a</a>.</li>' in page


def test_every_rule_reads_as_sections() -> None:
    for rule in all_rules():
        page = prose.to_html(rule.doc)
        headings = (
            "What it does",
            "Why it breaks the score",
            "Example",
            "Legal alternative",
            "Rulings",
            "Since",
        )
        assert [page.index(f"<h4>{h}</h4>") for h in headings] == sorted(
            page.index(f"<h4>{h}</h4>") for h in headings
        ), rule.id
