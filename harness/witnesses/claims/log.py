"""A tolerant reader of training logs: scores, settings, sizes, times and seeds, each with its line.

Logs differ by author. Many embed the whole script (or several) before the run's own lines; numbers inside
that source are not results, so source regions are found first and skipped. Every pattern is bounded and
every line cut, so a hostile log costs no more than its length. What the reader does not understand it
leaves.
"""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from pathlib import Path

from harness.case import Evidence

MAX_BYTES = 8_000_000
"""Longer logs are read at both ends, half of this each; line numbers stay true."""

MAX_LINE = 4_000
LOG_SUFFIXES = (".log", ".txt", ".out", ".err", ".stdout", ".jsonl")
_NOT_LOGS = ("requirements", "readme", "license", "cmakelists")

_NUMBER = re.compile(
    r"(?<![A-Za-z0-9_.])[-+]?(?:\d{1,30}(?:\.\d{0,30})?|\.\d{1,30})(?:[eE][-+]?\d{1,3})?%?|\b(?:nan|inf)\b"
)
_PREFIX = re.compile(
    r"^\s*(?:\[?(?:rank|default)\s?\d{1,3}\]?:\s?|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\S{0,12}\s"
    r"|\[\d\d:\d\d:\d\d\S{0,8}\s?"
    r"|\[\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[^\]]{0,12}\]\s?|I\d{4} \S{1,40}\]\s|\d{9,11}\.\d{1,9}\s)+"
)
_BPB = re.compile(
    r"(?i)(?:bpb|bits[_ ]?per[_ ]?byte)(?:_mean|_exact)?[\"'*`)\]]{0,4}\s{0,8}"
    r"[:=≈]{0,2}\s{0,8}[*\"'~]{0,3}(\d{1,3}\.\d{1,20})"
)
_LOSS = re.compile(
    r"(?i)(?:val|eval|test|ttt|valid)?_?loss(?:_mean|_exact)?[\"'*`]{0,3}"
    r"\s{0,8}[:=]{0,2}\s{0,8}[\"'~]?(\d{1,3}\.\d{1,20})"
)
_STEP = re.compile(
    r"(?i)^\s*(?:step|iter|epoch|it|s)?[\s:=\[(]{0,3}\d{1,8}\s?/\s?\d{1,8}\b"
    r"|^\s*(?:step|iter|epoch|iteration)[\s:=]{1,3}\d"
)
_RUNNING = re.compile(r"(?i)running|chunk\s?[\[ :=]?\d|\d\s?%|\d/\d{2,8}\b|progress|\brb:")
_RULE = re.compile(r"^[=\-#*_]{20,}\s*$")
_CODE = re.compile(
    r"^(?:import\s+\w|from\s+[\w.]{1,80}\s+import\b|#!|\"\"\"|'''|def\s+\w+\(|class\s+\w+[(:]"
    r"|[A-Z][A-Z0-9_]{2,60} = \w{0,40}[(\[{]$)"
)
_LOG_SURE = re.compile(
    r"^(?:step:?\s?\d|warmup_step:?\s?\d|model_params:\s?\d|train_shards:\s?\d|val_tokens:\s?\d"
    r"|val_bpb:enabled|train_loader:|val_loader:|world_size:\s?\d|Running Python|logs/\S{1,200}\.txt$"
    r"|\d{1,8}/\d{1,8} (?:train|val)_loss"
    r"|stopping_early:|Serialized model|\| NVIDIA-SMI|W\d{4} \d\d:|\*{30,}|seed:\s?\d|\[rank\d)"
)
_BLOCK_PAIR = re.compile(
    r"^\s{0,12}[\"']?([A-Za-z_]\w{0,60}(?:\.\w{1,60}){0,4})[\"']?\s{0,24}[:=]\s{1,24}(\S.{0,300})$"
)
_INLINE_PAIR = re.compile(
    r"(?<![\w.])([A-Za-z_]\w{0,60})[:=]\s?(\"[^\"]{0,200}\"|'[^']{0,200}'|\[[^\]]{0,200}\]"
    r"|\d{1,9}@[\d.]{1,12}(?:,\d{1,9}@[\d.]{1,12}){1,40}|\d{1,9}(?:,\d{1,9}){1,40}(?![\w.=])|[^\s,;(){}\[\]=]{1,200}(?![\w=]))"
)
_READS = re.compile(r"\bos\.(?:environ|getenv)\b")
"""A line of source that a log repeats, not of the settings it had."""
_SEED = re.compile(r"(?i)(?:^|[\s_,({])seed[\"']?\s{0,2}[:=]\s{0,2}(\d{1,10})\b")
_NAME_SEED = re.compile(r"(?i)(?:seed|_s|-s)[_-]?(\d{1,10})(?!\d)")
_TIME = re.compile(
    r"(?<!\w)(\w{0,40}?(?:time|elapsed|wallclock|took))\s{0,2}[:=]\s{0,2}~?(\d{1,9}(?:\.\d{1,6})?)"
    r"\s?(ms|m\b|min|s\b|sec|h\b)?"
)
_NAMED_TOTAL = re.compile(
    r"(?i)(?<![a-z])(?:total_)?(?:artifact|submission)(?:_size)?_bytes\W{1,3}(\d[\d,]{3,15})"
)
_BYTES = re.compile(r"(?<![\d.])(\d{1,3}(?:,\d{3}){1,4}|\d{4,12})(?![\d.,]\d)\s{0,3}(bytes|B)?\b")


