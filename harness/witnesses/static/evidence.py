"""Evidence for events: the line itself and the shortest path of calls from where val is read."""

from __future__ import annotations

import re

from harness.case import Evidence, Script
from harness.witnesses.static.events import Event, Printed, Read
from harness.witnesses.static.machine import Machine


class Lines:
    """Turns (file, line) pairs into evidence."""

    def __init__(self, m: Machine, script: Script) -> None:
        self.m = m
        self.script = script
        self.rows = script.source.split("\n")

    def at(self, file: int, line: int) -> Evidence:
        """Evidence that points at a line of a file."""
        if file == 0:
            row = self.rows[line - 1].strip() if 0 < line <= len(self.rows) else ""
            return Evidence(self.script.display, line, row[:300])
        source = self.m.sources[file]
        text = source.lines[line - 1].strip()[:300] if 0 < line <= len(source.lines) else ""
        return Evidence(source.display, line, text)

    def of(self, event: Event) -> Evidence:
        """Evidence that points at an event."""
        return self.at(event.file, event.line)

    def printed(self, event: Printed) -> Evidence:
        """Evidence for a printed line: the innermost call whose line holds words of its text."""
        words = [w for w in re.findall(r"[a-zA-Z_]{3,}", event.text) if w]
        found = self.of(event)
        for file, line in [*event.frames, (event.file, event.line)]:
            source = self.m.sources[file].lines
            span = "\n".join(source[line - 1 : line + 6])
            if any(word in span for word in words):
                found = self.at(file, line)
        return found

    def calls(self, event: Event) -> list[Evidence]:
        """The calls that lead to an event, outermost first, then the event."""
        found: list[Evidence] = []
        for file, line in event.frames:
            evidence = self.at(file, line)
            if evidence not in found:
                found.append(evidence)
        last = self.of(event)
        if last not in found:
            found.append(last)
        return found

    def path(self, *events: Event) -> tuple[Evidence, ...]:
        """From the reading of val through the calls to each event, without repeats."""
        reads = [e for e in self.m.events if isinstance(e, Read) and e.stream == "val"]
        found: list[Evidence] = self.calls(reads[0])[-2:] if reads else []
        for event in events:
            for evidence in self.calls(event):
                if evidence not in found:
                    found.append(evidence)
        return tuple(found)
