"""The program: the script and the files it imports, parsed and followed from top to bottom as `python script` does."""

from __future__ import annotations

from collections.abc import Mapping

from harness.intake.syntax import Unparsable, parse
from harness.witnesses.static import statements
from harness.witnesses.static.machine import Env, Machine, Source, TooLong
from harness.witnesses.static.values import Ext, Obj, Val

DEEP = 3000
"""Python's own recursion limit while a script is followed (expressions nest)."""


def follow(
    runnable: str,
    display: str,
    environment: Mapping[str, str],
    argv: tuple[str, ...],
    files: Mapping[str, str],
) -> tuple[Machine, list[str]]:
    """Follow a script on its claimed path; the machine with all it saw, and sentences about what it could not follow.

    Raises Unparsable when the script does not parse.
    """
    tree = parse(runnable)
    m = Machine(environment, argv, files)
    m.sources.append(Source(display, runnable, tree))
    env = Env(None, 0)
    env.vars["__name__"] = Val("__main__")
    problems: list[str] = []
    try:
        statements.run_block(m, tree.body, env)
    except TooLong:
        problems.append(f"the path was not followed to its end: more than {m.limit} steps")
    except RecursionError:
        problems.append("the path was not followed to its end: calls nest too deeply")
    except Exception as error:
        # A script may do what no rule of the machine foresees; what was seen up to there still holds.
        problems.append(
            f"the path was not followed to its end: the witness broke down at line {m.line} "
            f"({type(error).__name__}: {error})"
        )
    return m, problems + m.notes


def load_file(m: Machine, name: str) -> Obj | None:
    """The module of a file that the submission brings, run once; None when it brings none of that name."""
    return load_path(m, name.replace(".", "/") + ".py", name) if name else None


def load_path(m: Machine, path: str, name: str) -> Obj | None:
    """The module of a file by its path in the submission."""
    text = m.files.get(path) or m.files.get(path.rpartition("/")[2])
    if text is None:
        return None
    if path in m.modules:
        env = m.modules[path]
    else:
        try:
            tree = parse(text)
        except Unparsable:
            m.notes.append(f"{path} does not parse")
            return None
        number = len(m.sources)
        m.sources.append(Source(path, text, tree))
        env = Env(None, number)
        env.vars["__name__"] = Val(name)
        m.modules[path] = env
        before = (m.file, m.line)
        m.file = number
        statements.run_block(m, tree.body, env)
        m.file, m.line = before
    module = m.instance(Ext("types.ModuleType"))
    module.attrs = env.vars
    return module
