"""A script as shipped becomes the program that it runs: decoded, unpacked without being executed, readable by line."""

from __future__ import annotations

import ast
import dataclasses
import hashlib
import posixpath
import re
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping

from harness.case import Script
from harness.intake import preamble
from harness.intake.decode import REFUSED, decode_script
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
class _Unpacked:
    """What unpacking gave, and what it asked for: files by name, None for one that is not there."""

    script: Script
    files: dict[str, bytes]
    asked: Mapping[str, bytes | None]


_KEPT = 64
_UNPACKED: OrderedDict[tuple[bytes, str], _Unpacked] = OrderedDict()


@dataclasses.dataclass(frozen=True)
class _Layer:
    """One wrapper: the program below it, and what the wrapper does besides (`before` and `after` running it)."""

    program: str
    stages: tuple[str, ...]
    notes: tuple[str, ...] = ()
    files: Mapping[str, bytes] = dataclasses.field(default_factory=dict)
    before: tuple[ast.stmt, ...] = ()
    effects: frozenset[int] = frozenset()  # which of `before` do something that only running can do
    after: tuple[ast.stmt, ...] = ()


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
    """As :func:`unpack`, and the files that the wrapper would write beside the script, by path from its folder.

    What was unpacked is kept for a while, by bytes and path, as resubmissions bring the same scripts again; it holds where
    the files that were asked for are the same too.
    """
    read = read or (lambda _: None)
    known = _UNPACKED.get((data, path))
    if known is not None and all(read(name) == answer for name, answer in known.asked.items()):
        _UNPACKED.move_to_end((data, path))
        return known.script, known.files
    asked: dict[str, bytes | None] = {}

    def beside(name: str) -> bytes | None:
        asked[name] = read(name)
        return asked[name]

    script, files = _unpacked(data, path, beside)
    _UNPACKED[data, path] = _Unpacked(script, files, asked)
    if len(_UNPACKED) > _KEPT:
        _UNPACKED.popitem(last=False)
    return script, files


def _unpacked(data: bytes, path: str, read: ReadBeside) -> tuple[Script, dict[str, bytes]]:
    source, notes = decode_script(data)
    refused = next((n for n in notes if n in REFUSED), "")
    layers: list[_Layer] = []
    while (layer := _guarded_peel(source, posixpath.basename(path), read)) is not None:
        notes += layer.notes
        if not layer.stages:
            break
        layers.append(layer)
        source = layer.program
        if len(layers) == _MAX_STAGES:
            notes.append(f"{STILL_PACKED}: it is packed {_MAX_STAGES} times over or more.")
            break
    for layer in reversed(layers):
        try:
            source, more = _with_wrapper(source, layer)
        except RecursionError:
            more = [
                "What its wrapper does besides unpacking is nested too deeply to be kept; it is not shown."
            ]
        notes += more
    stages = [stage for layer in layers for stage in layer.stages]
    files = {name: content for layer in layers for name, content in layer.files.items()}
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
        refused=refused,
    )
    return script, files


def _guarded_peel(source: str, file_name: str, read: ReadBeside) -> _Layer | None:
    try:
        return _peel(source, file_name, read)
    except RecursionError:
        return _Layer(source, (), (f"{STILL_PACKED}: its expressions are nested too deeply.",))


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
    return _layer(statements, effects, runs, wrapper) if runs else _still_packed(source, wrapper)


def _flattened(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a module in order, without the customary `if __name__ == "__main__":` and `main()` around them.

    So what a wrapper sets before it runs its program is seen statement by statement, and kept.
    """
    functions = {s.name: s for s in body if isinstance(s, ast.FunctionDef) and not s.decorator_list}
    for statement in body:
        match statement:
            case ast.If(
                test=ast.Compare(left=ast.Name(id="__name__"), ops=[ast.Eq()], comparators=[ast.Constant()])
            ):
                yield from (part for s in statement.body for part in _inlined(s, functions))
            case _:
                yield from _inlined(statement, functions)


def _inlined(statement: ast.stmt, functions: Mapping[str, ast.FunctionDef]) -> list[ast.stmt]:
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Name(id=name), args=[], keywords=[])) if name in functions:
            body = functions[name].body
            parameters = functions[name].args
            leaves = any(isinstance(n, ast.Return | ast.Yield | ast.Nonlocal) for s in body for n in walk(s))
            if not leaves and not (parameters.args or parameters.posonlyargs or parameters.kwonlyargs):
                return [s for s in body if not isinstance(s, ast.Global)]
    return [statement]


def _evaluate(statements: list[ast.stmt], wrapper: Evaluator) -> tuple[frozenset[int], list[int]]:
    """Which statements do something that only running can do, and which run unpacked programs."""
    effects: set[int] = set()
    runs: list[int] = []
    for index, statement in enumerate(statements):
        programs = len(wrapper.programs)
        if wrapper.run(statement):
            effects.add(index)
        if len(wrapper.programs) > programs:
            runs.append(index)
    return frozenset(effects), runs


def _still_packed(source: str, wrapper: Evaluator) -> _Layer | None:
    payload = sum(len(m[0]) for m in _PAYLOAD.finditer(source))
    if not _RUNS_TEXT.search(source) or (payload < len(source) / 2 and wrapper.problem is None):
        return None
    why = wrapper.problem or "the text that it runs is not computed in a way that intake follows"
    return _Layer(source, (), (f"{STILL_PACKED}: {why}.",))


def _layer(
    statements: list[ast.stmt], effects: frozenset[int], runs: list[int], wrapper: Evaluator
) -> _Layer:
    notes: list[str] = []
    texts: list[str] = []
    for program in wrapper.programs:
        text, oddities = decode_script(program.data)
        texts.append(text)
        notes += oddities
    if len(texts) > 1:
        notes.append(f"It runs {len(texts)} programs one after the other; they are shown as one.")
    notes += [
        f"Line {statements[i].lineno} of its wrapper does more than run the unpacked program; that is not shown."
        for i in sorted(effects & set(runs))
    ]
    ran = {program.data for program in wrapper.programs}
    here = {n: c for n, c in wrapper.files.items() if n.startswith(FOLDER + "/") and c not in ran}
    return _Layer(
        program="\n".join(texts),
        stages=max((p.stages for p in wrapper.programs), key=len) or ("exec",),
        notes=tuple(notes),
        files={name.removeprefix(FOLDER + "/"): content for name, content in here.items()},
        before=tuple(statements[: runs[0]]),
        effects=effects - set(runs),
        after=tuple(statements[i] for i in sorted(effects - set(runs)) if i > runs[0]),
    )


def _with_wrapper(program: str, layer: _Layer) -> tuple[str, list[str]]:
    """The program with what its wrapper does before and after it, and sentences that say so."""
    kept = preamble.kept(layer.before, layer.effects, make_runnable(program)[0])
    source, moved = preamble.with_preamble(preamble.with_trailer(program, layer.after), kept)
    notes = []
    if kept:
        where = "in a line before its first" if moved else "at the start of its first statement"
        notes.append(
            f"Its wrapper does more than unpack: {len(kept)} of its statements stay in effect, {where}."
        )
    if layer.after:
        notes.append(
            f"Its wrapper does {len(layer.after)} more things after the program; they are shown at its end."
        )
    return source, notes


def _code_size(source: str, tree: ast.Module) -> int:
    """Characters of a program besides its string and bytes literals."""
    literals = (
        n.value for n in walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str | bytes)
    )
    return len(source) - sum(map(len, literals))
