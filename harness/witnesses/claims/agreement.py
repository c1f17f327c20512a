"""Numbers that README and submission.json give for one seed, beside what its logs print: scores, bytes, steps, times."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from typing import Any

from harness.case import Evidence, Submission
from harness.witnesses.claims.arithmetic import seed_tables
from harness.witnesses.claims.clocks import amount, contradiction, kind_of
from harness.witnesses.claims.log import Log
from harness.witnesses.claims.submission_json import agrees, seed_entries

_COUNT = re.compile(r"(\d{1,3}(?:,\d{3}){2}|\d{7,9})(?: ?(?:bytes|B))?")
_SCORE = re.compile(r"\d\.\d{4,10}")
_SIZES = re.compile(r"(?i)artifact|bytes|size|total")
_OTHER = re.compile(
    r"(?i)code|model|raw|weights|limit|headroom|margin|spare|param|token|delta|diff|gap|free|cap\b|under"
)
_NEAR = 0.02
_LEAST = 1_000_000


@dataclasses.dataclass(frozen=True)
class Disagreement:
    """A number of README or submission.json for one seed that no log of that seed prints; `nearest` is what they print.

    `kind` is "score" (BPB), "bytes" (of the artifact), "steps", "train time" or "eval time" (milliseconds).
    """

    kind: str
    seed: int
    stated: float
    nearest: float
    evidence: tuple[Evidence, Evidence]


@dataclasses.dataclass(frozen=True)
class _Stated:
    kind: str
    seed: int
    value: float
    decimals: int
    evidence: Evidence
    unit: float = 1.0


def disagreements(
    submission: Submission, logs: Sequence[Log], data: Any, json_name: str | None
) -> tuple[Disagreement, ...]:
    """What the papers say of a seed and its logs contradict.

    A score is contradicted where the seed's logs hold results near it (0.02 BPB) and none that rounds to it; bytes where
    they hold totals and neither one of those nor a model with code as logged or as shipped is the stated number; steps and
    times where they print such and none that is it.
    """
    found: dict[tuple[str, int], Disagreement] = {}
    shipped = submission.script.shipped_bytes if submission.script else 0
    for stated in (*_of_readme(submission), *_of_json(data, json_name)):
        own = [log for log in logs if log.seed == stated.seed]
        if not own:
            continue
        wrong = _wrong(stated, own, shipped)
        if wrong is not None:
            found.setdefault((stated.kind, stated.seed), wrong)
    return tuple(found.values())


def _wrong(stated: _Stated, own: Sequence[Log], shipped: int) -> Disagreement | None:
    if stated.kind == "score":
        return _score(stated, own)
    if stated.kind == "bytes":
        return _bytes(stated, own, shipped)
    found = contradiction(stated.kind, stated.value, stated.unit, own)
    if found is None:
        return None
    return Disagreement(stated.kind, stated.seed, stated.value, found[0], (stated.evidence, found[1]))


def _of_readme(submission: Submission) -> Iterator[_Stated]:
    """The cells of seed tables that hold a score, the bytes of an artifact, steps or a time and nothing else."""
    for table in seed_tables(submission):
        for number, seed, cells, text in table.rows:
            shown = Evidence(table.name, number, text)
            for title, cell in zip(table.head[1:], cells[1:], strict=False):
                count = _COUNT.fullmatch(cell)
                if (
                    "bpb" in title
                    and _SCORE.fullmatch(cell)
                    and not re.search(r"delta|δ|Δ|gain|gap|diff|vs", title)
                ):
                    yield _Stated("score", seed, float(cell), len(cell.partition(".")[2]), shown)
                elif count and _SIZES.search(title) and not _OTHER.search(title):
                    value = int(count[1].replace(",", ""))
                    if value >= _LEAST:
                        yield _Stated("bytes", seed, value, 0, shown)
                elif (kind := kind_of(title)) and (found := amount(kind, title, cell)):
                    yield _Stated(kind, seed, found[0], 0, shown, found[1])


def _of_json(data: Any, json_name: str | None) -> Iterator[_Stated]:
    """The scores, artifact bytes, steps and times of submission.json's entries for one seed."""
    for name, seed, value, decimals in seed_entries(data):
        shown = Evidence(json_name or "", 0, f'"{name}": {value:g}' if decimals else f'"{name}": {value:.0f}')
        last = name.rpartition(".")[2].lower()
        if last in ("val_bpb", "bpb") and decimals >= 4:
            yield _Stated("score", seed, value, decimals, shown)
        elif last in ("artifact_bytes", "bytes_total", "total_bytes") and value >= _LEAST:
            yield _Stated("bytes", seed, value, 0, shown)
        elif (kind := kind_of(last)) and (found := amount(kind, last, f"{value:.{decimals}f}")):
            yield _Stated(kind, seed, found[0], 0, shown, found[1])


def _score(stated: _Stated, own: Sequence[Log]) -> Disagreement | None:
    near = [(log, s) for log in own for s in log.scores if abs(s.bpb - stated.value) <= _NEAR]
    if not near or any(agrees(stated.value, stated.decimals, s.bpb, s.decimals, loose=True) for _, s in near):
        return None
    log, line = min(near, key=lambda pair: abs(pair[1].bpb - stated.value))
    return Disagreement(
        "score", stated.seed, stated.value, line.bpb, (stated.evidence, log.evidence(line.line))
    )


def _bytes(stated: _Stated, own: Sequence[Log], shipped: int) -> Disagreement | None:
    totals = [
        (log, s) for log in own for s in log.sizes if s.kind in ("total", "artifact", "raw_total", "model")
    ]
    code = {shipped, 0} | {s.bytes for log in own for s in log.sizes if s.kind == "code"}
    if all(s.kind not in ("total", "artifact") for _, s in totals):
        return None
    if any(s.bytes + (c if s.kind == "model" else 0) == stated.value for _, s in totals for c in code):
        return None
    whole = [(log, s) for log, s in totals if s.kind in ("total", "artifact")]
    log, size = min(whole, key=lambda pair: abs(pair[1].bytes - stated.value))
    return Disagreement(
        "bytes", stated.seed, stated.value, size.bytes, (stated.evidence, log.evidence(size.line))
    )
