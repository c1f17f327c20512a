"""Steps of a rerun that need not be done twice: what each was made from and what it gave, kept in one state file."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

FORMAT = 7
"""Raised where the results of earlier versions cannot be read any more."""


class StepFailed(Exception):
    """A step did not come to its end; the sentence says why. Finished steps stay."""


class Steps:
    """The steps of one work folder. A step is done again when its inputs changed or one of its files is gone."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._file = folder / "state.json"
        self.resumed: list[str] = []

    def do(self, name: str, inputs: Any, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The result of a step: kept if it was made from the same inputs, else that of `work()`.

        A result is JSON data; its "files" (relative to the folder, with sizes) must still be there. `seconds` is added.
        """
        digest = hashlib.sha256(json.dumps([FORMAT, inputs], sort_keys=True).encode()).hexdigest()
        kept = self._read().get(name)
        if isinstance(kept, dict) and kept.get("inputs") == digest and self._whole(kept["result"]):
            self.resumed.append(name)
            result: dict[str, Any] = kept["result"]
            return result
        began = time.monotonic()
        result = work()
        result["seconds"] = time.monotonic() - began
        self._write({**self._read(), name: {"inputs": digest, "result": result}})
        return result

    def _whole(self, result: dict[str, Any]) -> bool:
        return all(
            (self.folder / name).is_file() and (self.folder / name).stat().st_size == size
            for name, size in result.get("files", {}).items()
        )

    def _read(self) -> dict[str, Any]:
        try:
            state = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return state if isinstance(state, dict) else {}

    def _write(self, state: dict[str, Any]) -> None:
        aside = self._file.with_suffix(".part")
        aside.write_text(json.dumps(state, indent=1), encoding="utf-8")
        os.replace(aside, self._file)


def sizes(folder: Path, *names: str) -> dict[str, int]:
    """The files among `names` that exist below `folder`, with their sizes."""
    return {n: (folder / n).stat().st_size for n in names if (folder / n).is_file()}
