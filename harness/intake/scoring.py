"""Which scripts of a folder are submissions: those that themselves compute a loss on validation tokens when run."""

from __future__ import annotations

import ast
import dataclasses
import functools
import posixpath
import re
from collections.abc import Mapping

from harness.intake.syntax import Unparsable, all_nodes, parse, walk

_VAL = re.compile(r"(?i)(?:^|[^a-z])(?:val|validation|bpb)(?:$|[^a-z])")
_LOSS = re.compile(
    r"(?i)cross_?entropy|nll|log_?softmax|log_?sum_?exp|\blog2\b|bpb|bits_per_byte|logits|val_loss"
)
_FRAMEWORKS = {"torch", "mlx", "jax", "tinygrad", "tensorflow", "flax", "triton"}
_MAIN = re.compile(r"(?i)train|eval|main|run|submission")
_TESTS = re.compile(r"(?:^|/)(?:test_[^/]*|[^/]*_test|conftest)\.py$")


@dataclasses.dataclass(frozen=True)
class Features:
    """What the code of one script shows."""

    runs: bool  # does work when started, not only when imported
    val: bool
    loss: bool
    framework: bool
    test: bool
    imports: frozenset[str]


@functools.lru_cache(maxsize=128)
def features(source: str, path: str) -> Features:
    """Features of one script; of its text where it does not parse, so that a broken script is not passed over."""
    try:
        tree = parse(source)
    except Unparsable:
        return _text_features(source, path)
    words: set[str] = set()
    strings: list[str] = []
    imports: set[str] = set()
    for node in all_nodes(tree):
        kind = node.__class__
        if kind is ast.Name:
            words.add(node.id)  # type: ignore[attr-defined]
        elif kind is ast.Attribute:
            words.add(node.attr)  # type: ignore[attr-defined]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            strings.append(node.value)
        elif isinstance(node, ast.Import):
            imports |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom):
            imports |= {node.module} if node.module else {a.name for a in node.names}
    tops = {name.split(".")[0] for name in imports}
    return Features(
        runs=any(_works(s) for s in tree.body),
        val=any(_VAL.search(w) for w in words) or any(_VAL.search(s) for s in strings),
        loss=any(_LOSS.search(w) for w in words),
        framework=bool(tops & _FRAMEWORKS),
        test=bool(tops & {"pytest", "unittest"}) or bool(_TESTS.search(path)),
        imports=frozenset(imports),
    )


def _text_features(source: str, path: str) -> Features:
    imports = set(re.findall(r"(?m)^[ \t]*(?:import|from)[ \t]+([\w.]+)", source))
    return Features(
        runs="__main__" in source or bool(re.search(r"(?m)^\w[\w.]*\(", source)),
        val=bool(_VAL.search(source)),
        loss=bool(_LOSS.search(source)),
        framework=bool({name.split(".")[0] for name in imports} & _FRAMEWORKS),
        test=bool(_TESTS.search(path)),
        imports=frozenset(imports),
    )


def _works(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.If):
        names = (node.id for node in walk(statement.test) if isinstance(node, ast.Name))
        return "__name__" in names or any(
            isinstance(s, ast.Expr | ast.For | ast.With) for s in statement.body
        )
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Call)
    return isinstance(statement, ast.For | ast.While | ast.With)


def scoring(known: Mapping[str, Features]) -> set[str]:
    """Paths of those scripts that score, among all the scripts of one folder.

    A script that leaves the work to modules of the folder counts if it speaks of validation itself or bears the name of
    a main script. Where none scores, a train_gpt.py that runs at all is taken for the submission.
    """
    chosen = {path for path, own in known.items() if own.runs and not own.test and _scores(path, own, known)}
    if chosen:
        return chosen
    return {path for path, own in known.items() if own.runs and posixpath.basename(path) == "train_gpt.py"}


def _scores(path: str, own: Features, known: Mapping[str, Features]) -> bool:
    reached = [own, *(known[p] for p in _imported(path, own, known))]
    if not any(f.loss and f.framework for f in reached):
        return False
    name = posixpath.basename(path)
    return (
        own.val or name.startswith("train_gpt") or (bool(_MAIN.match(name)) and any(f.val for f in reached))
    )


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
