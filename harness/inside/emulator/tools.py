"""Programs that scripts call: nvidia-smi is a small stand-in on PATH; what is called and absent is noted by name."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from .cuda import NAME

NVIDIA_SMI = f"""#!/bin/sh
case "$*" in
  *--query*) echo "{NAME}, 81559 MiB, 0 MiB, 0 %" ;;
  *) echo "NVIDIA-SMI 570.00  Driver Version: 570.00  CUDA Version: 12.8 | {NAME} | emulated" ;;
esac
"""


def install(config: dict[str, Any]) -> None:
    """Put nvidia-smi on PATH, and note in `missing_file` each program that the script looked for in vain."""
    audit_dir = Path(config["audit_dir"])
    programs = audit_dir / "bin"
    programs.mkdir(parents=True, exist_ok=True)
    path = programs / "nvidia-smi"
    path.write_text(NVIDIA_SMI)
    path.chmod(0o755)
    os.environ["PATH"] = f"{programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    _note_missing(audit_dir / "missing.json")


def _note_missing(missing_file: Path) -> None:
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
            try:
                super().__init__(args, *rest, **kwargs)
            except FileNotFoundError as error:
                if kwargs.get("cwd") is None or error.filename != kwargs["cwd"]:
                    note(str(args if isinstance(args, str | os.PathLike) else args[0]))
                raise

    shell.which, processes.Popen = noting_which, NotingPopen
