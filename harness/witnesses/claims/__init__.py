"""The claims witness: what README, submission.json and logs say, as facts with their lines. It judges nothing."""

from __future__ import annotations

import dataclasses
import functools
import lzma

from harness.case import Claim, Evidence, Submission
from harness.intake.claimed_score import claimed_line
from harness.witnesses.claims.agreement import Disagreement, disagreements
from harness.witnesses.claims.arithmetic import Slip, slips
from harness.witnesses.claims.code import CodeOfLog, code_of
from harness.witnesses.claims.configuration import Difference, differences
from harness.witnesses.claims.log import Log, ScoreLine
from harness.witnesses.claims.machine import Machine, contradicted
from harness.witnesses.claims.packaging import Packaging, packaging
from harness.witnesses.claims.papers import read_logs, read_submission_json, read_text
from harness.witnesses.claims.preparation import Preparation, preparations
from harness.witnesses.claims.runs import Calibration, RunFacts, Stated, run_facts
from harness.witnesses.claims.standing import Standing, standing
from harness.witnesses.claims.submission_json import (
    Claimed,
    agrees,
    claimed_scores,
    score_pairs,
    seed_entries,
)
from harness.witnesses.claims.title import other_score

_WRAPPER = 200
_TOTALS = ("bytes_total", "artifact_bytes", "artifact_size_bytes", "total_bytes", "artifact_bytes_max")
_LEAST = 100_000
_SOURCES = (".py", ".c", ".cc", ".cpp", ".cu", ".cuh", ".h", ".hpp")

__all__ = [
    "Artifact",
    "Calibration",
    "ClaimFacts",
    "CodeOfLog",
    "Difference",
    "Disagreement",
    "Machine",
    "Packaging",
    "Preparation",
    "RunFacts",
    "Slip",
    "Standing",
    "Stated",
    "examine",
]


@dataclasses.dataclass(frozen=True)
class Artifact:
    """The artifact of the claimed run in bytes: code as shipped, compressed model, and the totals that are stated.

    `recount` is the shipped script plus the compressed model of the claimed log; None where the log states no model.
    `packed_code` is what the shipped script takes when packed as self-extracting scripts are (LZMA, base85);
    `shortest_copy` is the size of the folder's shortest training script: a readable copy may lie beside the real one.
    `all_code` is the most that can be counted as code: the script unpacked, or all sources of the folder together.
    """

    shipped_code: int
    packed_code: int
    shortest_copy: int
    recount: int | None
    model: Stated | None
    logged_code: Stated | None
    logged_total: Stated | None
    stated: Stated | None
    all_code: int = 0


@dataclasses.dataclass(frozen=True)
class ClaimFacts:
    """What the submission's papers say. `claimed` is the claimed run, `runs` every run whose log prints the same label.

    `score_stated` says that a log states the claimed score (or its mean), `score_elsewhere` that some line of a log does
    which this script may not print; `readme_states_score` that the README does.
    `pairs` are BPB and loss (nats per token) that submission.json states side by side, `disagreements` what the papers say
    of a seed and its log contradicts, `title` the score of a title where it is no claimed one,
    `hardware` the field that names H100 and the line of the claimed log that names other GPUs.
    """

    claimed: RunFacts | None
    runs: tuple[RunFacts, ...]
    artifact: Artifact
    packaging: Packaging
    preparations: tuple[Preparation, ...]
    score: Claimed | None
    score_stated: bool
    readme_states_score: bool | None
    standing: Standing | None = None
    code: tuple[CodeOfLog, ...] = ()
    differences: tuple[Difference, ...] = ()
    slips: tuple[Slip, ...] = ()
    pairs: tuple[tuple[float, float, Evidence], ...] = ()
    disagreements: tuple[Disagreement, ...] = ()
    title: Stated | None = None
    hardware: tuple[Evidence, Evidence] | None = None
    score_elsewhere: bool = False

    @property
    def behind(self) -> tuple[RunFacts, ...]:
        """The runs behind the claimed score, the claimed one first: those whose mean it is, where logs show it."""
        seeds = self.standing.seeds if self.standing is not None else None
        logs = seeds.logs if seeds is not None and seeds.claimed == "mean" else ()
        first = (self.claimed,) if self.claimed is not None else ()
        return (*first, *(r for r in self.runs if r is not self.claimed and r.log in logs))


def examine(submission: Submission, claim: Claim) -> ClaimFacts:
    """Gather the facts of the papers of one submission. Never raises for what they contain."""
    logs = read_logs(submission)
    json_name, data = read_submission_json(submission)
    main, per_seed = claimed_scores(data)
    pairs = _claimed_lines(logs, claim)
    runs = tuple(run_facts(log, line) for log, line in pairs)
    claimed = next((r for r in runs if r.log == claim.log), None)
    facts = ClaimFacts(
        claimed=claimed,
        runs=runs,
        artifact=_artifact(submission, claim, claimed, data, json_name),
        packaging=packaging(submission, data, len(logs)),
        preparations=preparations(submission),
        score=main[0] if main else None,
        score_stated=_stated(main, runs),
        readme_states_score=_readme_states(submission, claim),
        standing=standing(submission, claimed, runs, per_seed, main[0] if main else None),
    )
    return dataclasses.replace(
        facts,
        code=_code(submission, logs, facts.behind),
        differences=differences(logs, facts.behind, claim.environment()),
        slips=slips(submission),
        pairs=tuple(
            (c.value, loss, Evidence(json_name or "", 0, f"{c.name} {c.value:g}, val_loss {loss:g}"))
            for c, loss in score_pairs(data)
        ),
        disagreements=disagreements(submission, logs, data, json_name),
        hardware=contradicted(data, json_name, claimed.machine if claimed else None),
        score_elsewhere=_elsewhere(main, logs),
        title=other_score(submission, data, json_name, [*main, *per_seed]),
    )


