"""A static site of a sweep: an index that filters, searches and sorts, statistics, the frontier, a page per pull request.

Each page may run the one script that its policy names by hash (the index only), and loads nothing but the style sheet
beside it. It works from a disk as from a server.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from harness.sweep.index import Index, Line
from harness.version import VERSION
from reports.files import write_atomically
from reports.html import TEMPLATES, environment

CHALLENGE = "https://github.com/openai/parameter-golf"
WHY = 240
"""Characters of the reason that the index shows; a pull request's own page has all of it."""

Pages = Callable[[str], str | None]


def write_site(index: Index, out: Path, page_of: Pages) -> Path:
    """Write the site below `out`; returns the page that a reader starts from.

    `page_of` gives the full report of a content, where there is one.
    """
    script = (TEMPLATES / "site.js").read_text(encoding="utf-8")
    style = "".join((TEMPLATES / name).read_text(encoding="utf-8") for name in ("style.css", "site.css"))
    write_atomically(out / "style.css", style)
    start = write_atomically(out / "index.html", _render("site_index.html.j2", script, index=index, root=""))
    for name in ("why", "frontier"):
        write_atomically(out / f"{name}.html", _render(f"site_{name}.html.j2", "", index=index, root=""))
    for path, text in _pages(index, page_of):
        write_atomically(out / path, text)
    return start


def _pages(index: Index, page_of: Pages) -> Iterator[tuple[str, str]]:
    """(path, text) of the page of each pull request, and of each full report."""
    written: dict[str, str] = {}
    for line in index.lines:
        for content in dict.fromkeys(line.contents):
            if content not in written:
                page = page_of(content)
                written[content] = f"report/{content}.html" if page is not None else ""
                if page is not None:
                    yield written[content], page
        reports = [written[c] for c in line.contents]
        text = _render(
            "site_page.html.j2",
            "",
            line=line,
            parts=list(zip(line.results, reports, strict=True)),
            root="../",
        )
        yield f"pr/{line.number}.html", text


def kind(line: Line) -> str:
    """The verdict as a word; what could not be audited has none."""
    return line.verdict.value if line.verdict else "NOT AUDITED"


def _render(template: str, script: str, **context: Any) -> str:
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = "default-src 'none'; style-src 'self' file:; img-src data:; base-uri 'none'; form-action 'none'"
    if script:
        policy += f"; script-src 'sha256-{digest}'"
    page = _environment().get_template(template)
    return page.render(policy=policy, script=Markup(script), version=VERSION, **context) + "\n"


@functools.cache
def _environment() -> Environment:
    """Of the HTML reports, kept over the thousands of pages."""
    env = environment()
    env.globals.update(kind=kind, challenge=CHALLENGE, why_length=WHY)
    return env
