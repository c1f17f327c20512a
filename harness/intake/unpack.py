"""A script as shipped becomes the program that it runs: decoded, unpacked without being executed, readable by line."""

from __future__ import annotations

import ast
import dataclasses
import hashlib
import posixpath
import re
from collections.abc import Callable, Iterator

from harness.case import Script
from harness.intake import preamble
from harness.intake.decode import decode_script
from harness.intake.evaluator import Evaluator
from harness.intake.functions import FOLDER
from harness.intake.runnable import make_runnable
from harness.intake.syntax import Unparsable, parse, walk

_MAX_STAGES = 8
_WRAPPER_CODE = 6_000  # characters besides its literals; every real wrapper stays below 1,500
_WRAPPER_TEXT = 40_000  # the same with comments and short strings: a quick look
_PAYLOAD = re.compile(r"\S{400,}")
_RUNS_TEXT = re.compile(r"(?<![\w.])(?:exec|eval|marshal)\b|\b(?:exec_module|run_path|execvp?)\b")

STILL_PACKED = "It looks self-extracting, but could not be unpacked without running it"
"""How the note begins that marks a script whose program stays hidden."""

ReadBeside = Callable[[str], bytes | None]


@dataclasses.dataclass(frozen=True)
class _Layer:
    source: str
    stages: tuple[str, ...]
    notes: tuple[str, ...]
    files: dict[str, bytes]


def unpack(data: bytes, path: str, read: ReadBeside | None = None) -> Script:
    """One script, ready to be read, parsed and run.

    `path` is relative to the submission folder. `read` gives the bytes of a file by its path relative to the script's
    folder, or None; scripts that unpack a file beside them need it. Never raises on hostile data: what could not be
    done is a sentence in `Script.notes`.
    """
    return unpack_with_files(data, path, read)[0]


def unpack_with_files(
    data: bytes, path: str, read: ReadBeside | None = None
) -> tuple[Script, dict[str, bytes]]:
    """As :func:`unpack`, and the files that the wrapper would write beside the script, by path from its folder."""
    source, notes = decode_script(data)
    stages: list[str] = []
    files: dict[str, bytes] = {}
    for _ in range(_MAX_STAGES):
        layer = _peel(source, posixpath.basename(path), read or (lambda _: None))
        if layer is None:
            break
        notes += layer.notes
        files |= layer.files
        if not layer.stages:
            break
        source = layer.source
        stages += layer.stages
    else:
        notes.append(f"It is packed more than {_MAX_STAGES} times over; what is audited is still packed.")
    runnable, problems = make_runnable(source)
    script = Script(
        path=path,
        shipped_bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        source=source,
        runnable=runnable,
        display=f"{path} (unpacked: {', '.join(stages)})" if stages else path,
        stages=tuple(stages),
        notes=(*notes, *problems),
    )
    return script, files


def _peel(source: str, file_name: str, read: ReadBeside) -> _Layer | None:
    """The program one layer below; a layer without stages where it cannot be reached; None for a plain program."""
    payload = sum(len(m[0]) for m in _PAYLOAD.finditer(source))
    if (not payload and not _RUNS_TEXT.search(source)) or len(source) - payload > _WRAPPER_TEXT:
        return None
    try:
        tree = parse(source)
    except Unparsable:
        return None
    if _code_size(source, tree) > _WRAPPER_CODE:
        return None
    statements = list(_flattened(tree.body))
    wrapper = Evaluator(file_name, read)
    effects, runs = _evaluate(statements, wrapper)
    return _unpacked(statements, effects, runs, wrapper) if runs else _still_packed(source, wrapper)


def _flattened(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a module in order, without the customary `if __name__ == "__main__":` around them."""
    for statement in body:
        if isinstance(statement, ast.If) and ast.unparse(statement.test) == "__name__ == '__main__'":
            yield from statement.body
        else:
            yield statement


def _evaluate(statements: list[ast.stmt], wrapper: Evaluator) -> tuple[set[int], list[int]]:
    """Which statements only running can do, and which run unpacked programs."""
    effects: set[int] = set()
    runs: list[int] = []
    for index, statement in enumerate(statements):
        programs = len(wrapper.programs)
        effect = wrapper.run(statement)
        if len(wrapper.programs) > programs:
            runs.append(index)
        elif effect:
            effects.add(index)
    return effects, runs


def _still_packed(source: str, wrapper: Evaluator) -> _Layer | None:
    payload = sum(len(m[0]) for m in _PAYLOAD.finditer(source))
    if not _RUNS_TEXT.search(source) or (payload < len(source) / 2 and wrapper.problem is None):
        return None
    why = wrapper.problem or "the text that it runs is not computed in a way that intake follows"
    return _Layer(source, (), (f"{STILL_PACKED}: {why}.",), {})


def _unpacked(statements: list[ast.stmt], effects: set[int], runs: list[int], wrapper: Evaluator) -> _Layer:
    notes: list[str] = []
    texts: list[str] = []
    for program in wrapper.programs:
        text, oddities = decode_script(program.data)
        texts.append(text)
        notes += oddities
    if len(texts) > 1:
        notes.append(f"It runs {len(texts)} programs one after the other; they are shown as one.")
    source, more = _with_wrapper("\n".join(texts), statements, effects, runs)
    stages = max((p.stages for p in wrapper.programs), key=len) or ("exec",)
    files = {
        name.removeprefix(FOLDER + "/"): content
        for name, content in wrapper.files.items()
        if name.startswith(FOLDER + "/") and content not in {p.data for p in wrapper.programs}
    }
    return _Layer(source, stages, tuple(notes + more), files)


def _with_wrapper(
    program: str, statements: list[ast.stmt], effects: set[int], runs: list[int]
) -> tuple[str, list[str]]:
    """The program with what its wrapper does before and after it, and sentences that say so."""
    before = range(runs[0])
    kept = preamble.kept([statements[i] for i in before], effects & set(before), make_runnable(program)[0])
    after = [statements[i] for i in sorted(effects) if i > runs[0]]
    notes = []
    source, moved = preamble.with_preamble(preamble.with_trailer(program, after), kept)
    if kept:
        where = "in a line before its first" if moved else "at the start of its first statement"
        notes.append(
            f"Its wrapper does more than unpack: {len(kept)} of its statements stay in effect, {where}."
        )
    if after:
        notes.append(
            f"Its wrapper does {len(after)} more things after the unpacked program; they are shown at its end."
        )
    return source, notes


def _code_size(source: str, tree: ast.Module) -> int:
    """Characters of a program besides its string and bytes literals."""
    literals = (
        n.value for n in walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str | bytes)
    )
    return len(source) - sum(map(len, literals))
