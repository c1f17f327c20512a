"""Which files a script needs beside it: modules that it imports, and files whose names it writes."""

from __future__ import annotations

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
    """Those of the files `present` (paths in one folder) that the scripts need, directly or through others.

    Only names are looked at; the contents of files found on the way are given by `scripts` where they are known.
    """
    by_name: dict[str, list[str]] = {}
    for path in present:
        by_name.setdefault(posixpath.basename(path), []).append(path)
    found: set[str] = set()
    for data in scripts.values():
        for name in _names(data):
            found |= set(by_name.get(name, ())) - set(scripts)
        for module in _modules(data):
            stem = module.replace(".", "/")
            found |= {
                p for p in present if p in (f"{stem}.py", f"{stem}/__init__.py") or p.endswith(f"/{stem}.py")
            }
    return found - set(scripts)


def _names(data: bytes) -> set[str]:
    return {name.decode("ascii", "replace") for name in _FILE_NAME.findall(data)}


def _modules(data: bytes) -> set[str]:
    modules: set[str] = set()
    for source, imported, plain in _IMPORT.findall(data):
        head = source.decode("utf-8", "replace")
        modules.add(head)
        for name in (imported or plain).decode("utf-8", "replace").split(","):
            word = name.split(" as ")[0].strip()
            modules |= {word, f"{head}.{word}".strip(".")} if imported else {word}
    return {m for m in modules if m and re.fullmatch(r"[\w.]+", m)}
