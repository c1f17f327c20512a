"""Markdown report: a comment for a pull request, where no stranger's text pings, links or breaks out."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from harness.case import Audit, Evidence, worst
from harness.version import VERSION
from reports import rerun_words, words
from reports.text import clip, plain

TEMPLATES = Path(__file__).parent / "templates"
JOINER = "\u2060"
SPECIAL = re.compile(r"[\\`*\[\]<>|~$&]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
LEADING = re.compile(r"^\s*(?:(?=[#+=-])|\d+(?=[.)]))")
PINGS = re.compile(r"@(?=\w)|#(?=\d)|GH-(?=\d)|[wW]{3}(?=\.)|:(?=//)")
SNIPPET = 200
EVIDENCE_LINES = 12


class Safe(str):
    """Markdown of our own making, which must not be escaped again."""

    __slots__ = ()


def audit_markdown(audit: Audit) -> str:
    """The comment for one audit."""
    return _render("report.md.j2", audit=audit, case=audit.case, findings=words.by_gravity(audit.findings))


def index_markdown(audits: Sequence[Audit]) -> str:
    """The comment for several submissions: a table, then each."""
    verdict = worst([a.verdict for a in audits])
    return _render(
        "index.md.j2", audits=audits, verdict=verdict, whole=[Safe(audit_markdown(a)) for a in audits]
    )


def _render(template: str, **context: Any) -> str:
    text = environment().get_template(template).render(version=Safe(VERSION), **context)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def environment() -> Environment:
    """Everything printed is escaped, unless it is Safe."""
    env = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: value if isinstance(value, Safe) else escape(value),
    )
    env.filters.update(_FILTERS)
    env.globals.update(words=words, rerun_words=rerun_words, evidence_lines=EVIDENCE_LINES)
    return env


def escape(value: object) -> Safe:
    """Text that Markdown shows as it is, on one line.

    GitHub looks for mentions, issue numbers, addresses and bare links after Markdown is done, so a backslash
    does not stop those: a word joiner, which cannot be seen, goes between the sign and what follows.
    """
    text = PINGS.sub(lambda m: m[0] + JOINER, plain(value))
    return Safe(LEADING.sub(lambda m: m[0] + "\\", SPECIAL.sub(lambda m: "\\" + m[0], text)))


def inline_code(value: object) -> Safe:
    """Text in a code span, its fence longer than any inside; a bar, which would end a cell, is replaced."""
    text = plain(value).replace("|", "\u2502")
    fence = "`" * (_longest_run(text) + 1)
    pad = " " if text.startswith("`") or text.endswith("`") or not text.strip() else ""
    return Safe(f"{fence}{pad}{text or ' '}{pad}{fence}")


def evidence_block(items: Sequence[Evidence]) -> Safe:
    """Lines of evidence in a fenced block, inside which GitHub interprets nothing."""
    lines = []
    for item in items[:EVIDENCE_LINES]:
        lines.append(f"{clip(words.place(item), 120)}\n    {clip(item.snippet, SNIPPET)}")
    body = "\n".join(lines)
    fence = "`" * max(3, _longest_run(body) + 1)
    return Safe(f"{fence}text\n{body}\n{fence}")


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)


_FILTERS: dict[str, Callable[..., Any]] = {
    "clip": clip,
    "code": inline_code,
    "evidence": evidence_block,
    "place": words.place,
    "number": lambda value, digits=4: Safe(words.number(value, digits)),
    "count": lambda value: Safe(words.count(value)),
    "percent": lambda share: Safe(words.percent(share)),
}
