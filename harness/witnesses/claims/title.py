"""The score in a submission's title, where it is another than the claimed one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any

from harness.case import Evidence, Submission
from harness.witnesses.claims.papers import read_text
from harness.witnesses.claims.runs import Stated
from harness.witnesses.claims.submission_json import Claimed, agrees

_SCORE = re.compile(
    r"(?i)(?:bpb|bits[_ -]per[_ -]byte)[^\d\n]{0,12}(?<![-+\u2212\u00b1])(\d\.\d{3,10})"
    r"|(?<![-+\u2212\u00b1\d.])(\d\.\d{3,10})\*{0,2}\s{0,3}(?:val[_ ])?bpb"
)
_LEAST, _MOST = 0.05, 4.0
"""Below it a number is a difference of scores, above it no score."""


def other_score(
    submission: Submission, data: Any, json_name: str | None, claimed: Sequence[Claimed]
) -> Stated | None:
    """The score nearest to the claimed one of a title (the name in submission.json, the README's first heading) none of
    whose scores is a claimed one; None where no title states a score or each states a claimed one."""
    if not claimed:
        return None
    for text, shown in _titles(submission, data, json_name):
        scores = [a or b for a, b in _SCORE.findall(text)]
        scores = [s for s in scores if _LEAST < float(s) < _MOST]
        if scores and not any(_is(s, c) for s in scores for c in claimed):
            nearest = min(scores, key=lambda s: abs(float(s) - claimed[0].value))
            return Stated(float(nearest), shown)
    return None


def _is(score: str, claimed: Claimed) -> bool:
    decimals = len(score.partition(".")[2])
    return agrees(claimed.value, claimed.decimals, float(score), decimals, loose=True)


def _titles(submission: Submission, data: Any, json_name: str | None) -> Iterator[tuple[str, Evidence]]:
    held = data if isinstance(data, dict) else {}
    for key in ("name", "title", "submission_name", "run_name"):
        if isinstance(value := held.get(key), str):
            yield value[:300], Evidence(json_name or "", 0, f'"{key}": "{value[:200]}"')
    for name in sorted(submission.files):
        if "/" in name or not PurePosixPath(name).name.lower().startswith("readme"):
            continue
        for number, line in enumerate(read_text(submission, name).split("\n")[:30], 1):
            if line.startswith("# "):
                yield line[:300], Evidence(name, number, line.strip()[:300])
                break
