"""Gives the labels of printed scores other words, in a script and in its logs alike: nothing but wording has changed.

A label is a word that a script prints before a loss or a BPB on one line ("final_int6_sliding_window_exact"). The units
(`val_loss`, `val_bpb`) and the count of steps stay: they are the challenge's own format, not the author's wording.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping

_SCORE = re.compile(r"(?i)\b(?:[a-z]+_)*(?:loss|bpb|ppl|nats?)(?:_[a-z]+)*\b\s*[:=]")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]{2,}")
_UNIT = re.compile(r"(?i)(.*_)?(loss|bpb|nats?|bits?|bytes?|tokens?|steps?|time|seed|train|val)(_.*)?")
PAPERS = (".log", ".txt", ".md")


def labels(source: str) -> dict[str, str]:
    """The new word for each label of the script. Words that are spelt in other strings stay: they may name something.
    Raises SyntaxError where the source does not parse."""
    nodes = list(ast.walk(ast.parse(source)))
    parts = {id(v): n for n in nodes if isinstance(n, ast.JoinedStr) for v in n.values}
    found: dict[str, None] = {}
    for node in nodes:
        if isinstance(node, ast.JoinedStr):
            text = "".join(str(v.value) if isinstance(v, ast.Constant) else "{}" for v in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
            text = node.value
        else:
            continue
        score = _SCORE.search(text) if "\n" not in text.strip() else None
        if score is not None:
            found |= dict.fromkeys(w for w in _WORD.findall(text[: score.start()]) if not _UNIT.fullmatch(w))
    kept = {
        word
        for n in nodes
        if isinstance(n, ast.Constant) and isinstance(n.value, str) and id(n) not in parts
        if not _SCORE.search(n.value)
        for word in _WORD.findall(n.value)
    }
    return {word: f"lq{number}x" for number, word in enumerate(sorted(found.keys() - kept))}


def reworded(source: str, words: Mapping[str, str]) -> str:
    """The script with other labels. Raises SyntaxError where the source does not parse."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node.value = _replaced(node.value, words)
    return ast.unparse(tree)


def reworded_papers(texts: Mapping[str, str], words: Mapping[str, str]) -> dict[str, str]:
    """Logs and READMEs by path, with other labels on the lines that state a loss or a BPB."""
    return {
        path: "".join(
            _replaced(line, words) if _SCORE.search(line) else line for line in text.splitlines(keepends=True)
        )
        for path, text in texts.items()
    }


def _replaced(text: str, words: Mapping[str, str]) -> str:
    return _WORD.sub(lambda m: words.get(m.group(), m.group()), text)
