"""Readable copies beside a packed script, and identical copies, are one program: it is audited once."""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Mapping

from harness.case import Script
from harness.intake.syntax import Unparsable, parse, walk

_COPY_NAME = re.compile(
    r"(?i)human|readable|decoded|decompress|unpack|unmin|verbose|source|expanded|full|raw|pretty|orig"
)
_ALIKE = 0.75


def without_duplicates(
    scripts: Mapping[str, Script], produced: Mapping[str, Script]
) -> tuple[dict[str, Script], list[str]]:
    """Scripts without copies of one another, and a sentence for each script passed over.

    `produced` are the modules that packed scripts of the folder bring with them.
    """
    kept: dict[str, Script] = {}
    words: dict[str, frozenset[str]] = {}
    notes: list[str] = []
    for path in sorted(scripts, key=_preference):  # the likeliest original first
        script = scripts[path]
        original = next((o for o in kept if _same(kept[o], script, words)), None)
        module = next((p for p in produced if produced[p].source.strip() == script.source.strip()), None)
        if original is not None and _starts(script, original):
            notes.append(
                f"{path} starts {original}, which is audited itself; what {path} sets is not followed."
            )
        elif original is not None or module is not None:
            notes.append(f"{path} is a copy of {original or module}; it is not audited a second time.")
        else:
            kept[path] = script
    return kept, notes


def _preference(path: str) -> tuple[bool, bool, int, str]:
    name = posixpath.basename(path)
    return name != "train_gpt.py", bool(_COPY_NAME.search(name)), path.count("/"), path


def _same(original: Script, copy: Script, words: dict[str, frozenset[str]]) -> bool:
    if original.source.strip() == copy.source.strip() or original.sha256 == copy.sha256:
        return True
    if _starts(copy, original.path):
        return True
    packed_apart = bool(original.stages) and not copy.stages
    if not packed_apart and not _COPY_NAME.search(posixpath.basename(copy.path)):
        return False
    for script in (original, copy):
        if script.sha256 not in words:
            words[script.sha256] = _words(script.runnable)
    one, other = words[original.sha256], words[copy.sha256]
    return bool(one and other) and len(one & other) / min(len(one), len(other)) >= _ALIKE


def _starts(script: Script, path: str) -> bool:
    """Whether a script does nothing but run the file `path`, which lies beside it."""
    return bool(script.stages) and script.stages[0] == f"file {posixpath.basename(path)}"


def _words(source: str) -> frozenset[str]:
    """Words that survive minification: attributes, keywords, strings and the names of functions and classes."""
    try:
        tree = parse(source)
    except Unparsable:
        return frozenset()
    words: set[str] = set()
    for node in walk(tree):
        match node:
            case ast.Attribute(attr=word) | ast.keyword(arg=str() as word):
                words.add(word)
            case ast.Constant(value=str() as word) if len(word) < 60:
                words.add(word)
            case ast.FunctionDef(name=word) | ast.ClassDef(name=word):
                words.add(word)
    return frozenset(words)
