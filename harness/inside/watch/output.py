"""The script's printed lines as events, so that each number printed has its place in the order of things."""

from __future__ import annotations

import sys
from typing import Any, TextIO

from .ledger import Ledger

_LONGEST_LINE = 2000
_MOST_LINES = 20_000


class Printed:
    """Stands before a text stream: passes everything on and writes each complete line into the ledger."""

    def __init__(self, stream: TextIO, ledger: Ledger, count: list[int]) -> None:
        self._stream = stream
        self._ledger = ledger
        self._line = ""
        self._count = count

    def write(self, text: str) -> int:
        """Pass `text` on; complete lines become events."""
        written = self._stream.write(text)
        self._line += text
        if "\n" in self._line:
            *lines, self._line = self._line.split("\n")
            for line in lines:
                self._note(line)
        self._line = self._line[-_LONGEST_LINE:]
        return written

    def _note(self, line: str) -> None:
        if line.strip() and self._count[0] < _MOST_LINES:
            self._count[0] += 1
            self._ledger.event("print", t=line[:_LONGEST_LINE], s=self._ledger.stack())

    def drain(self) -> None:
        """Note a last line that no newline ended."""
        self._note(self._line)
        self._line = ""

    def writelines(self, lines: Any) -> None:
        """Pass each line on."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def install(ledger: Ledger) -> None:
    """Watch what is printed on standard output and standard error (logging prints there)."""
    count = [0]
    sys.stdout = Printed(sys.stdout, ledger, count)
    sys.stderr = Printed(sys.stderr, ledger, count)
