"""The same program, line for line, in syntax that the running interpreter compiles."""

from __future__ import annotations

import sys

from harness.intake import pep701
from harness.intake.syntax import Unparsable, parse


def make_runnable(source: str) -> tuple[str, list[str]]:
    """`source` where it parses, else its Python 3.12 f-strings rewritten; and a sentence where neither helps."""
    try:
        parse(source)
    except Unparsable as error:
        refused = error
    else:
        return source, []
    try:
        rewritten = pep701.rewrite(source)
        parse(rewritten)
    except (pep701.Untranslatable, Unparsable, RecursionError) as error:
        # The second refusal is nearer to the real problem when the first was an f-string's.
        problem = error if isinstance(error, Unparsable) else refused
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        return source, [f"Python {version} cannot parse it, even with its f-strings rewritten: {problem}."]
    return rewritten, ["It uses Python 3.12 f-strings; they were rewritten, line for line, to run here."]
