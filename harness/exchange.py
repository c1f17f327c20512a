"""What an experiment puts in the place of a run's files at the moment when the script reads one of them back."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any


@dataclasses.dataclass(frozen=True)
class Exchange:
    """Each time the script opens one of `when` for reading, each of `files` gets the content of a file out here.

    Names on the left are absolute paths as the script sees them. `world` tells that files of the world are among them:
    it is then a copy of its own, and the run may write to it.
    """

    when: tuple[str, ...]
    files: Mapping[str, Path]
    world: bool = False

    def lay_out(self, folder: Path, inside: str) -> dict[str, Any]:
        """Copy the contents into `folder`, which the sandbox sees as `inside`; what the emulator is told of it."""
        folder.mkdir()
        names = {}
        for number, (path, content) in enumerate(self.files.items()):
            shutil.copyfile(content, folder / str(number))
            names[path] = f"{inside}/{number}"
        return {"when": list(self.when), "files": names}
