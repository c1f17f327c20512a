"""Readable copies beside a packed script, and identical copies, are one program: it is audited once."""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Mapping

from harness.case import Script
from harness.intake.syntax import Unparsable, parse

_COPY_NAME = re.compile(
    r"(?i)human|readable|decoded|decompress|unpack|unmin|verbose|source|expanded|full|raw|pretty|orig"
)
_ALIKE = 0.75


def without_duplicates(
    scripts: Mapping[str, Script], folder: Mapping[str, Script]
) -> tuple[dict[str, Script], list[str]]:
    """Scripts without copies of one another, and a sentence for each copy passed over.

    `folder` holds every script of the folder; only `scripts` are submissions.
    """
    kept = dict(scripts)
    notes: list[str] = []
    for path in sorted(scripts, key=_preference, reverse=True):  # the least likely original first
        original = next(
            (o for o in sorted(kept, key=_preference) if o != path and _same(kept[o], scripts[path])), None
        )
        if original is not None:
            del kept[path]
            notes.append(
                f"{path} is a copy of {original} (the same program); it is not audited a second time."
            )
    return kept, notes


def _preference(path: str) -> tuple[bool, bool, int, str]:
    name = posixpath.basename(path)
    return name != "train_gpt.py", bool(_COPY_NAME.search(name)), path.count("/"), path


def _same(original: Script, copy: Script) -> bool:
    if original.source.strip() == copy.source.strip() or original.sha256 == copy.sha256:
        return True
    if any(stage == f"file {posixpath.basename(original.path)}" for stage in copy.stages):
        return True
    packed_apart = bool(original.stages) and not copy.stages
    if not packed_apart and not _COPY_NAME.search(posixpath.basename(copy.path)):
        return False
    one, other = _words(original.runnable), _words(copy.runnable)
    if not one or not other:
        return False
    return len(one & other) / min(len(one), len(other)) >= _ALIKE


def _words(source: str) -> set[str]:
    """Words that survive minification: attributes, keywords, strings and the names of functions and classes."""
    try:
        tree = parse(source)
    except Unparsable:
        return set()
    words: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr=word) | ast.keyword(arg=str() as word):
                words.add(word)
            case ast.Constant(value=str() as word) if len(word) < 60:
                words.add(word)
            case ast.FunctionDef(name=word) | ast.ClassDef(name=word):
                words.add(word)
    return words
