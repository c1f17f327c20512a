"""The documentation of a rule as HTML: our own text, in the one form that all rules keep."""

from __future__ import annotations

import re
import textwrap

from markupsafe import Markup, escape

CHALLENGE = "https://github.com/openai/parameter-golf"

_HEADING = re.compile(r"[A-Z][A-Za-z ]+")
_MARK = re.compile(r"(?P<link>https://[^\s<>()\"']*[^\s<>()\"'.,;:])|#(?P<thread>\d+)\b|`(?P<code>[^`]+)`")


def to_html(doc: str) -> Markup:
    """A first sentence, then sections: a heading at the margin, its body indented by four spaces.

    An example is code. A legal alternative is prose, and code after a line of prose that ends in a colon. Rulings are
    a list, a line each. Anything else is paragraphs.
    """
    out: list[Markup] = []
    for heading, body in _sections(doc):
        if heading:
            out.append(Markup("<h4>{}</h4>").format(heading))
        out += _BODIES.get(heading, _paragraphs)(body)
    return Markup("\n").join(out)


def _sections(doc: str) -> list[tuple[str, str]]:
    """(heading, dedented body) of each section; what stands before the first heading has none."""
    sections: list[tuple[str, list[str]]] = [("", [])]
    lines = doc.strip("\n").split("\n")
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if _HEADING.fullmatch(line) and following.startswith("    "):
            sections.append((line, []))
        else:
            sections[-1][1].append(line)
    return [(heading, textwrap.dedent("\n".join(body)).strip("\n")) for heading, body in sections]


def _paragraphs(body: str) -> list[Markup]:
    return [Markup("<p>{}</p>").format(_inline(part)) for part in re.split(r"\n\s*\n", body) if part.strip()]


def _code(body: str) -> list[Markup]:
    return [Markup("<pre>{}</pre>").format(body)]


def _prose_then_code(body: str) -> list[Markup]:
    lines = body.split("\n")
    colon = next((i for i, line in enumerate(lines) if line[:1].isupper() and line.endswith(":")), len(lines))
    code = "\n".join(lines[colon + 1 :])
    return _paragraphs("\n".join(lines[: colon + 1])) + (_code(code) if code.strip() else [])


def _list(body: str) -> list[Markup]:
    items = [Markup("<li>{}</li>").format(_inline(line)) for line in body.split("\n") if line.strip()]
    return [Markup("<ul>{}</ul>").format(Markup("").join(items))]


def _inline(text: str) -> Markup:
    """Addresses and thread numbers (#549) become links, `words` code."""
    out, done = Markup(""), 0
    text = " ".join(text.split())
    for match in _MARK.finditer(text):
        out += escape(text[done : match.start()])
        if match["code"]:
            out += Markup("<code>{}</code>").format(match["code"])
        else:
            target = match["link"] or f"{CHALLENGE}/issues/{match['thread']}"
            out += Markup('<a href="{}" rel="noreferrer">{}</a>').format(target, match[0])
        done = match.end()
    return out + escape(text[done:])


_BODIES = {"Example": _code, "Legal alternative": _prose_then_code, "Rulings": _list}
