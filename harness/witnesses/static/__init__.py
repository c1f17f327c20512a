"""Static witness: what the source of a script says on the path that the claimed configuration takes.

The script is followed by an abstract machine (:mod:`machine`): constants and environment defaults are folded, calls are
entered, and every value knows which val tokens, losses and updates it came from. Detectors then read the events.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Mapping

from harness.case import Claim, Script
from harness.intake.syntax import Unparsable
from harness.limits import CHALLENGE, Limits
from harness.witnesses.static.facts import Fact, Site, StaticFacts, Switch

__all__ = ["Fact", "Site", "StaticFacts", "Switch", "examine"]

RECURSION = 12_000


def examine(
    script: Script, claim: Claim, files: Mapping[str, str] | None = None, limits: Limits = CHALLENGE
) -> StaticFacts:
    """Follow a script on its claimed path and say what the code shows.

    `files` are the other text files of the submission by path relative to the script's folder (helpers that it
    imports, C sources that it compiles); `limits` say how long training may take.
    Never raises for what a script contains: problems are in the result.
    """
    from harness.witnesses.static import looks

    if script.refused:
        return StaticFacts(parsed=False, followed=False, problems=(script.refused.removesuffix("."),))
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, RECURSION))
    collecting = gc.isenabled()
    gc.disable()  # a walk makes hundreds of thousands of short-lived values and frees them all at once
    try:
        return looks.look(script, claim, files or {}, limits)
    except Unparsable as error:
        return StaticFacts(parsed=False, followed=False, problems=(f"the script does not parse: {error}",))
    except Exception as error:
        # A fault of ours on a stranger's code leaves the rules uncovered, with its name; it must not end the audit.
        return StaticFacts(
            followed=False, problems=(f"the witness broke down ({type(error).__name__}: {error})",)
        )
    finally:
        sys.setrecursionlimit(before)
        if collecting:
            gc.enable()
