"""What one log says of its run: score, steps, clocks, sizes, tokens, shards and calibration, each with its line."""

from __future__ import annotations

import dataclasses
import math
import re
import statistics
from collections.abc import Iterable, Iterator

from harness.case import Evidence
from harness.witnesses.claims.denominator import (
    bounded,
    fixed_per_token,
    scored_bytes,
    scored_tokens,
    training_loss,
)
from harness.witnesses.claims.log import Log, ScoreLine, Size, Timing
from harness.witnesses.claims.machine import Machine, machine
from harness.witnesses.claims.submission_json import agrees

_CALIBRATION = re.compile(
    r"(?i)(?:gptq|awq|hessian|calib)\w*[^\n]{0,80}(?:calibrat|collect|generat|hessians)"
)
_NOT_DONE = re.compile(r"(?i)without|\bno\b|skip|disabled|reserv|budget")
_ENDED = re.compile(
    r"(?i)total[_ ]train(?:[_ ]time|ing time|\+gptq)[:=]?\s?(\d{1,7}(?:\.\d{1,4})?)\s?(ms|s)\b"
)
_LASTED = re.compile(
    r"(?i)(?:\bin|(?<![a-z_])time[=:]|post_time:|took|elapsed[=:]?)\s?(\d{1,6}(?:\.\d{1,4})?)\s?(ms|s)\b"
)
_STEP = re.compile(r"(?i)(?:step[:\s]{1,2}|^\s*)(\d{1,8})/\d{1,8}\b")
_STEP_MS = re.compile(r"step_avg:\s?(\d{1,7}(?:\.\d{1,4})?)ms")
_ALIAS = 6  # scripts print one result under several names within so many lines
_TOKENS = ("val_tokens", "tokens", "n_val_tokens", "val_token_count")
_SHARDS = ("train_shards", "n_train_shards")
_GATES = ("within_gate", "word_gate", "agree2plus")
"""Counts of the n-gram hints of #1145's lineage whose gates look at the token to come (rule P7)."""


@dataclasses.dataclass(frozen=True)
class Stated:
    """A number that a line states."""

    value: float
    evidence: Evidence


@dataclasses.dataclass(frozen=True)
class Calibration:
    """Quantization calibration as the log tells it: `data` is "train", "val", "self" or "unknown".

    `after_stop` says that its line comes after the line that stops training; `ms` is its own duration and `end_ms` the
    training clock after it, where stated; `reserve_ms` the time that the run sets aside for it.
    """

    data: str
    after_stop: bool
    ms: float | None
    end_ms: float | None
    reserve_ms: float | None
    evidence: Evidence


@dataclasses.dataclass(frozen=True)
class RunFacts:
    """One run as its log tells it. Times in milliseconds, sizes in bytes; None where the log is silent.

    `usual_bytes_per_token` is the median over the log's other score lines of what they imply.
    `scored_bytes` and `scored_tokens` are counts that the score line itself states, `fixed_per_token` bytes per token that
    the log prints as a setting, `gates` the counts of gates that read the token to come, `train_loss` the training loss
    (nats per token) at the end of the run.
    `bounded` is the line that prints a bound on how much is evaluated.
    `train_ms` is the training clock at its last reading before the score, `own_cap_ms` the limit of the script's own at
    which its clock stopped it; `eval_ms` the duration of the evaluation that
    printed the score line, not of diagnostics; `world_size` the number of processes, `machine` what the log names it.
    """

    log: str
    seed: int | None
    bpb: float
    loss: float | None
    score: Evidence
    steps: int | None = None
    step_ms: float | None = None
    train_ms: Stated | None = None
    own_cap_ms: float | None = None
    eval_ms: Stated | None = None
    model_bytes: Stated | None = None
    code_bytes: Stated | None = None
    total_bytes: Stated | None = None
    val_tokens: Stated | None = None
    train_shards: Stated | None = None
    data_path: Evidence | None = None
    world_size: int | None = None
    calibration: Calibration | None = None
    usual_bytes_per_token: float | None = None
    scored_bytes: Stated | None = None
    scored_tokens: Stated | None = None
    fixed_per_token: Stated | None = None
    train_loss: Stated | None = None
    gates: tuple[tuple[str, Stated], ...] = ()
    machine: Machine | None = None
    bounded: Evidence | None = None

    @property
    def bytes_per_token(self) -> float | None:
        """The bytes per token that the score line implies: nats / (ln 2 * BPB); None where the loss is not stated."""
        if self.loss is None or self.loss <= 0 or self.bpb <= 0:
            return None
        return self.loss / (math.log(2.0) * self.bpb)


