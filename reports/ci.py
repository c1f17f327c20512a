"""Markdown for CI: a short comment for the pull request, a longer summary for the job; no stranger's text breaks out."""

from __future__ import annotations

from harness.version import VERSION
from reports.markdown import Safe, environment
from reports.result import Results

COMMENT_CHARACTERS, SUMMARY_BYTES = 60_000, 900_000
"""GitHub refuses comments over 65,536 characters and summaries over 1 MiB."""

MARK = "<!-- pgolf-audit -->"
"""First line of the comment; the workflow finds the comment that it updates by it, and by its own name as the author."""

EXEMPT = {"waiver": "waived", "warning": "only warns here", "date": "not yet ruled then"}


def comment(results: Results, said: str = "") -> str:
    """The comment of a pull request; `said` is a sentence of ours above it."""
    return _shortened(f"{MARK}\n{_render(results, said, full=False)}", COMMENT_CHARACTERS)


def summary(results: Results, said: str = "") -> str:
    """The summary of a job: every rule of every submission."""
    return _shortened(_render(results, said, full=True), SUMMARY_BYTES // 4)


def _render(results: Results, said: str, *, full: bool) -> str:
    template = environment().get_template("ci.md.j2")
    text = template.render(
        results=results, said=said, full=full, safe=Safe, EXEMPT=EXEMPT, version=Safe(VERSION)
    )
    lines = text.split("\n")
    return "\n".join(line for n, line in enumerate(lines) if line or n == 0 or lines[n - 1]).strip() + "\n"


def _shortened(text: str, most: int) -> str:
    """Whole paragraphs only: a cut inside a code block would leave it open."""
    if len(text) <= most:
        return text
    end = text.rfind("\n### ", 0, most - 200)
    kept = text[:end] if end > 0 else text[: text.index("\n", 0)]
    return (
        f"{kept}\n\nThe rest is left out here: the report is too long. The whole is in the uploaded files.\n"
    )
