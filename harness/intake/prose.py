"""Settings that a README names without a command: `EVAL_MODE=ngram` in a sentence, or a block of NAME=value lines."""

from __future__ import annotations

import re

from harness.case import Evidence

_INLINE = re.compile(r"`([A-Z][A-Z0-9_]{2,60})=([^`\s,;]{1,60})`")
_ALONE = re.compile(r"^\s*(?:export\s+)?([A-Z][A-Z0-9_]{2,60})=([^\s#;]{1,60})\s*(?:#.*)?$")
_FENCE = re.compile(r"^\s{0,12}(?:```+|~~~+)")
_ASIDE = re.compile(
    r"(?i)\b(?:defaults?|baseline|optional(?:ly)?|example|e\.g|instead|ablations?|without|previous(?:ly)?|was|were|failed"
    r"|tried|not|no|disable[ds]?|vs|versus|if|unless|future|to enable|to disable|can be)\b"
)
_MOST = 100_000


def named_settings(text: str, file: str) -> dict[str, tuple[str, Evidence]]:
    """What each variable is said to be, by name: (value, the line). A name with two values, and one of which a sentence
    only says what it would be or what it was elsewhere, is left out."""
    found: dict[str, tuple[str, Evidence]] = {}
    doubtful: set[str] = set()
    inside = False
    for number, line in enumerate(text[:_MOST].split("\n"), 1):
        if _FENCE.match(line):
            inside = not inside
            continue
        alone = _ALONE.match(line) if inside else None
        pairs = [alone.groups()] if alone else [] if inside else _INLINE.findall(line)
        for name, value in pairs:
            value = value.strip("\"'")
            if (not inside and _ASIDE.search(line)) or found.get(name, (value,))[0] != value:
                doubtful.add(name)
            found.setdefault(name, (value, Evidence(file, number, line.strip()[:200])))
    return {name: held for name, held in found.items() if name not in doubtful}
