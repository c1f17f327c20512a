"""Made-up audits: honest test-time training, a cheat, a crash, and text that attacks its reader."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.analysis import Analysis, examine
from harness.case import (
    Audit,
    Case,
    Claim,
    Evidence,
    Finding,
    Grade,
    Origin,
    Score,
    Script,
    Setting,
    Status,
    Submission,
    Verdict,
)
from harness.emulate import Run, WorldSummary
from harness.witnesses.probes import Future, Incompressibility, Move, ProbeFacts, RandomRun
from harness.witnesses.trace import Balance, Coverage, Leak, LossTable, Trace, TraceEvent
from harness.witnesses.trace.record import Frame

POSITIONS = 4096
VOCABULARY = 512
HOSTILE = (
    "<script>alert(1)</script> [red]x[/red] [link=http://evil]y[/link] \x1b[31mred\x1b[0m \x9b2J "
    "\u202ewor\u202c @maintainer #1 | a | ``` ~~~ <!-- [a](https://evil.example) ![](https://evil.example/p.png) "
    "www.evil.example "
    '"><img src=x onerror=alert(1)> {{ 7*7 }} {% raw %} \u200b\ufeff \ud800 \x00 &amp; e@evil.example'
)


def filled(kind: type[Any], **given: Any) -> Any:
    """A record whose fields that a scene does not speak of are neutral: None where that is allowed, else zero."""
    zero = {"bool": False, "int": 0, "float": 0.0, "str": ""}
    for field in dataclasses.fields(kind):
        name = str(field.type)
        neutral = None if "None" in name else () if name.startswith("tuple") else zero.get(name)
        if field.name not in given and field.default is dataclasses.MISSING:
            given[field.name] = neutral
    return kind(**given)


class WordWorld:
    """A world whose tokens are words: common ones short, rare ones long."""

    def __init__(self) -> None:
        draw = np.random.default_rng(7)
        weights = 1.0 / np.arange(1, VOCABULARY)
        self.ids = 1 + draw.choice(VOCABULARY - 1, size=POSITIONS, p=weights / weights.sum())
        self.ids[::256] = 0
        syllables = ["ka", "to", "re", "mi", "su", "lon", "ve", "dra"]
        names = ["".join(p) for n in (1, 2, 3) for p in itertools.product(syllables, repeat=n)]
        self.names = ["", *names[: VOCABULARY - 1]]

    def val_stream(self) -> np.ndarray:
        return self.ids.astype(np.uint16)

    def position_bytes(self) -> np.ndarray:
        return np.array([len(self.names[i]) + bool(i) for i in self.ids], dtype=np.float64)

    def decode(self, ids: Sequence[int]) -> str:
        return " ".join(self.names[i] if i else "\n" for i in ids)


class Recorder:
    """Numbers events as they are added."""

    def __init__(self) -> None:
        self.events: list[TraceEvent] = []

    def add(self, kind: str, line: int, low: int = 0, high: int = 0, **more: Any) -> int:
        rest = {"file": "train_gpt.py", "function": "", "counted": False, "text": "", "loss": None, **more}
        runs = ((low, high),) if high > low else ()
        self.events.append(TraceEvent(seq=len(self.events), kind=kind, line=line, positions=runs, **rest))
        return self.events[-1].seq


def honest_events() -> Recorder:
    """Score a chunk, train on it, go on."""
    record = Recorder()
    record.add("phase", 880, text="training")
    for step in range(6):
        record.add("update", 911, function="main", text=f"train data, step {step}")
    record.add("phase", 1010, text="evaluation")
    for low in range(0, POSITIONS, 128):
        loss = 6.9 - 0.4 * low / POSITIONS
        record.add("score", 1102, max(low, 1), low + 128, function="eval_val_ttt", counted=True, loss=loss)
        record.add("train", 1120, low, low + 128, function="eval_val_ttt", loss=loss - 0.02)
        record.add("update", 1123, low, low + 128, function="eval_val_ttt")
    record.add("print", 1200, counted=True, text="final_ttt_exact val_loss:6.70 val_bpb:2.9")
    return record


def cheat_events() -> Recorder:
    """Three epochs over val, then the eval."""
    record = Recorder()
    record.add("phase", 1050, text="test-time training")
    for _ in range(3):
        for low in range(0, POSITIONS, 256):
            record.add("train", 1090, low, low + 256, function="ttt_adapt", loss=6.5)
            record.add("update", 1094, low, low + 256, function="ttt_adapt")
    record.add("phase", 1590, text="final evaluation")
    for low in range(0, POSITIONS, 64):
        record.add("score", 820, max(low, 1), low + 64, function="eval_val_sliding", counted=True, loss=4.1)
    record.add("print", 1600, counted=True, text="final val_bpb:1.7")
    return record


def loss_table(record: Recorder, level: float) -> LossTable:
    """Losses that fit the events: rare words cost more."""
    draw, world = np.random.default_rng(3), WordWorld()
    order, first = np.full(POSITIONS, -1), np.full(POSITIONS, -1)
    chunk, offset, chunks = np.zeros(POSITIONS, np.int64), np.zeros(POSITIONS, np.int64), 0
    for event in record.events:
        for low, high in event.positions:
            if event.kind == "score":
                order[low:high], chunk[low:high] = event.seq, chunks
                offset[low:high] = np.arange(high - low)
            elif event.kind == "update":
                first[low:high] = np.where(first[low:high] < 0, event.seq, first[low:high])
        chunks += event.kind == "update"
    rare = np.log1p(world.ids) / np.log(VOCABULARY)
    loss = level * (0.15 + 1.1 * rare) * draw.gamma(4, 0.25, POSITIONS) + 1.2 * np.exp(-offset / 12)
    loss *= 1 - 0.15 * np.arange(POSITIONS) / POSITIONS
    seen = order >= 0
    leaked = (first >= 0) & (first < order)
    columns = (np.arange(POSITIONS), loss, order, offset, chunk, first, leaked)
    return LossTable(*(np.asarray(c)[seen] for c in columns))


def submission(name: str, **changes: Any) -> Submission:
    """A submission folder with one script."""
    script = Script(
        path="train_gpt.py",
        shipped_bytes=48211,
        sha256="4f2a9be07c1d" + "0" * 52,
        source="",
        runnable="",
        display="train_gpt.py",
        notes=(),
    )
    plain = Submission(
        name=name,
        folder=f"records/track_10min_16mb/{name}",
        root=Path("/nowhere"),
        origin=Origin("clone", 9001, "e3a79587" * 5, "0" * 40, False),
        script=script,
        files={"train_gpt.py": 48211, "README.md": 3120},
        track="record",
    )
    return dataclasses.replace(plain, **changes)


CLAIM = Claim(
    source="log",
    settings=tuple(
        Setting(name, value, Evidence("train_seed1337.log", line, f"{name}: {value}"))
        for line, (name, value) in enumerate(
            {
                "TTT_ENABLED": "1",
                "TTT_LR": "0.002",
                "TTT_EPOCHS": "3",
                "EVAL_STRIDE": "64",
                "NUM_LAYERS": "11",
            }.items(),
            start=12,
        )
    ),
    log="train_seed1337.log",
    label="final_ttt_exact val_loss: val_bpb:",
    label_evidence=Evidence("train_seed1337.log", 911, "final_ttt_exact val_loss:1.8890 val_bpb:1.1188"),
    claimed_bpb=1.1188,
    claimed_loss=1.889,
    artifact_bytes=15_904_112,
    artifact_evidence=Evidence("train_seed1337.log", 902, "Total submission size: 15904112 bytes"),
)
OVERRIDES = (
    ("MODEL_DIM", "512", "64"),
    ("ITERATIONS", "20000", "12"),
    ("TRAIN_BATCH_TOKENS", "786432", "2048"),
    ("chunk_tokens (line 1088)", "32768", "128"),
)
WORLD = WorldSummary("miniature", VOCABULARY, False, POSITIONS, 65536, 4)


def run_of(outcome: str = "scored", reason: str = "", **changes: Any) -> Run:
    """A run in the emulator."""
    run = Run(outcome, reason, Path("/nowhere"), 11.2, OVERRIDES, WORLD)
    return dataclasses.replace(run, **changes)


def analysed(record: Recorder, level: float, leak: Leak | None = None) -> tuple[Trace, Analysis]:
    """A trace of these events and its analysis."""
    line = record.events[-1].text
    trace = trace_of(
        record, loss_table(record, level), Balance(line, 6.7, 2.91, 6.7, 2.91, True, True, "summed"), leak
    )
    return trace, examine(trace, WordWorld())


def trace_of(record: Recorder, losses: LossTable, balance: Balance, leak: Leak | None) -> Trace:
    """A complete trace."""
    return filled(
        Trace,
        balance=balance,
        leak=leak,
        coverage=filled(Coverage, expected=POSITIONS - 1, scored=POSITIONS - 1),
        events=tuple(record.events),
        losses=losses,
        val_reads=("fineweb_val_000000.bin",),
        updates=sum(e.kind == "update" for e in record.events),
        trained_positions=POSITIONS,
        complete=True,
    )


LEAK = filled(
    Leak,
    positions=POSITIONS - 1,
    first=1,
    loss=4.1,
    score=(Frame("train_gpt.py", 820, "eval_val_sliding"), Frame("train_gpt.py", 1597, "main")),
    update=(Frame("train_gpt.py", 1094, "ttt_adapt"), Frame("train_gpt.py", 1588, "main")),
    backward=(Frame("train_gpt.py", 1090, "ttt_adapt"), Frame("train_gpt.py", 1588, "main")),
)
PROBES = ProbeFacts(
    Incompressibility(
        "proved",
        "For 4,083 uniformly random val tokens the claimed line stands for 39,896 bits; no valid predictor needs fewer "
        "than 40,824 but by chance. Evidence over one run: 927 bits, p < 1e-279.",
        (
            RandomRun(
                "rates near zero",
                1,
                "scored",
                "final val_bpb:3.33",
                6.77,
                3.33,
                4083,
                39896.0,
                40824.0,
                39896.0,
            ),
            RandomRun("rates near zero", 2, "On random tokens the script did not print its claimed line."),
        ),
        1024,
        927.0,
        927.0,
    ),
    Future(
        "proved",
        "1,851 val tokens that are scored later were exchanged: 33 of 2,273 losses scored before them moved.",
        changed=1851,
        cut=2273,
        compared=2273,
        moved=33,
        largest=0.0129,
        tolerance=1e-4,
        first_position=2241,
        ahead=33,
        artifact="changed",
        artifact_file="final_model.int8.ptz",
        moves=(Move(0, 1000, 0.0, 0), Move(1000, 2000, 2e-6, 0), Move(2000, 2273, 0.0129, 33)),
    ),
    repeating=Incompressibility(
        "clear",
        "For 8,176 randomly repeating val tokens the claimed line stands for 81,812 bits; no valid predictor needs fewer "
        "than 78,411 but by chance: nothing was saved.",
        (
            RandomRun(
                "rates near zero", 1, "scored", "final val_bpb:3.4", 6.9, 3.4, 8176, 81812.0, 78411.0, 81812.0
            ),
        ),
        1024,
        -3402.0,
        -3402.0,
    ),
)
SCORE = Score(1.1188, 6.7021, 2.91324, 6.7021, 2.91324, "final_ttt_exact val_loss:6.7021 val_bpb:2.91324")


@pytest.fixture
def honest() -> Audit:
    """Score-first test-time training that passes."""
    trace, analysis = analysed(honest_events(), 6.9)
    lines = (
        Evidence("train_gpt.py", 1102, "loss = F.cross_entropy(logits, y)"),
        Evidence("train_gpt.py", 1123, "opt.step()"),
    )
    findings = (
        Finding(
            "C1", Status.PASS, "Losses before a changed suffix did not move.", "ok", Grade.COUNTERFACTUAL
        ),
        Finding(
            "C2", Status.PASS, "Probabilities sum to 1 at 64 sampled positions.", "ok", Grade.COUNTERFACTUAL
        ),
        Finding(
            "C3",
            Status.PASS,
            "All 4,095 positions were scored before an update used them.",
            "ok",
            Grade.TRACE,
            lines,
        ),
        Finding("C4", Status.PASS, "Each position was scored once.", "ok", Grade.TRACE),
        Finding(
            "D1",
            Status.PASS,
            "4,095 of 4,096 positions scored; the first has no predecessor.",
            "ok",
            Grade.TRACE,
        ),
        Finding("B1", Status.PASS, "Printed and rebuilt BPB agree to 1e-6.", "ok", Grade.TRACE),
        Finding(
            "A1", Status.PASS, "15,904,112 bytes by the log.", "ok", Grade.CLAIM, (CLAIM.artifact_evidence,)
        ),
    )
    case = Case(submission("2026-03-24_ScoreFirstTTT"), CLAIM, run=run_of(), trace=trace, analysis=analysis)
    return Audit(case, findings, Verdict.PASS, "Every chunk is scored before it is trained on, once.", SCORE)


@pytest.fixture
def cheat() -> Audit:
    """Three epochs on val before the eval."""
    trace, analysis = analysed(cheat_events(), 4.2, LEAK)
    lines = (
        Evidence(
            "train_gpt.py", 1064, "def ttt_adapt(args, base_model, device, val_tokens, rank=0, world_size=1):"
        ),
        Evidence("train_gpt.py", 1094, "optimizer.step()"),
        Evidence("train_gpt.py", 1588, "ttt_adapt(args, base_model, device, val_tokens)"),
    )
    findings = (
        Finding(
            "C3",
            Status.FAIL,
            "4,095 of 4,095 scored positions were trained on before they were scored: ttt_adapt makes three "
            "passes over the val stream, and the counted eval comes after it.",
            "train_on_val_before_score",
            Grade.TRACE,
            lines,
        ),
        Finding("C4", Status.PASS, "Each position was scored once.", "ok", Grade.TRACE),
        Finding("D1", Status.PASS, "4,095 of 4,096 positions scored.", "ok", Grade.TRACE),
        Finding("B1", Status.PASS, "Printed and rebuilt BPB agree to 1e-6.", "ok", Grade.TRACE),
        Finding("A1", Status.REVIEW, "No log states the size of the artifact.", "artifact_size", Grade.CLAIM),
    )
    claim = dataclasses.replace(
        CLAIM, ambiguous=("README says TTT_EPOCHS=1, the log says 3; the log was followed.",)
    )
    case = Case(
        submission("2026-03-21_XSA_EMA_TTT"),
        claim,
        run=run_of(),
        trace=trace,
        analysis=analysis,
        probes=PROBES,
    )
    why = "C3: the model was trained on every val position before scoring it (train_gpt.py:1064 from 1588)."
    return Audit(case, findings, Verdict.FAIL, why, SCORE)


@pytest.fixture
def crash() -> Audit:
    """A script that never came to its score."""
    run = run_of(
        "crashed",
        "ModuleNotFoundError: No module named 'mamba_ssm' at train_gpt.py:31.",
        missing=("mamba_ssm",),
    )
    findings = (Finding("B1", Status.NOT_COVERED, "The script printed no score."),)
    case = Case(submission("2026-04-02_Hybrid_SSM"), Claim(), run=run)
    return Audit(
        case, findings, Verdict.REVIEW, "It needs the package mamba_ssm, which is not here.", Score()
    )


@pytest.fixture
def hostile() -> Audit:
    """Every string that a submission can choose attacks the reader."""
    evidence = Evidence(HOSTILE, 3, HOSTILE)
    record = Recorder()
    record.add("phase", 1, text=HOSTILE, file=HOSTILE, function=HOSTILE)
    record.add(
        "score", 2, 1, 64, text=HOSTILE, file=HOSTILE, function=HOSTILE, counted=True, loss=float("nan")
    )
    record.add("train", 2, 32, 96, file=HOSTILE)
    record.add("score", 2, 64, 128, file=HOSTILE, counted=True, loss=float("inf"))
    losses = LossTable(*(np.zeros(4, dtype=np.int64) for _ in range(6)), leaked=np.zeros(4, bool))
    losses = dataclasses.replace(losses, loss_nats=np.array([1.0, np.nan, np.inf, 12.0]))
    frames = (Frame(HOSTILE, 1, HOSTILE),)
    balance = Balance(HOSTILE, float("nan"), float("inf"), None, None, False, False, HOSTILE)
    trace = trace_of(
        record,
        losses,
        balance,
        filled(Leak, positions=32, first=32, score=frames, update=frames, rescored=True),
    )
    trace = dataclasses.replace(trace, holes=(HOSTILE,), val_reads=(HOSTILE,), complete=False)
    script = dataclasses.replace(submission("x").script, display=HOSTILE, notes=(HOSTILE,))
    claim = Claim(
        source=HOSTILE,
        settings=(Setting(HOSTILE, HOSTILE, evidence),),
        argv=(HOSTILE,),
        log=HOSTILE,
        label=HOSTILE,
        label_evidence=evidence,
        claimed_bpb=float("nan"),
        artifact_bytes=1,
        artifact_evidence=evidence,
        ambiguous=(HOSTILE,),
        notes=(HOSTILE,),
    )
    sub = submission(
        HOSTILE, script=script, notes=(HOSTILE,), files={HOSTILE: 1}, track=HOSTILE, origin=Origin(HOSTILE)
    )
    run = run_of(
        HOSTILE,
        HOSTILE,
        overrides=((HOSTILE,) * 3,),
        world=dataclasses.replace(WORLD, name=HOSTILE),
        missing=(HOSTILE,),
        notes=(HOSTILE,),
    )
    line = RandomRun("rates near zero", 1, HOSTILE, HOSTILE, float("inf"), 1.0, 9, 1.0, 2.0, float("nan"))
    probes = ProbeFacts(
        Incompressibility("proved", HOSTILE, (line,), 1024, 66.0),
        dataclasses.replace(PROBES.future, reason=HOSTILE, artifact_file=HOSTILE, largest=float("inf")),
        repeating=Incompressibility("proved", HOSTILE, (line,), 1024, float("nan")),
    )
    case = Case(sub, claim, run=run, trace=trace, analysis=examine(trace, WordWorld()), probes=probes)
    findings = (
        Finding("C3", Status.FAIL, HOSTILE, HOSTILE, Grade.TRACE, (evidence,)),
        Finding(HOSTILE, Status.REVIEW, HOSTILE),
    )
    return Audit(case, findings, Verdict.FAIL, HOSTILE, Score(line=HOSTILE, emulated_bpb=float("inf")))


@pytest.fixture
def scenes(honest: Audit, cheat: Audit, crash: Audit, hostile: Audit) -> dict[str, Audit]:
    """All of them by name."""
    return {"honest": honest, "cheat": cheat, "crash": crash, "hostile": hostile}


@pytest.fixture
def record() -> Callable[[], Recorder]:
    """A fresh recorder of events."""
    return Recorder
