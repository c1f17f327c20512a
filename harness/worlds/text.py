"""Real English text that every Python carries: its language documentation and the docstrings of its library.

It comes as documents of up to 2,500 characters, short ones and long ones, in an order drawn from a seed. The
text depends on the Python release alone.
"""

from __future__ import annotations

import ast
import functools
import random
import re
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path
from pydoc_data import topics

SHORTEST, LONGEST = 60, 2_500

_MARKUP = re.compile(r"[`*]|::(?=\s|$)")
_UNDERLINE = re.compile(r"^\W+$", re.MULTILINE)
_SENTENCE = re.compile(r"(?<=[.!?:]) (?=[A-Z])")


def documents(seed: int) -> list[str]:
    """Documents, each of at least one sentence, in an order drawn from the seed; no sentence comes twice."""
    rng = random.Random(seed)
    found = [document for sentences in _prose() for document in _cut(sentences, rng)]
    rng.shuffle(found)
    return found


@functools.cache
def _prose() -> tuple[tuple[str, ...], ...]:
    """The sentences of each article, those left out that an earlier one holds."""
    seen: set[str] = set()
    found = []
    for article in _articles():
        found.append(tuple(s for s in dict.fromkeys(_sentences(article)) if s not in seen))
        seen.update(found[-1])
    return tuple(found)


def _articles() -> Iterator[str]:
    """Topics of the language documentation, then one article per library module, in a fixed order."""
    yield from (topics.topics[name] for name in sorted(topics.topics))
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        try:
            tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError, OSError):
            continue  # a file that somebody put beside the library
        nodes = (n for n in ast.walk(tree) if isinstance(n, ast.Module | ast.ClassDef | ast.FunctionDef))
        yield "\n\n".join(d for n in nodes if (d := ast.get_docstring(n)))


def _sentences(article: str) -> Iterator[str]:
    """The prose of an article, sentence by sentence: code, tables and headings are left out."""
    for block in re.split(r"\n\s*\n", _UNDERLINE.sub("", article)):
        text = " ".join(_MARKUP.sub("", block).split())
        letters = sum(c.isalpha() or c == " " for c in text)
        if len(text) < 40 or letters < 0.85 * len(text) or ">>>" in text:
            continue
        # Typographic marks: rare enough to fall back to bytes in small vocabularies, as they do in web text.
        text = re.sub(r' "([^"]*)"', " \u201c\\1\u201d", text).replace(" -- ", " \u2014 ")
        yield from (s for s in _SENTENCE.split(text) if len(s) >= 20)


def _cut(sentences: Iterable[str], rng: random.Random) -> Iterator[str]:
    """Documents of neighbouring sentences; their lengths are spread evenly on a logarithmic scale."""
    held: list[str] = []
    wanted = 0.0
    for sentence in sentences:
        if not held:
            wanted = SHORTEST * (LONGEST / SHORTEST) ** rng.random()
        held.append(sentence)
        if sum(map(len, held)) >= wanted:
            yield " ".join(held)[:LONGEST]
            held = []
    if held:
        yield " ".join(held)[:LONGEST]
