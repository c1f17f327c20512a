"""Runs one script as torchrun would, inside the emulator: `python -m inside.launch CONFIG.json`.

CONFIG holds script (path), argv, watch (bool), trace_dir, val_stream, audit_dir, seed, clock, torchrun
(False: as `python SCRIPT` would), lazy_annotations (as Python 3.14 has them). The script runs as
__main__ under its own file name, so that tracebacks and frames show its own line numbers.
"""

from __future__ import annotations
import __future__

import atexit
import json
import os
import sys
import threading
import types
from pathlib import Path
from typing import Any

from . import emulator


def main(config: dict[str, Any]) -> None:
    """Install the emulator and, if asked, the watcher; run the script and what it left for the end of the process; let the
    watcher finish whatever happens, after everything else."""
    mode = emulator.install(config)
    finish = None
    if config["watch"]:
        from . import branches, watch

        watch.install(mode, config)
        branches.install(config["trace_dir"])
        finish = watch.finish
    try:
        run(config["script"], config["argv"], bool(config.get("lazy_annotations")), marks=config["watch"])
    finally:
        try:
            leave()
        finally:
            if finish is not None:
                finish()


def leave() -> None:
    """What Python does at its end, now: wait for threads, run exit functions, so that the watcher sees them."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()


def run(script: str, argv: list[str], lazy_annotations: bool = False, marks: bool = False) -> None:
    """Execute the script as __main__, its folder first on the module path; `marks` notes which ways its conditions go."""
    sys.argv = [script, *argv]
    sys.path.insert(0, os.path.dirname(script))
    flags = __future__.annotations.compiler_flag if lazy_annotations else 0
    source = Path(script).read_text(encoding="utf-8")
    code = _marked(source, script, flags) if marks else None
    code = code or compile(source, script, "exec", flags, dont_inherit=True)
    module = types.ModuleType("__main__")
    module.__file__ = script
    module.__builtins__ = __builtins__  # type: ignore[attr-defined]
    sys.modules["__main__"] = module
    exec(code, module.__dict__)


def _marked(source: str, script: str, flags: int) -> types.CodeType | None:
    """The program with marks on its conditions; None where it cannot be taken apart, so that it runs as it is."""
    from . import branches

    try:
        code: types.CodeType = compile(
            branches.marked(source, script), script, "exec", flags, dont_inherit=True
        )
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return code


def end(config: dict[str, Any]) -> int:
    """Run, report like Python what ended the script, and return its exit code."""
    try:
        main(config)
    except SystemExit as left:
        if left.code is None or isinstance(left.code, int):
            return left.code or 0
        print(left.code, file=sys.stderr)
        return 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
        return 1
    return 0


if __name__ == "__main__":
    code = end(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code & 0xFF)  # nothing of the script's runs once the watcher has finished