def run_facts(log: Log, line: ScoreLine) -> RunFacts:
    """The facts of the run that printed `line`; a log may hold several runs, so the last statement before it counts."""
    train = _last(t for t in log.timings if t.name == "train_time" and t.line <= line.line)
    stop = _stop_line(log, line.line) or (train.line if train else 0)
    trained = training_loss(log, _outer(log), line.line)
    return RunFacts(
        log=log.path,
        seed=log.seed,
        bpb=line.bpb,
        loss=line.loss,
        score=log.evidence(line.line),
        steps=_steps(log, train.line) if train else None,
        step_ms=_step_ms(log, train.line) if train else None,
        train_ms=_timed(log, train) if train and train.unit != "m" else None,
        own_cap_ms=_own_cap(log, line.line),
        eval_ms=_eval(log, line),
        model_bytes=_sized(log, _size(log.sizes, "model", line.line)),
        code_bytes=_sized(log, _size(log.sizes, "code", line.line)),
        total_bytes=_sized(
            log, _size(log.sizes, "total", line.line) or _size(log.sizes, "artifact", line.line)
        ),
        val_tokens=_number(log, _TOKENS, line.line),
        train_shards=_number(log, _SHARDS, line.line),
        data_path=_data_path(log, line.line),
        world_size=_whole(_number(log, ("world_size",), line.line)),
        calibration=_calibration(log, stop, line.line),
        usual_bytes_per_token=_usual(log, line),
        scored_bytes=_scored(log, line),
        scored_tokens=_tokens(log, line),
        fixed_per_token=_fixed(log, line.line),
        train_loss=Stated(*trained) if trained else None,
        gates=tuple((k, found) for k in _GATES if (found := _number(log, (k,), line.line)) is not None),
        machine=machine(log, _outer(log)),
        bounded=_bounded(log, line.line),
    )


def _scored(log: Log, line: ScoreLine) -> Stated | None:
    count = scored_bytes(line, log.sizes)
    return Stated(count, log.evidence(line.line)) if count is not None else None


def _tokens(log: Log, line: ScoreLine) -> Stated | None:
    count = scored_tokens(line)
    return Stated(count, log.evidence(line.line)) if count is not None else None


def _fixed(log: Log, until: int) -> Stated | None:
    found = fixed_per_token(log.settings, until)
    return Stated(found[0], log.evidence(found[1])) if found else None


def _bounded(log: Log, until: int) -> Evidence | None:
    found = bounded(log.settings, until)
    return log.evidence(found) if found is not None else None


def _usual(log: Log, line: ScoreLine) -> float | None:
    """The median bytes per token of the other score lines that state a loss, to see whether one line counts otherwise."""
    implied = [
        s.loss / (math.log(2.0) * s.bpb)
        for s in log.scores
        if s.loss and s.bpb > 0 and s.line <= line.line and s.label != line.label and "chunk" not in s.label
    ]
    return statistics.median(implied) if implied else None


def _last(items: Iterable[Timing]) -> Timing | None:
    found = None
    for item in items:
        found = item
    return found


def _size(sizes: Iterable[Size], kind: str, until: int) -> Size | None:
    """The last size of that kind before the line, else the first after it."""
    same = [s for s in sizes if s.kind == kind]
    before = [s for s in same if s.line <= until]
    return before[-1] if before else same[0] if same else None


def _sized(log: Log, size: Size | None) -> Stated | None:
    return Stated(size.bytes, log.evidence(size.line)) if size else None


def _timed(log: Log, timing: Timing) -> Stated:
    return Stated(timing.ms, log.evidence(timing.line))


def _whole(stated: Stated | None) -> int | None:
    return int(stated.value) if stated else None


def _number(log: Log, keys: tuple[str, ...], until: int) -> Stated | None:
    found = None
    for printed in log.settings:
        if printed.line > until and found is not None:
            break
        digits = printed.value.replace(",", "").replace("_", "")
        if (
            printed.key in keys
            and digits.isdigit()
            and (printed.key != "tokens" or _is_val_line(log, printed.line))
        ):
            found = Stated(int(digits), log.evidence(printed.line))
    return found


def _is_val_line(log: Log, line: int) -> bool:
    return "val" in log.text.get(line, "")[:200].lower()