@dataclasses.dataclass(frozen=True)
class ScoreLine:
    """One line that states a BPB. `progress` marks running figures and training steps."""

    line: int
    text: str
    label: str
    bpb: float
    decimals: int
    loss: float | None
    progress: bool


@dataclasses.dataclass(frozen=True)
class Printed:
    """One printed setting. `alone` is True for a line that holds nothing else (a dump)."""

    key: str
    value: str
    line: int
    alone: bool


@dataclasses.dataclass(frozen=True)
class Size:
    """A byte count.

    `kind` is "total" (code and compressed model), "artifact" (the same, less plainly said), "model" (packed),
    "raw_model", "code" or "raw_total".
    """

    kind: str
    bytes: int
    line: int
    text: str


@dataclasses.dataclass(frozen=True)
class Timing:
    """A duration in milliseconds, by the name that the log gives it; `unit` as printed ("" where none is)."""

    name: str
    ms: float
    line: int
    unit: str


@dataclasses.dataclass(frozen=True)
class Log:
    """What one log says. `source` holds the 1-based inclusive line spans of embedded scripts."""

    path: str
    lines: int
    cut: bool
    scores: tuple[ScoreLine, ...]
    settings: tuple[Printed, ...]
    sizes: tuple[Size, ...]
    timings: tuple[Timing, ...]
    seed: int | None
    source: tuple[tuple[int, int], ...]
    text: dict[int, str] = dataclasses.field(repr=False, compare=False)

    def evidence(self, line: int) -> Evidence:
        """Evidence that points at a 1-based line of this log."""
        return Evidence(self.path, line, self.text.get(line, "").strip()[:300])

    def embedded(self) -> list[str]:
        """The embedded scripts, as printed."""
        return ["\n".join(self.text.get(i, "") for i in range(a, b + 1)) for a, b in self.source]

    def finals(self) -> list[ScoreLine]:
        """Score lines that are results, not running figures; all score lines where there is no other."""
        return [s for s in self.scores if not s.progress] or list(self.scores)


def label_of(line: str) -> str:
    """The text of a line without its numbers, time stamps and rank prefixes, blanks collapsed.

    Digits inside a name stay: ``final_int6_exact val_bpb:1.12`` becomes ``final_int6_exact val_bpb:``.
    """
    return " ".join(_NUMBER.sub("", _PREFIX.sub("", line[:MAX_LINE])).split())


def is_log_name(path: str) -> bool:
    """Whether a file may be a log, by its name alone."""
    name = Path(path).name.lower()
    return name.endswith(LOG_SUFFIXES) and not name.startswith(_NOT_LOGS)


def read_log(file: Path, name: str) -> Log:
    """Read the log at `file`; findings call it `name`. Never raises for its content."""
    lines, numbers, cut = _lines(file)
    text = dict(zip(numbers, lines, strict=True))
    spans = _source_spans(lines, numbers)
    inside = {i for a, b in spans for i in range(a, b + 1)}
    outer = [
        (n, _PREFIX.sub("", t[:MAX_LINE]))
        for n, t in zip(numbers, lines, strict=True)
        if n not in inside and t.strip()
    ]
    return Log(
        path=name,
        lines=numbers[-1] if numbers else 0,
        cut=cut,
        scores=_scores(outer),
        settings=_settings(outer),
        sizes=tuple(s for n, t in outer if (s := _size(n, t)) is not None),
        timings=tuple(
            Timing(m[1], _ms(m[1], m[2], m[3]), n, m[3] or "") for n, t in outer for m in _TIME.finditer(t)
        ),
        seed=_seed(outer, name),
        source=tuple(spans),
        text=text,
    )


