"""Settings that list stages, as lengths by progress (`1024@0.1,2048@0.7,3072@1.0`): each size shrinks as its name says."""

from __future__ import annotations

import math
import re

from harness.worlds.scale_names import Sizes, shrunk

STAGES = re.compile(r"\s*\d{1,9}@[\d.]{1,12}(?:\s*,\s*\d{1,9}@[\d.]{1,12}){0,40}\s*")
_LIST = re.compile(r"_(?:schedule|plan|stages|curriculum)$")


def shrunk_stages(name: str, text: str, sizes: Sizes) -> str | None:
    """The stages of the small run, or None where the text lists none or its sizes are no scale.

    Sizes become powers of two: scripts want each length to divide what a step holds.
    """
    if not STAGES.fullmatch(text):
        return None
    base = _LIST.sub("", name.lower())
    stages = []
    for stage in text.split(","):
        size, at = stage.strip().split("@")
        new = next(
            (n for c in (base, f"{base}_len") if (n := shrunk(c, float(size), sizes)) is not None), None
        )
        if new is None:
            return None
        stages.append(f"{1 << max(2, math.floor(math.log2(max(new, 4))))}@{at}")
    return ",".join(stages)
