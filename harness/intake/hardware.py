"""The machine that the papers say a run was made on, where it is not the challenge's (eight H100)."""

from __future__ import annotations

import re
from typing import Any

_FIELD = re.compile(r"(?i)hardware|gpu|accelerator|machine|device")
_OTHERS = re.compile(
    r"(?i)(?:\b|(?<=\d[x×]))(?:A10G?|A40|A100|A800|A6000|B200|GB10|GH200|H20|H200|H800|L4|L40S?|P100|T4|V100|MI\d{3}\w?|TPU\w*"
    r"|[RG]TX\W?\w+|[345]0[6789]0|M[1-5](?: (?:Pro|Max|Ultra))?)\b"
)
_COUNTED = rf"(?:\d{{1,2}}\s?[x\u00d7]\s?)?(?:NVIDIA |AMD )?{_OTHERS.pattern.removeprefix('(?i)')}"
_RAN_ON = re.compile(
    rf"(?i)\b(?:trained|train|ran|run|training|evaluated|hardware|gpus?)\b[^\n.]{{0,60}}?(?:\bon|:|\|)\W{{0,6}}({_COUNTED})"
)


def other_hardware(data: Any, readme: str = "") -> str:
    """The text of a field of submission.json that names other hardware and no H100, cut at 80 characters; where there is
    none, what a README that never names H100 says of the run (trained on 8xA100). Empty without either."""
    fields = data.items() if isinstance(data, dict) else ()
    for name, value in fields:
        if isinstance(value, str) and _FIELD.search(str(name)) and _OTHERS.search(value):
            return "" if "H100" in value.upper() else value.strip()[:80]
    if "H100" in readme.upper():
        return ""
    told = _RAN_ON.search(readme)
    return " ".join(told[1].split())[:80] if told else ""