def _code(submission: Submission, logs: list[Log], runs: tuple[RunFacts, ...]) -> tuple[CodeOfLog, ...]:
    """The scripts that the logs of the runs behind the score embed."""
    script, names = submission.script, {r.log for r in runs}
    if script is None:
        return ()
    found = (code_of(log, script) for log in logs if log.path in names)
    return tuple(c for c in found if c is not None)


def _claimed_lines(logs: list[Log], claim: Claim) -> list[tuple[Log, ScoreLine]]:
    """The claimed line of the claimed log, and the last line of the same label in every other log."""
    if claim.label is None or claim.label_evidence is None:
        return []
    pairs = []
    for log in logs:
        same = [s for s in log.scores if s.label == claim.label]
        if log.path == claim.log:
            same = [s for s in same if s.line == claim.label_evidence.line] or same
        if same:
            pairs.append((log, same[-1]))
    return pairs


def _artifact(
    submission: Submission, claim: Claim, claimed: RunFacts | None, data: object, json_name: str | None
) -> Artifact:
    shipped = submission.script.shipped_bytes if submission.script else 0
    model = claimed.model_bytes if claimed else None
    return Artifact(
        shipped_code=shipped,
        packed_code=_packed(submission),
        shortest_copy=min([shipped, *_training_scripts(submission)]),
        recount=shipped + int(model.value) if model and submission.script else None,
        model=model,
        logged_code=claimed.code_bytes if claimed else None,
        logged_total=claimed.total_bytes if claimed else None,
        stated=_stated_total(data, json_name, claimed),
        all_code=_all_code(submission),
    )


def _stated_total(data: object, json_name: str | None, claimed: RunFacts | None) -> Stated | None:
    """The artifact's bytes as submission.json states them, for the whole submission or for the claimed seed."""
    if not isinstance(data, dict) or json_name is None:
        return None
    held = [(key, data.get(key)) for key in _TOTALS]
    if claimed is not None and claimed.seed is not None:
        entries = seed_entries(data)
        held += [
            (n, int(v)) for n, s, v, _ in entries if s == claimed.seed and n.rpartition(".")[2] in _TOTALS
        ]
    for key, value in held:
        if isinstance(value, int) and value > _LEAST:
            return Stated(value, Evidence(json_name, 0, f'"{key}": {value}'))
    return None


def _all_code(submission: Submission) -> int:
    """Bytes of the script unpacked, or of all sources of the folder where those are more."""
    unpacked = len(submission.script.source.encode()) if submission.script else 0
    return max(unpacked, sum(size for name, size in submission.files.items() if name.endswith(_SOURCES)))


def _packed(submission: Submission) -> int:
    """Bytes of the script as a self-extracting one: LZMA, base85 (5 characters for 4 bytes), a short wrapper."""
    if submission.script is None:
        return 0
    packed = _lzma_bytes(submission.script.source) * 5 // 4 + _WRAPPER
    return min(packed, submission.script.shipped_bytes)


@functools.lru_cache(maxsize=64)
def _lzma_bytes(source: str) -> int:
    """Bytes of a text under LZMA's preset 9; a dictionary as large as the text packs as well as the preset's 64 MB."""
    data = source.encode()
    size = max(1 << 20, 1 << len(data).bit_length())
    best = {"id": lzma.FILTER_LZMA2, "preset": 9, "dict_size": size}
    return len(lzma.compress(data, filters=[best]))


def _training_scripts(submission: Submission) -> list[int]:
    """Sizes of the folder's other scripts that are named as the training script is."""
    names = {n: n.rsplit("/", 1)[-1] for n in submission.files}
    return [
        submission.files[n] for n, base in names.items() if base.startswith("train") and base.endswith(".py")
    ]


def _stated(main: list[Claimed], runs: tuple[RunFacts, ...]) -> bool:
    """Whether the claimed score is one of the runs' scores or their mean."""
    if not main or not runs:
        return False
    values = [r.bpb for r in runs] + [sum(r.bpb for r in runs) / len(runs)]
    return any(agrees(m.value, m.decimals, v, 8, loose=True) for m in main for v in values)


def _elsewhere(main: list[Claimed], logs: list[Log]) -> bool:
    """Whether any line of the logs, whichever script printed it, is the claimed score, or it is the mean of such lines."""
    same = [c for c in main if agrees(c.value, c.decimals, main[0].value, main[0].decimals, loose=True)]
    found = claimed_line(same, [], logs)
    return found is not None and found.exact


def _readme_states(submission: Submission, claim: Claim) -> bool | None:
    """Whether the README prints the claimed score to three decimals or more; None without README or score."""
    names = [n for n in submission.files if n.rsplit("/", 1)[-1].lower().startswith("readme")]
    if not names or claim.claimed_bpb is None:
        return None
    cut, rounded = f"{claim.claimed_bpb:.8f}"[:5], f"{claim.claimed_bpb:.3f}"
    return any(cut in text or rounded in text for text in (read_text(submission, n) for n in names))
