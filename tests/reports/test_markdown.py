"""The Markdown comment: readable, and deaf to what a submission would like it to do."""

from __future__ import annotations

import re

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from harness.case import Audit, Evidence
from reports.markdown import audit_markdown, escape, evidence_block, index_markdown, inline_code


def parsed(text: str) -> list[Token]:
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)
    return [t for token in tokens for t in (token, *(token.children or ()))]


def outside_code(text: str) -> str:
    return "".join(t.content for t in parsed(text) if t.type == "text")


@pytest.mark.parametrize("scene", ["honest", "cheat", "crash", "hostile"])
def test_no_links_images_or_foreign_html(scenes: dict[str, Audit], scene: str) -> None:
    tokens = parsed(audit_markdown(scenes[scene]))
    assert not [t for t in tokens if t.type in ("link_open", "image", "s_open")]
    html = "".join(t.content for t in tokens if t.type in ("html_inline", "html_block"))
    assert set(re.findall(r"<[^>]*>", html)) <= {
        "<details>",
        "<summary>",
        "</summary>",
        "</details>",
        "<sub>",
        "</sub>",
    }


def test_no_pings_references_or_bare_links(hostile: Audit) -> None:
    text = outside_code(audit_markdown(hostile))
    assert "maintainer" in text
    assert not re.search(r"@\w|#\d|https?://|www\.", text)


def test_the_table_keeps_its_shape(hostile: Audit) -> None:
    tokens = parsed(audit_markdown(hostile))
    first = tokens[: next(i for i, t in enumerate(tokens) if t.type == "table_close")]
    rows = sum(t.type == "tr_open" for t in first)
    assert rows == 1 + len(hostile.findings) + 5
    assert sum(t.type in ("td_open", "th_open") for t in first) == 5 * rows
    heads = "".join(t.content for t in first if t.type == "inline")
    assert "<script>" in heads.replace("\\", "")


def test_verdict_and_why_come_first(cheat: Audit) -> None:
    lines = [line for line in audit_markdown(cheat).splitlines() if line]
    assert lines[0].startswith("## FAIL: 2026-03-21")
    assert lines[1] == f"**{cheat.why}**"


def test_experiments_can_be_quoted(cheat: Audit) -> None:
    text = audit_markdown(cheat)
    assert "Experiment, Random tokens: **Proved**. For 4,083 uniformly random val tokens" in text
    assert "Experiment, Changed future: **Proved**." in text
    assert "Experiment, Repeating tokens: **Nothing found**. For 8,176 randomly repeating val tokens" in text


def test_evidence_stands_in_a_code_block(cheat: Audit) -> None:
    fences = [t.content for t in parsed(audit_markdown(cheat)) if t.type == "fence"]
    assert "train_gpt.py:1094\n    optimizer.step()" in fences[0]


def test_backticks_cannot_close_a_block() -> None:
    block = evidence_block([Evidence("a.py", 1, "```` @maintainer"), Evidence("b.py", 2, "~~~")])
    assert [t.type for t in parsed(block)] == ["fence"]


@pytest.mark.parametrize("text", ["a", "`", "``a", "a`", " ", "a | b", ""])
def test_inline_code_is_one_span(text: str) -> None:
    kinds = [t.type for t in parsed(f"x {inline_code(text)} y") if t.type not in ("inline", "text")]
    assert kinds == ["paragraph_open", "code_inline", "paragraph_close"]


@pytest.mark.parametrize(
    "text",
    [
        "# a",
        "- a",
        "+ a",
        "1. a",
        "1) a",
        "> a",
        "=== ",
        "--- ",
        "*a*",
        "_a_",
        "__a__",
        "a_b_c",
        "&lt;",
        "~~a~~",
    ],
)
def test_escaped_text_reads_as_it_was_written(text: str) -> None:
    tokens = parsed(escape(text))
    assert "".join(t.content for t in tokens if t.type in ("text", "text_special")) == text.rstrip()
    assert {t.type for t in tokens} <= {"paragraph_open", "inline", "text", "text_special", "paragraph_close"}


def test_several_have_a_table_and_each_its_own_part(scenes: dict[str, Audit]) -> None:
    text = index_markdown([scenes["honest"], scenes["cheat"]])
    assert text.startswith("# FAIL\n")
    assert text.count("\n## ") == 2
