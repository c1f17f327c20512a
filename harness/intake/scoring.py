"""Which scripts of a folder are submissions: those that themselves compute a loss on validation tokens when run."""

from __future__ import annotations

import ast
import dataclasses
import posixpath
import re
from collections.abc import Mapping

from harness.intake.syntax import Unparsable, parse

_VAL = re.compile(r"(?i)(?:^|[^a-z])(?:val|validation|bpb)(?:$|[^a-z])|fineweb")
_LOSS = re.compile(
    r"(?i)cross_?entropy|nll|log_?softmax|log_?sum_?exp|\blog2\b|bpb|bits_per_byte|logits|val_loss"
)
_FRAMEWORKS = {"torch", "mlx", "jax", "tinygrad", "tensorflow", "flax", "triton"}
_TESTS = re.compile(r"(?:^|/)(?:test_[^/]*|[^/]*_test|conftest)\.py$")


@dataclasses.dataclass(frozen=True)
class Features:
    """What the syntax tree of one script shows."""

    runs: bool  # does work when started, not only when imported
    val: bool
    loss: bool
    framework: bool
    test: bool
    imports: frozenset[str]
    calls: frozenset[str]


def features(source: str, path: str) -> Features | None:
    """Features of one script; None where it does not parse."""
    try:
        tree = parse(source)
    except Unparsable:
        return None
    words: set[str] = set()
    strings: list[str] = []
    imports: set[str] = set()
    calls: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=word) | ast.Attribute(attr=word) | ast.arg(arg=word):
                words.add(word)
            case ast.Constant(value=str() as text):
                strings.append(text)
            case ast.Import(names=names):
                imports |= {a.name for a in names}
            case ast.ImportFrom(module=module, names=names, level=level):
                imports |= (
                    {module or a.name for a in names} if level == 0 or module else {a.name for a in names}
                )
            case ast.Call(func=ast.Name(id=word)) | ast.Call(func=ast.Attribute(attr=word)):
                calls.add(word)
    tops = {name.split(".")[0] for name in imports}
    return Features(
        runs=any(_works(s) for s in tree.body),
        val=any(_VAL.search(w) for w in words) or any(_VAL.search(s) for s in strings),
        loss=any(_LOSS.search(w) for w in words),
        framework=bool(tops & _FRAMEWORKS),
        test=bool(tops & {"pytest", "unittest"}) or bool(_TESTS.search(path)),
        imports=frozenset(imports),
        calls=frozenset(calls),
    )


def _works(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.If):
        return "__main__" in ast.unparse(statement.test) or any(_works(s) for s in statement.body)
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Call)
    return isinstance(statement, ast.For | ast.While | ast.With)


def scoring(sources: Mapping[str, str]) -> set[str]:
    """Paths of those Python sources that score, among all the sources of one folder."""
    known = {path: found for path, source in sources.items() if (found := features(source, path)) is not None}
    chosen = set()
    for path, own in known.items():
        reached = [own, *(known[p] for p in _imported(path, own, known))]
        if (
            own.runs
            and not own.test
            and any(f.val for f in reached)
            and any(f.loss and f.framework for f in reached)
        ):
            chosen.add(path)
    return chosen


def _imported(path: str, own: Features, known: Mapping[str, Features]) -> set[str]:
    """Modules of the folder that a script imports, directly or through others."""
    found: set[str] = set()
    waiting = [(path, own)]
    while waiting:
        importer, facts = waiting.pop()
        folder = posixpath.dirname(importer)
        for name in facts.imports:
            for place in (folder, ""):
                stem = posixpath.join(place, name.replace(".", "/"))
                for candidate in (stem + ".py", stem + "/__init__.py"):
                    if candidate in known and candidate not in found and candidate != path:
                        found.add(candidate)
                        waiting.append((candidate, known[candidate]))
    return found
