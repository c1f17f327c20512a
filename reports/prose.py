"""The docstring of a rule as HTML: our own text, in the few forms that rule documentation uses."""

from __future__ import annotations

import re
import textwrap

from markupsafe import Markup, escape

HEADINGS = ("What it does", "Why it breaks the score", "Example", "Legal alternative", "Rulings", "Since")

_LINK = re.compile(r"https://[^\s<>()\"']+[^\s<>()\"'.,;:]")
_CODE = re.compile(r"`+([^`]+)`+")


def to_html(doc: str) -> Markup:
    """Headings (a line that is one of HEADINGS, however marked), lists, indented code and paragraphs."""
    first, _, rest = doc.strip().partition("\n")
    text = first + "\n\n" + textwrap.dedent(rest) if rest else first
    out, lines = [], text.split("\n")
    while lines:
        block, lines = _take(lines)
        if block:
            out.append(_block(block))
    return Markup("\n").join(out)


def _take(lines: list[str]) -> tuple[list[str], list[str]]:
    """The next block: a heading alone, or lines up to a blank one, a heading, or a change of indentation."""
    if not lines[0].strip():
        return [], lines[1:]
    if _heading(lines[0]):
        rest = lines[1:]
        return lines[:1], rest[1:] if rest and re.fullmatch(r"\s*[-=~]{3,}\s*", rest[0]) else rest
    code = lines[0].startswith("    ")
    end = 1
    while end < len(lines) and not _heading(lines[end]):
        if code and not lines[end].startswith("    ") and lines[end].strip():
            break
        if not code and not lines[end].strip():
            break
        end += 1
    return lines[:end], lines[end:]


def _heading(line: str) -> str:
    words = line.strip().strip("#*").strip().rstrip(":")
    return words if words in HEADINGS and not line.startswith("    ") else ""


def _block(lines: list[str]) -> Markup:
    heading = _heading(lines[0])
    if heading and len(lines) == 1:
        return Markup("<h5>{}</h5>").format(heading)
    if lines[0].startswith("    "):
        return Markup("<pre>{}</pre>").format(textwrap.dedent("\n".join(lines)).strip("\n"))
    if re.match(r"\s*[-*] ", lines[0]):
        items = re.split(r"(?m)^\s*[-*] ", "\n".join(lines))[1:]
        return Markup("<ul>{}</ul>").format(
            Markup("").join(Markup("<li>{}</li>").format(_inline(i)) for i in items)
        )
    return Markup("<p>{}</p>").format(_inline("\n".join(lines)))


def _inline(text: str) -> Markup:
    escaped = str(escape(" ".join(text.split())))
    escaped = _LINK.sub(lambda m: f'<a href="{m[0]}" rel="noreferrer">{m[0]}</a>', escaped)
    return Markup(_CODE.sub(r"<code>\1</code>", escaped))
