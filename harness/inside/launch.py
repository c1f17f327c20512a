"""Runs one script as torchrun would, inside the emulator: `python -m inside.launch CONFIG.json`.

CONFIG holds script (path), argv, watch (bool), trace_dir, val_stream, audit_dir, seed, clock, torchrun
(False: as `python SCRIPT` would), lazy_annotations (as Python 3.14 has them). The script runs as
__main__ under its own file name, so that tracebacks and frames show its own line numbers.
"""

from __future__ import annotations
import __future__

import json
import os
import sys
import types
from pathlib import Path
from typing import Any

from . import emulator


def main(config: dict[str, Any]) -> None:
    """Install the emulator and, if asked, the watcher; run the script; let the watcher finish whatever happens."""
    mode = emulator.install(config)
    finish = None
    if config["watch"]:
        from . import watch

        watch.install(mode, config)
        finish = watch.finish
    try:
        run(config["script"], config["argv"], bool(config.get("lazy_annotations")))
    finally:
        if finish is not None:
            finish()


def run(script: str, argv: list[str], lazy_annotations: bool = False) -> None:
    """Execute the script as __main__, its folder first on the module path."""
    sys.argv = [script, *argv]
    sys.path.insert(0, os.path.dirname(script))
    flags = __future__.annotations.compiler_flag if lazy_annotations else 0
    code = compile(Path(script).read_text(encoding="utf-8"), script, "exec", flags, dont_inherit=True)
    module = types.ModuleType("__main__")
    module.__file__ = script
    module.__builtins__ = __builtins__  # type: ignore[attr-defined]
    sys.modules["__main__"] = module
    exec(code, module.__dict__)


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
