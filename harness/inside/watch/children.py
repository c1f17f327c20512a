"""What the script hands to other processes: nothing there is watched, so the outside must know.

A forked child keeps its own short book, `children.jsonl`: which val tokens it learned from. A new Python interpreter that
runs a program of its own cannot be watched at all and is noted when it is started.
"""

from __future__ import annotations

import multiprocessing.util
import os
import re
import sys
from typing import Any

from .ledger import Ledger

_LONGEST_QUESTION = 200
_PYTHON = re.compile(r"(?:^|[/\s;&|])(?:python|pypy)[\d.]*(?=\s|$)")
_TOOLS = re.compile(
    r"\s-m\s+(?:pip|ensurepip|venv|torch\.utils\.collect_env|py_compile)\b|\s(?:-V|--version)\b"
)


def install(ledger: Ledger) -> None:
    """Follow forks, and note every Python interpreter that is started."""
    os.register_at_fork(after_in_child=ledger.become_child)
    sys.addaudithook(_audit(ledger))
    spawn = multiprocessing.util.spawnv_passfds

    def spawned(path: Any, args: Any, passfds: Any) -> Any:
        if "resource_tracker" not in str(args):
            ledger.event("child", t="started by multiprocessing", s=ledger.stack())
        return spawn(path, args, passfds)

    multiprocessing.util.spawnv_passfds = spawned


def _audit(ledger: Ledger) -> Any:
    busy = False

    def hook(event: str, args: Any) -> None:
        nonlocal busy
        if busy or event not in ("subprocess.Popen", "os.system", "os.posix_spawn", "os.exec"):
            return
        busy = True
        try:
            command = _command(event, args)
            if runs_a_program(command):
                ledger.event("child", t=command[:120], s=ledger.stack())
        finally:
            busy = False

    return hook


def _command(event: str, args: Any) -> str:
    """The command line as one text."""
    if event == "os.system":
        return _text(args[0])
    words = args[1]
    if isinstance(words, str | bytes):
        return _text(words)
    first = _text(args[0]) if args[0] else ""
    rest = [_text(w) for w in words]
    return " ".join([first, *rest[1:]] if first else rest)


def _text(value: Any) -> str:
    return os.fsdecode(value) if isinstance(value, str | bytes | os.PathLike) else str(value)


def runs_a_program(command: str) -> bool:
    """Whether a command line starts Python on a program of its own; tools and short questions (`-c`) are none."""
    if not _PYTHON.search(command) or _TOOLS.search(command):
        return False
    _, question, code = command.partition(" -c ")
    return not question or len(code) > _LONGEST_QUESTION
