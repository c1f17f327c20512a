"""C and C++ sources that a submission brings, compiles or loads: found, listed, searched for reads at the current index.

They are not followed. What a reader wants to see first is where a condition looks at the element that the loop has just
reached: in a loop over tokens that is the token to be predicted.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from harness.case import Evidence
from harness.witnesses.static.evidence import Lines
from harness.witnesses.static.facts import Site
from harness.witnesses.static.machine import Machine

SUFFIXES = (".c", ".cc", ".cpp", ".cu", ".cuh", ".h", ".hpp")
LOOP = re.compile(r"\bfor\s*\([^;]*?\b(\w+)\s*=[^;]*;")
MOST = 12


def sites(m: Machine, lines: Lines) -> tuple[Site, ...]:
    """Every source, every compiler or library call, and conditions that read at the current index."""
    found: list[Site] = []
    for words, file, line in m.natives:
        if words != "nvidia-smi":
            found.append(Site(f"runs or loads {words[:80]}", lines.at(file, line)))
    for name, first, text in sources(m):
        if name is not None:
            found.append(Site("a C source, not followed", Evidence(name, 0, "")))
            found += [Site(what, Evidence(name, line, row)) for what, line, row in current_reads(text)]
        else:
            found.append(Site("a C source in a string, not followed", lines.at(0, first)))
            found += [Site(what, lines.at(0, first + line - 1)) for what, line, _ in current_reads(text)]
    return tuple(found)


def named(m: Machine, line: int) -> str:
    """What a library that is loaded at a line is called, with the C sources that the submission brings or holds."""
    words, file = next(((words, file) for words, file, at in m.natives if at == line), ("library", 0))
    held = [name or f"the C source at line {first}" for name, first, _ in sources(m)][:3]
    told = "the library" if words == "library" else f"the library {words[-60:]}"
    where = f"line {line}" + (f" of {m.sources[file].display}" if file else "")
    made = f", made from {' and '.join(held)}," if held else ""
    return f"{told} loaded at {where}{made}"


def harmless(words: str) -> bool:
    """Whether a program only tells about the machine or the code."""
    return bool(
        re.match(r"\s*(nvidia-smi|git|hostname|uname|lscpu|nproc|free|df|cat /proc|pyminify|which)\b", words)
    )


def sources(m: Machine) -> Iterator[tuple[str | None, int, str]]:
    """C sources: the file's name (None for a string of the script), the first line, the text."""
    for name, text in sorted(m.files.items()):
        if name.endswith(SUFFIXES):
            yield name, 1, text
    for first, text in embedded(m):
        yield None, first, text


def embedded(m: Machine) -> Iterator[tuple[int, str]]:
    """C sources that stand in the script as strings, with their first line."""
    if "#include" not in m.sources[0].text:
        return
    for node in m.sources[0].nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "#include" in node.value:
            yield node.lineno, node.value


def current_reads(text: str) -> list[tuple[str, int, str]]:
    """Conditions that read an array at the bare variable of a loop around them."""
    found: list[tuple[str, int, str]] = []
    variables: set[str] = set()
    for number, row in enumerate(text.split("\n"), 1):
        variables |= set(LOOP.findall(row))
        condition = re.search(r"\bif\s*\((.*)", row)
        if condition is None:
            continue
        for variable in variables:
            if re.search(rf"\w+\s*\[\s*{re.escape(variable)}\s*\]", condition[1]):
                found.append(
                    (f"a condition reads at the current index {variable}", number, row.strip()[:200])
                )
                break
    return found[:MOST]


FUNCTION = re.compile(r"^[A-Za-z_][\w\s\*]*?\b([A-Za-z_]\w*)\s*\(")


def functions(rows: list[str]) -> dict[str, tuple[int, int]]:
    """The functions of a C source: (first row, last row), counted from 1.

    One begins where a name and a bracket stand at the beginning of a line that ends no statement, and goes on to the next.
    """
    starts = [
        (found[1], number)
        for number, row in enumerate(rows, 1)
        if (found := FUNCTION.match(row))
        and not row.rstrip().endswith(";")
        and found[1] not in ("if", "for", "while")
    ]
    ends = [number - 1 for _, number in starts[1:]] + [len(rows)]
    return {name: (first, last) for (name, first), last in zip(starts, ends, strict=True)}


def reached(rows: list[str], called: set[str]) -> set[str] | None:
    """The functions of a C source that the called ones come to; None where it is not known which are called."""
    held = functions(rows)
    todo = [name for name in held if name in called]
    if not todo:
        return None
    found: set[str] = set()
    while todo:
        name = todo.pop()
        found.add(name)
        first, last = held[name]
        words = set(re.findall(r"\w+", "\n".join(rows[first - 1 : last])))
        todo += [other for other in held if other in words and other not in found]
    return found
