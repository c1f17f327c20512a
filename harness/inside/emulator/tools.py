"""What scripts call and ask: nvidia-smi, and pyminify where it is absent, are stand-ins on PATH, absent programs are noted;
a prompt is answered by Enter, which takes its default."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from .cuda import NAME

NVIDIA_SMI = f"""#!/bin/sh
case "$*" in
  *--query*) echo "{NAME}, 81559 MiB, 0 MiB, 0 %" ;;
  *) echo "NVIDIA-SMI 570.00  Driver Version: 570.00  CUDA Version: 12.8 | {NAME} | emulated" ;;
esac
"""

PYMINIFY = """#!/bin/sh
for last; do :; done
exec cat -- "$last"
"""
"""Prints the program it is given, not made smaller: only the size of the code depends on it."""


PROMPTS = 100
"""Prompts that are answered; whoever asks more often meets the end of its input."""


def install(config: dict[str, Any]) -> None:
    """Put nvidia-smi on PATH, and note in `missing_file` each program that the script looked for in vain."""
    audit_dir = Path(config["audit_dir"])
    programs = audit_dir / "bin"
    programs.mkdir(parents=True, exist_ok=True)
    stand_ins = {"nvidia-smi": NVIDIA_SMI}
    if shutil.which("pyminify") is None:
        stand_ins["pyminify"] = PYMINIFY
    for name, text in stand_ins.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    os.environ["PATH"] = f"{programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    sys.stdin = io.StringIO("\n" * PROMPTS)
    _note_missing(audit_dir / "missing.json", absent=set(stand_ins) - {"nvidia-smi"})


def _note_missing(missing_file: Path, absent: set[str]) -> None:
    missing: list[str] = []
    shell: Any = shutil
    processes: Any = subprocess
    which, popen = shell.which, processes.Popen

    def note(program: str) -> None:
        name = os.path.basename(program)
        if name and name not in missing:
            missing.append(name)
            missing_file.write_text(json.dumps(missing))

    def noting_which(cmd: Any, *args: Any, **kwargs: Any) -> Any:
        found = which(cmd, *args, **kwargs)
        if found is None:
            note(os.fspath(cmd))
        return found

    class NotingPopen(popen):  # type: ignore[misc, valid-type]  # its base is not known to be a class
        def __init__(self, args: Any, *rest: Any, **kwargs: Any) -> None:
            program = str(args if isinstance(args, str | os.PathLike) else args[0])
            if program in absent:
                note(program)
            try:
                super().__init__(args, *rest, **kwargs)
            except FileNotFoundError as error:
                if kwargs.get("cwd") is None or error.filename != kwargs["cwd"]:
                    note(program)
                raise

    shell.which, processes.Popen = noting_which, NotingPopen
