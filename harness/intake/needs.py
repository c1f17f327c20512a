"""Which files a script needs beside it: modules that it imports, and files whose names it writes."""

from __future__ import annotations

import functools
import posixpath
import re
from collections.abc import Collection, Mapping

_IMPORT = re.compile(
    rb"(?m)^[ \t]*(?:from[ \t]+\.*([\w.]*)[ \t]+import[ \t]+([^\n#(]*)|import[ \t]+([^\n#]+))"
)
_FILE_NAME = re.compile(
    rb"[\w-]+(?:\.[\w-]+)*\.(?:py|c|cc|cpp|cu|cuh|h|hpp|json|model|vocab|txt|npy|npz|bin|pt|pth|lzma|so)(?=[\"'])"
)


def needed(scripts: Mapping[str, bytes], present: Collection[str]) -> set[str]:
    """Those of the files `present` that the scripts need; both by their paths in one folder.

    A module counts where Python would find it (beside the script or at the top of the folder), a file name where such
    a file lies beside the script or one folder below.
    """
    by_name: dict[str, list[str]] = {}
    for path in present:
        by_name.setdefault(posixpath.basename(path), []).append(path)
    found: set[str] = set()
    for script, data in scripts.items():
        here = posixpath.dirname(script)
        for name in _names(data):
            near = (p for p in by_name.get(name, ()) if here in (_above(p), _above(_above(p))))
            found.update(near)
        for module in _modules(data):
            stems = {module.replace(".", "/"), posixpath.join(here, module.replace(".", "/"))}
            found |= {f"{stem}{end}" for stem in stems for end in (".py", "/__init__.py")} & set(present)
    return found - set(scripts)


def _above(path: str) -> str:
    return posixpath.dirname(path)


@functools.lru_cache(maxsize=128)
def _names(data: bytes) -> frozenset[str]:
    return frozenset(name.decode("ascii", "replace") for name in _FILE_NAME.findall(data))


@functools.lru_cache(maxsize=128)
def _modules(data: bytes) -> frozenset[str]:
    modules: set[str] = set()
    for source, imported, plain in _IMPORT.findall(data):
        head = source.decode("utf-8", "replace")
        modules.add(head)
        for name in (imported or plain).decode("utf-8", "replace").split(","):
            word = name.split(" as ")[0].strip()
            modules |= {word, f"{head}.{word}".strip(".")} if imported else {word}
    return frozenset(m for m in modules if m and re.fullmatch(r"[\w.]+", m))
