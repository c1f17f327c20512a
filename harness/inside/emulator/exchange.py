"""Gives files other content at the moment when the script reads one of them back: for experiments on what a score rests on.

The configuration names the files to wait for, and files with the new content, which are read and removed before the
script starts. Whether anything was exchanged, the outside sees by the files themselves.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


class Exchange:
    """Waits for the files `when`; each time one of them is opened for reading, every file of `files` holds its bytes.

    An artifact that is written again is exchanged again at its next reading.
    """

    def __init__(self, when: Sequence[str], files: Mapping[str, bytes]) -> None:
        self._names = {os.path.basename(path) for path in when}
        self._when = {os.path.realpath(path) for path in when}
        self._files = dict(files)
        self._busy = False

    def hook(self, event: str, args: Any) -> None:
        """An audit event of the interpreter; "open" comes before the file is opened."""
        if event != "open" or self._busy or not isinstance(args[0], str | bytes | os.PathLike):
            return
        name = os.fsdecode(args[0])
        if os.path.basename(name) not in self._names or _writes(args):
            return
        if os.path.realpath(name) in self._when and os.path.isfile(name):
            self._busy = True
            try:
                for path, data in self._files.items():
                    _put(path, data)
            finally:
                self._busy = False


def _writes(args: Any) -> bool:
    """Whether an "open" event is of a file that is opened for writing."""
    flags = args[2] if len(args) > 2 and isinstance(args[2], int) else 0
    return bool(args[1] and set(str(args[1])) & set("wax+")) or bool(flags & (os.O_WRONLY | os.O_RDWR))


def _put(path: str, data: bytes) -> None:
    """Other content in place, so that maps of the file see it too."""
    with open(path, "r+b") as file:
        if file.read() != data:
            file.seek(0)
            file.write(data)
            file.truncate()


def install(config: dict[str, Any]) -> None:
    """Wait for the files that the configuration names, if it does."""
    wanted = config.get("exchange")
    if not wanted:
        return
    contents = {path: Path(place).read_bytes() for path, place in wanted["files"].items()}
    for place in wanted["files"].values():
        Path(place).unlink()
    sys.addaudithook(Exchange(wanted["when"], contents).hook)