def _lines(file: Path) -> tuple[list[str], list[int], bool]:
    """The lines of a log with their 1-based numbers; the middle of an oversized one is left out."""
    size = file.stat().st_size
    with file.open("rb") as stream:
        if size <= MAX_BYTES:
            lines = _decode(stream.read()).split("\n")
            return lines, list(range(1, len(lines) + 1)), False
        head = stream.read(MAX_BYTES // 2)
        skipped = 0
        while stream.tell() < size - MAX_BYTES // 2:
            skipped += stream.read(min(1 << 20, size - MAX_BYTES // 2 - stream.tell())).count(b"\n")
        first = _decode(head).split("\n")
        last = _decode(stream.read(MAX_BYTES)).split("\n")[1:]
        start = len(first) + skipped + 1
    return first + last, [*range(1, len(first) + 1), *range(start, start + len(last))], True


def _decode(data: bytes) -> str:
    """Text of a log: UTF-8, or UTF-16 where PowerShell wrote it; a lone carriage return ends no line."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = data.decode("utf-16", errors="replace")
    else:
        text = data.decode("utf-8-sig", errors="replace")
    return text.replace("\r\n", "\n").replace("\r", " ")


def _source_spans(lines: list[str], numbers: list[int]) -> list[tuple[int, int]]:
    """Spans of embedded scripts: from a line of code at column 0 to a rule or the run's own first line."""
    spans: list[tuple[int, int]] = []
    i = 0
    while i < len(lines):
        if not _CODE.match(lines[i][:600]):
            i += 1
            continue
        end = i + 1
        while end < len(lines) and not _ends_source(lines, end):
            end += 1
        if end - i >= 3 or len(lines[i]) > 1000 or "exec(" in lines[i]:
            spans.append((numbers[i], numbers[end - 1]))
        i = end
    return spans


def _ends_source(lines: list[str], i: int) -> bool:
    line = lines[i]
    if _LOG_SURE.match(line[:300]):
        return True
    return bool(_RULE.match(line[:200])) and line.startswith("=")


def _scores(outer: list[tuple[int, str]]) -> tuple[ScoreLine, ...]:
    found: list[tuple[int, str, str, re.Match[str]]] = []
    for number, text in outer:
        for match in _BPB.finditer(text):
            found.append((number, text, label_of(text), match))
    often = Counter(label for _, _, label, _ in found)
    result = []
    for number, text, label, match in found:
        losses = list(_LOSS.finditer(text))
        before = [m for m in losses if m.end() <= match.start()]
        loss = (before or losses)[-1 if before else 0] if losses else None
        running = bool(_STEP.match(text) or _RUNNING.search(text)) or often[label] > 6
        result.append(
            ScoreLine(
                number,
                text.strip()[:300],
                label,
                float(match[1]),
                len(match[1].partition(".")[2]),
                float(loss[1]) if loss else None,
                running,
            )
        )
    return tuple(result)


def _settings(outer: list[tuple[int, str]]) -> tuple[Printed, ...]:
    """Printed pairs of every line that is not a training step."""
    result: list[Printed] = []
    for number, text in outer:
        if _STEP.match(text) or _READS.search(text) or len(result) > 20_000:
            continue
        alone = _BLOCK_PAIR.match(text)
        if alone and alone[2].rstrip()[-1:] in "([{":
            continue
        if alone and not _INLINE_PAIR.search(alone[2]):
            result.append(Printed(alone[1], _clean(alone[2]), number, True))
            continue
        pairs = _INLINE_PAIR.findall(text)
        result.extend(
            Printed(k, _clean(v), number, len(pairs) == 1 and text.strip().startswith(k)) for k, v in pairs
        )
    return tuple(result)


def _clean(value: str) -> str:
    value = value.strip().rstrip(",")
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1]
    return value


def _size(number: int, text: str) -> Size | None:
    """The byte count of a line that speaks of sizes, with what it counts."""
    low = text.lower()
    if "byte" not in low and "size" not in low:
        return None
    kind = _size_kind(low)
    if kind is None:
        return None
    named = _NAMED_TOTAL.search(text) if kind in ("total", "artifact") else None
    if (
        named is not None
    ):  # among other numbers of the line: `param_count:17059912 total_artifact_bytes:15872012`
        return Size(kind, int(named[1].replace(",", "")), number, text.strip()[:300])
    counts = [m for m in _BYTES.finditer(text) if m[2]] or list(_BYTES.finditer(text))
    if not counts:
        return None
    return Size(kind, int(counts[0][1].replace(",", "")), number, text.strip()[:300])


def _size_kind(low: str) -> str | None:
    packed = any(
        w in low for w in ("int", "zlib", "zstd", "lzma", "brotli", "quant", "compress", "ternary", "lrzip")
    )
    if "total" in low and any(w in low for w in ("submission", "artifact", "size")):
        return "total" if packed or "artifact" in low else "raw_total"
    if "serialized model" in low or "compressed model" in low or "model size" in low:
        return "model" if packed else "raw_model"
    if "artifact" in low and ("size" in low or "bytes" in low):
        return "artifact"
    if "code size" in low or "code_bytes" in low or "code bytes" in low:
        return "code"
    return None


def _ms(name: str, value: str, unit: str | None) -> float:
    scale = {"ms": 1.0, "s": 1e3, "sec": 1e3, "m": 6e4, "min": 6e4, "h": 3.6e6}
    if unit is None:
        unit = "ms" if name.endswith("_ms") else "s"
    return float(value) * scale[unit]


def _seed(outer: list[tuple[int, str]], name: str) -> int | None:
    for _, text in outer[:400]:
        if match := _SEED.search(text):
            return int(match[1])
    match = _NAME_SEED.search(Path(name).name)
    return int(match[1]) if match else None