def _data_path(log: Log, until: int) -> Evidence | None:
    """The line that names the training data: a path of shards."""
    for printed in log.settings:
        if printed.line <= until and printed.key in (
            "train_files",
            "datasets_dir",
            "data_path",
            "pattern",
            "dataset",
        ):
            return log.evidence(printed.line)
    return None


def _eval(log: Log, line: ScoreLine) -> Stated | None:
    """The claimed evaluation's duration: on its line, on its rounded twin or alias, or in total just after it."""
    stem = line.label.replace("_exact", "").split(" ")[0].split(":")[0]
    for number in (line.line, line.line - 1, line.line + 1, line.line - 2):
        text = log.text.get(number, "")
        if number != line.line and stem not in text and "total_eval_time" not in text:
            continue
        for timing in log.timings:
            if timing.line == number and timing.name != "train_time" and timing.unit != "m":
                return _timed(log, timing)
    twins = {
        s.line
        for s in log.scores
        if 0 < line.line - s.line <= _ALIAS and agrees(line.bpb, 4, s.bpb, s.decimals)
    }
    for timing in reversed(log.timings):
        if timing.line in twins and timing.name != "train_time" and timing.unit != "m":
            return _timed(log, timing)
    return None


def _stop_line(log: Log, until: int) -> int | None:
    stops = [n for n, t in _outer(log) if n <= until and t.lstrip().startswith("stopping_early")]
    return stops[-1] if stops else None


def _own_cap(log: Log, until: int) -> float | None:
    """The wallclock limit that the log prints, in milliseconds, where it says that training stopped at it."""
    if _stop_line(log, until) is None:
        return None
    printed = [p.value for p in log.settings if p.line <= until and p.key.lower() == "max_wallclock_seconds"]
    try:
        return float(printed[-1]) * 1000.0 if printed else None
    except ValueError:
        return None


def _steps(log: Log, line: int) -> int | None:
    match = _STEP.search(log.text.get(line, "")[:300])
    return int(match[1]) if match else None


def _step_ms(log: Log, line: int) -> float | None:
    for number in range(line, max(0, line - 40), -1):
        if match := _STEP_MS.search(log.text.get(number, "")[:300]):
            return float(match[1])
    return None


def _outer(log: Log) -> Iterator[tuple[int, str]]:
    inside = {i for a, b in log.source for i in range(a, b + 1)}
    return ((n, t[:400]) for n, t in log.text.items() if n not in inside)


def _calibration(log: Log, stop: int, until: int) -> Calibration | None:
    """The first line after the end of training that tells of calibration on data, with what the next ones add."""
    lines = [
        (n, t) for n, t in _outer(log) if n <= until and _CALIBRATION.search(t) and not _NOT_DONE.search(t)
    ]
    run = [(n, t) for n, t in lines if n > stop] or lines[:1]
    if not run:
        return None
    lasted = [_ms(m) for _, t in run for m in _LASTED.finditer(t)]
    ended = [_ms(m) for _, t in run for m in _ENDED.finditer(t)]
    return Calibration(
        _data(" ".join(t for _, t in run).lower()),
        run[0][0] > stop,
        max(lasted, default=None),
        max(ended, default=None),
        _reserve(log, until),
        log.evidence(run[0][0]),
    )


def _data(text: str) -> str:
    """What calibration lines say they read; "generated" may be said of val tokens that were merely cut."""
    if re.search(r"using val(?:idation)?[ _-](?:data|tokens)|\(val[ _-]data\)|source=val", text):
        return "val"
    if re.search(r"autoregressive|self-gen|generat|ar self|synthetic|random tokens", text):
        return "self"
    if re.search(r"source=val|on val|val_tokens|validation", text):
        return "val"
    return (
        "train"
        if re.search(r"train(?:ing)?[ _-](?:data|batches|tokens|shards)|source=train", text)
        else "unknown"
    )


def _ms(match: re.Match[str]) -> float:
    return float(match[1]) * (1.0 if match[2].lower() == "ms" else 1000.0)


def _reserve(log: Log, until: int) -> float | None:
    for printed in log.settings:
        if printed.line <= until and printed.key in ("gptq_reserve_seconds", "gptq_reserve_ms"):
            try:
                return float(printed.value) * (1.0 if printed.key.endswith("_ms") else 1000.0)
            except ValueError:
                continue
    return None
