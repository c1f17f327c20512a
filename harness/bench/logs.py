"""How much of real logs the log reader understands: of lines that hold a number, over the logs of all pull requests."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from harness.bench.targets import pull_request_numbers
from harness.intake.git import Repository
from harness.witnesses.claims.denominator import is_step_with_loss
from harness.witnesses.claims.log import Log, is_log_name, read_log

_KINDS = (
    ("the machine: nvidia-smi, versions, dates", re.compile(
        r"^\s*\||^[+|\-= ]{6,}|MiB|^Running P|NVIDIA|^\s*GPU|CUDA|^Python|PyTorch|^\s*\w{3}\s+(?:\w{3}\s+)?\d{1,2}\s+\d\d:"
    )),
    ("launchers, warnings, tracebacks", re.compile(
        r"torch/|site-packages|^\s*File |(?i:warning)|W\d{4} |^\[rank|\[W\d{3}|OMP_NUM|Traceback|_dynamo|convert_frame"
        r"|line \d|^\s*(?:return|raise|import|from) |^\s+\w+\("
    )),
    ("names of tensors and layers", re.compile(
        r"blocks?\.|\.weight|_scale|_gain|tok_emb|lm_head|passthrough|gptq \("
    )),
    ("dumped lists and objects", re.compile(
        r"^\s*[\"'\[\]{}]|^\s*-?[\d.]+(?:e[-+]\d+)?\s*,?\s*\]?,?$|^\s*\("
    )),
    ("progress of an evaluation or a data job", re.compile(
        r"(?i)batch|chunk|window|progress|%|docs?\b|/\d|rank:|\beval|elapsed|written|shard|download|\bit/s|tok/s"
    )),
)  # fmt: skip
"""Kinds of lines that are not understood, the first that fits; told by form alone."""


def understood(log: Log) -> set[int]:
    """The lines of which the reader takes at least one value."""
    taken = {s.line for s in log.scores} | {s.line for s in log.settings}
    taken |= {s.line for s in log.sizes} | {s.line for s in log.timings}
    return taken | {n for n, text in log.text.items() if is_step_with_loss(text[:400])}


def numeric(log: Log) -> dict[int, str]:
    """The lines outside embedded source that hold a digit, by number."""
    inside = {i for a, b in log.source for i in range(a, b + 1)}
    return {n: t for n, t in log.text.items() if n not in inside and any(c.isdigit() for c in t)}


def logs(clone: Path, scratch: Path) -> Iterator[tuple[int, Log]]:
    """(pull request, log) of every different log below records/ at any head that states a score.

    Those of the main line come with the first pull request whose head has them. Raises IntakeError on a bad clone.
    """
    repository, seen = Repository(clone), set[str]()
    place = scratch / "log"
    for number in pull_request_numbers(clone):
        held = [e for e in repository.tree(f"refs/pull/{number}/head") if e.path.startswith("records/")]
        new = {e.object: e.path for e in held if is_log_name(e.path) and e.object not in seen}
        seen |= new.keys()
        for blob, content in repository.blobs(list(new)).items():
            place.write_bytes(content)
            if (log := read_log(place, PurePosixPath(new[blob]).name)).scores:
                yield number, log


def table(clone: Path, scratch: Path, sample: int = 0) -> tuple[str, list[str]]:
    """The share of lines with a number that are understood, with the kinds of the others; and `sample` values at random.

    The values stand beside their lines, to be checked by eye: they hold text of the logs and are not for publication.
    """
    count = lines = taken = 0
    heads: set[int] = set()
    left: Counter[str] = Counter()
    values: list[str] = []
    for number, log in logs(clone, scratch):
        known, held = understood(log), numeric(log)
        count, lines, taken = count + 1, lines + len(held), taken + len(held.keys() & known)
        heads.add(number)
        left.update(_kind(t) for n, t in held.items() if n not in known)
        values += _one_value(log, random.Random(f"{number} {log.path} {log.lines}")) if sample else []
    share = f"{taken:,} of {lines:,} lines with a number, {taken / max(lines, 1):.1%}"
    rows = [f"| {kind} | {n:,} | {n / max(lines, 1):.1%} |" for kind, n in left.most_common()]
    head = f"{count:,} logs with a score at {len(heads):,} heads: of {share}, the reader takes at least one value."
    drawn = random.Random(1).sample(values, min(sample, len(values)))
    return "\n".join(
        [head, "", "| lines not understood | | of all |", "|---|---:|---:|", *rows]
    ) + "\n", drawn


def _kind(text: str) -> str:
    return next((name for name, pattern in _KINDS if pattern.search(text[:300])), "other")


def _one_value(log: Log, draw: random.Random) -> list[str]:
    """One value of the log, drawn among all, with its line."""
    found = [
        *(("bpb", s.bpb, s.line) for s in log.scores),
        *(("loss beside bpb", s.loss, s.line) for s in log.scores if s.loss is not None),
        *((f"setting {p.key}", p.value, p.line) for p in log.settings),
        *((f"bytes, {s.kind}", s.bytes, s.line) for s in log.sizes),
        *((f"ms, {t.name}", t.ms, t.line) for t in log.timings),
    ]
    kinds = sorted({name.split(" ")[0].split(",")[0] for name, _, _ in found})
    kind = draw.choice(kinds)
    name, value, line = draw.choice([f for f in found if f[0].startswith(kind)])
    return [f"{name} = {value}   <- {log.text.get(line, '').strip()[:200]}"]
