"""The plain data that everything speaks: Submission, Case, Evidence, Finding, Verdict.

All are frozen and serializable with :func:`to_json`; witnesses fill a Case, rules read it, reports print the Audit.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.limits import CHALLENGE, Limits

if TYPE_CHECKING:
    from harness.analysis import Analysis
    from harness.emulate import Run
    from harness.witnesses.claims import ClaimFacts
    from harness.witnesses.gates import Gate
    from harness.witnesses.probes import ProbeFacts
    from harness.witnesses.rerun import RerunFacts
    from harness.witnesses.static import StaticFacts
    from harness.witnesses.trace import Trace

SCHEMA = 1


class Status(enum.StrEnum):
    """What one rule says of one submission."""

    PASS = "pass"
    FAIL = "fail"
    REVIEW = "review"
    NOT_COVERED = "not_covered"
    NOT_APPLICABLE = "not_applicable"


class Grade(enum.StrEnum):
    """How a finding is known, weakest first in the order of proof: a claim, the code, an observation, an experiment."""

    CLAIM = "claim"
    STATIC = "static"
    TRACE = "trace"
    COUNTERFACTUAL = "counterfactual"


class Verdict(enum.StrEnum):
    """What the whole audit says of one submission."""

    PASS = "PASS"
    FAIL = "FAIL"
    REVIEW = "REVIEW"
    ERROR = "ERROR"

    @property
    def exit_code(self) -> int:
        """Process exit code: 0 PASS, 1 FAIL, 3 REVIEW, 4 ERROR (2 is click's bad usage)."""
        return {"PASS": 0, "FAIL": 1, "REVIEW": 3, "ERROR": 4}[self.value]


_WORST = (Verdict.PASS, Verdict.REVIEW, Verdict.ERROR, Verdict.FAIL)


def worst(verdicts: list[Verdict]) -> Verdict:
    """The verdict of several: PASS < REVIEW < ERROR < FAIL; REVIEW when there is none, since silence is no pass."""
    return max(verdicts, key=_WORST.index) if verdicts else Verdict.REVIEW


@dataclasses.dataclass(frozen=True)
class Evidence:
    """One line of a file that a reader can open. `line` is 1-based; 0 means the file as a whole."""

    file: str
    line: int
    snippet: str


@dataclasses.dataclass(frozen=True)
class Exemption:
    """What the host's policy says of a finding. `kind` is "waiver", "warning" or "date"; `counts` the status that the
    verdict sees instead; `why` a sentence."""

    kind: str
    counts: Status
    why: str


@dataclasses.dataclass(frozen=True)
class Finding:
    """What one rule found. `category` is None or a word of rulings_dev.csv; never "ok" on a fail."""

    rule: str
    status: Status
    summary: str
    category: str | None = None
    grade: Grade = Grade.STATIC
    evidence: tuple[Evidence, ...] = ()
    exemption: Exemption | None = None

    @property
    def counts(self) -> Status:
        """The status that the verdict sees: its own, unless the host's policy exempts it."""
        return self.status if self.exemption is None else self.exemption.counts

    def __post_init__(self) -> None:
        if self.status is Status.FAIL and self.category == "ok":
            raise ValueError(f"{self.rule}: a failing finding cannot have the category 'ok'")


@dataclasses.dataclass(frozen=True)
class Script:
    """One script that scores.

    `source` is what a reader sees: the unpacked text with "\\n" newlines and no BOM; findings point into its lines.
    `runnable` is the same program, line for line, in syntax that this interpreter compiles (PEP 701 rewritten).
    `stages` names how it was packed, outermost first, e.g. ("base85", "lzma"); empty for a plain script.
    `display` is what evidence names as the file, e.g. "train_gpt.py" or "train_gpt.py (unpacked: base85, lzma)".
    `refused` says why Python would not run the file as it is, empty where it would: then nothing is followed or run.
    """

    path: str
    shipped_bytes: int
    sha256: str
    source: str
    runnable: str
    display: str
    stages: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    refused: str = ""

    def line(self, number: int) -> str:
        """The text of a 1-based line, stripped; empty when there is no such line."""
        lines = self.source.split("\n")
        return lines[number - 1].strip() if 0 < number <= len(lines) else ""

    def evidence(self, number: int) -> Evidence:
        """Evidence that points at a 1-based line of the unpacked source."""
        return Evidence(self.display, number, self.line(number)[:300])


@dataclasses.dataclass(frozen=True)
class Change:
    """What a pull request or a branch changes as a whole, against the main line; paths as reports may show them.

    `folders` are the record folders that it brings files to, `altered` files under records/ that the main line holds and
    that it changes or deletes, `outside` paths outside records/. At most 20 paths of each are listed; counts are whole.
    """

    folders: tuple[str, ...] = ()
    altered: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()
    altered_count: int = 0
    outside_count: int = 0


@dataclasses.dataclass(frozen=True)
class Origin:
    """Where a submission came from. `pull_request` and `head_sha` are None for a local folder, as is `change`, which says
    what the pull request or branch changes as a whole."""

    location: str
    pull_request: int | None = None
    head_sha: str | None = None
    base_sha: str | None = None
    merged: bool | None = None
    change: Change | None = None


@dataclasses.dataclass(frozen=True)
class Submission:
    """One script of one submission folder, with the files beside it laid out on disk under `root`.

    `script` is None when a pull request adds no script that scores; `notes` then says so. `root` holds only the files
    the submission brings (for a pull request: those it adds or changes). `files` lists them relative to `root`, with
    sizes in bytes, `left_out` those that could not be laid out. `track` is "record", "non_record" or "unknown", read from
    the folder's place. `alone` tells that one script was named and not its folder, whose packaging is then not in question.
    `script_from` is the place of a script that lies outside the folder ("" is the top level), None where it lies in it.
    """

    name: str
    folder: str
    root: Path
    origin: Origin
    script: Script | None
    files: Mapping[str, int]
    track: str = "unknown"
    notes: tuple[str, ...] = ()
    alone: bool = False
    left_out: tuple[str, ...] = ()
    script_from: str | None = None


@dataclasses.dataclass(frozen=True)
class Setting:
    """One setting that the submission claims: an environment variable, its value, and the line that says so."""

    name: str
    value: str
    evidence: Evidence


@dataclasses.dataclass(frozen=True)
class Claim:
    """The claimed configuration and the claimed score.

    `source` says where the settings come from: "log", "run_script", "readme" or "default". `settings` are environment
    variables as the claimed run had them. `label` is the text of the claimed line without its numbers (for example
    "legal_ttt_exact val_loss: val_bpb:"), `label_evidence` that line. `ambiguous` holds one sentence per doubt; a
    non-empty tuple caps findings that depend on the configuration at `review`. `tool` says why the script is not the one
    behind the claimed score, empty where it may be: what it breaks is then a question. `hardware` is what the papers
    say the run was made on, where they name other hardware than the challenge's; `non_record` the line that calls it a
    non-record, wherever its folder lies.
    """

    source: str = "default"
    settings: tuple[Setting, ...] = ()
    argv: tuple[str, ...] = ()
    log: str | None = None
    label: str | None = None
    label_evidence: Evidence | None = None
    claimed_bpb: float | None = None
    claimed_loss: float | None = None
    artifact_bytes: int | None = None
    artifact_evidence: Evidence | None = None
    ambiguous: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    tool: str = ""
    hardware: str = ""
    non_record: Evidence | None = None

    def environment(self) -> dict[str, str]:
        """The claimed settings as environment variables."""
        return {s.name: s.value for s in self.settings}


@dataclasses.dataclass(frozen=True)
class Score:
    """The numbers of the claimed line, in the miniature world: never comparable with the official score."""

    claimed_bpb: float | None = None
    emulated_loss: float | None = None
    emulated_bpb: float | None = None
    rebuilt_loss: float | None = None
    rebuilt_bpb: float | None = None
    line: str | None = None


@dataclasses.dataclass(frozen=True)
class Case:
    """Everything known of one submission. A witness that did not speak is None, and its rules say `not_covered`."""

    submission: Submission
    claim: Claim
    static: StaticFacts | None = None
    claims: ClaimFacts | None = None
    run: Run | None = None
    trace: Trace | None = None
    static_only: bool = False
    analysis: Analysis | None = None
    probes: ProbeFacts | None = None
    rerun: RerunFacts | None = None
    limits: Limits = CHALLENGE
    gates: tuple[Gate, ...] | None = None


@dataclasses.dataclass(frozen=True)
class Audit:
    """The result of one audit: the case, what each rule found, the verdict and the sentence that explains it."""

    case: Case
    findings: tuple[Finding, ...]
    verdict: Verdict
    why: str
    score: Score


def to_json(value: Any) -> Any:
    """Plain JSON data of any of these records: dataclasses become objects, enums their words, paths strings."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Path):
        return value.name
    if isinstance(value, Mapping):
        return {str(k): to_json(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [to_json(v) for v in value]
    return value
