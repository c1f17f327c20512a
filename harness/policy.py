"""The host's policy: which rules gate and which only warn, which date's rules hold, and what is waived until when.

It stands in `auditor.toml`, or under `[tool.pgolf-audit]` of `pyproject.toml`, of the repository that receives
submissions:

    rules-as-of = 2026-05-01           # what became a ruling later is at most a question
    warn = ["P1", "S1"]                # or: gate = ["C1", "C2", "C3", "C4"], and every other rule only warns

    [[waiver]]
    rule = "A1"
    folder = "records/track_10min_16mb/2026-03-23_Name"
    reason = "merged at 16,638,953 bytes"
    expires = 2026-12-31

    [limits]                           # where they are not the challenge's
    artifact-bytes = 16_000_000

A finding keeps its status and its evidence; the policy adds what counts for the verdict, and why. Where it names neither
gate nor warn, S1 only warns: whether a result is a record is another question than whether it is legal.
"""

from __future__ import annotations

import dataclasses
import datetime
import math
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from harness.case import Exemption, Finding, Status
from harness.intake.errors import IntakeError
from harness.intake.git import Repository
from harness.limits import CHALLENGE, Limits
from rules.dates import ruled
from rules.registry import all_rules

FILE, TABLE_FILE, TABLE = "auditor.toml", "pyproject.toml", "pgolf-audit"
WARN = frozenset(("S1",))
"""Rules that only warn where the host says nothing."""
_OPEN = (Status.FAIL, Status.REVIEW, Status.NOT_COVERED)
_KEYS = {"rules-as-of", "gate", "warn", "waiver", "limits"}
_WAIVER_KEYS = {"rule", "folder", "reason", "expires"}


@dataclasses.dataclass(frozen=True)
class Waiver:
    """Somebody's word that a rule is not to be held against a folder, up to and including the day it expires."""

    rule: str
    folder: str
    reason: str
    expires: datetime.date


@dataclasses.dataclass(frozen=True)
class Policy:
    """What the host wants. `warn` holds the rules that do not gate; `as_of` None: today's rules hold."""

    as_of: datetime.date | None = None
    warn: frozenset[str] = WARN
    waivers: tuple[Waiver, ...] = ()
    limits: Limits = CHALLENGE
    today: datetime.date = dataclasses.field(
        default_factory=lambda: datetime.datetime.now(datetime.UTC).date()
    )

    def key(self) -> str:
        """Equal for policies that today decide alike."""
        running = sorted(repr(w) for w in self.waivers if w.expires >= self.today)
        expired = sorted(repr(w) for w in self.waivers if w.expires < self.today)
        return repr((self.as_of, sorted(self.warn), running, expired, self.limits))


def exempted(findings: Iterable[Finding], policy: Policy, folder: str) -> tuple[Finding, ...]:
    """The findings on a submission folder, each with what the policy says of it."""
    return tuple(_judged(_limited(finding, policy), policy, folder) for finding in findings)


def _limited(finding: Finding, policy: Policy) -> Finding:
    """The finding with a word on the limits it was held against, where the host chose them."""
    told = policy.limits.told(finding.rule)
    return dataclasses.replace(finding, summary=f"{finding.summary} {told}") if told else finding


def _judged(finding: Finding, policy: Policy, folder: str) -> Finding:
    if finding.status not in _OPEN:
        return finding
    expired = ""
    for waiver in policy.waivers:
        if waiver.rule != finding.rule or waiver.folder != folder:
            continue
        if waiver.expires >= policy.today:
            why = f"Waived until {waiver.expires}: {waiver.reason.rstrip('.')}."
            return _exempt(finding, "waiver", Status.NOT_APPLICABLE, why)
        expired = f" A waiver of it expired on {waiver.expires}."
    if expired:
        finding = dataclasses.replace(finding, summary=finding.summary + expired)
    if finding.rule in policy.warn:
        return _exempt(finding, "warning", Status.NOT_APPLICABLE, f"By the policy {finding.rule} only warns.")
    law = ruled(finding.rule, finding.category)
    if policy.as_of is not None and finding.status is Status.FAIL and law.since > policy.as_of:
        why = f"Not yet a ruling on {policy.as_of}: it became one on {law.since} ({law.source})."
        return _exempt(finding, "date", Status.REVIEW, why)
    return finding


def _exempt(finding: Finding, kind: str, counts: Status, why: str) -> Finding:
    """The sentence goes into the summary, so that every report shows it."""
    return dataclasses.replace(
        finding, summary=f"{finding.summary} {why}", exemption=Exemption(kind, counts, why)
    )


def read_policy(path: Path) -> Policy:
    """The policy of a file. Raises IntakeError, with one sentence, where it cannot be read or says what we do not know."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise IntakeError(f"the policy {path} cannot be read: {error.strerror}.") from error
    return _parse(data, str(path), table=path.name == TABLE_FILE) or Policy()


def policy_of_base(clone: Path, base: str) -> Policy:
    """The policy that a commit of a clone holds; nobody's change of it counts before it is merged. Raises IntakeError."""
    repository = Repository(clone)
    commit = repository.resolve(base)
    if commit is None:
        return Policy()
    found = []
    for name in (FILE, TABLE_FILE):
        data = repository.file(commit, name)
        policy = _parse(data, f"{name} of {base}", table=name == TABLE_FILE) if data is not None else None
        if policy is not None:
            found.append(policy)
    if len(found) > 1:
        raise IntakeError(f"{base} has a policy in {FILE} and in {TABLE_FILE}; keep one of them.")
    return found[0] if found else Policy()


def _parse(data: bytes, where: str, *, table: bool) -> Policy | None:
    """The policy in TOML; None where a pyproject.toml has no table for us."""
    try:
        document: Any = tomllib.loads(data.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise IntakeError(f"{where} is no TOML: {error}.") from error
    if table:
        tools = document.get("tool")
        document = tools.get(TABLE) if isinstance(tools, dict) else None
        where = f"[tool.{TABLE}] in {where}"
        if document is None:
            return None
    _known(document, _KEYS, where)
    as_of = document.get("rules-as-of")
    if as_of is not None:
        as_of = _date(as_of, f"rules-as-of in {where}")
    if "gate" in document and "warn" in document:
        raise IntakeError(f"{where} has both gate and warn; what does not gate warns, so name one.")
    warn = _rules(document.get("warn", sorted(WARN)), f"warn in {where}")
    if "gate" in document:
        warn = {r.id for r in all_rules()} - _rules(document["gate"], f"gate in {where}")
    waivers = document.get("waiver", [])
    if not isinstance(waivers, list):
        raise IntakeError(f"waiver in {where} is no list: write [[waiver]].")
    return Policy(as_of, frozenset(warn), tuple(_waiver(w, where) for w in waivers), _limits(document, where))


def _limits(document: Any, where: str) -> Limits:
    """The host's limits: above zero, bytes whole, the p-value below 1."""
    where = f"limits in {where}"
    given = document.get("limits", {})
    names = {f.name.replace("_", "-"): f for f in dataclasses.fields(Limits)}
    _known(given, set(names), where)
    found: dict[str, float] = {}
    for name, value in given.items():
        whole = isinstance(names[name].default, int)
        kind = "whole number" if whole else "number"
        if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
            raise IntakeError(f"{name} of {where} is no {kind}.")
        if not 0 < value < math.inf or (name == "significance-p" and value >= 1):
            bound = "between 0 and 1" if name == "significance-p" else "above 0"
            raise IntakeError(f"{name} of {where} must be {bound}.")
        found[names[name].name] = value if whole else float(value)
    return Limits(**found)  # type: ignore[arg-type]


def _waiver(given: Any, where: str) -> Waiver:
    where = f"a waiver in {where}"
    _known(given, _WAIVER_KEYS, where)
    missing = sorted(_WAIVER_KEYS - given.keys())
    if missing:
        raise IntakeError(f"{where} lacks {', '.join(missing)}.")
    rule, folder, reason = (given[k] for k in ("rule", "folder", "reason"))
    _rules([rule], where)
    if not all(isinstance(text, str) and text.strip() for text in (folder, reason)):
        raise IntakeError(f"{where} needs a folder and a reason, as text.")
    return Waiver(rule, folder.strip("/"), reason.strip(), _date(given["expires"], f"expires of {where}"))


def _known(given: Any, keys: set[str], where: str) -> None:
    if not isinstance(given, dict):
        raise IntakeError(f"{where} is no table.")
    unknown = sorted(given.keys() - keys)
    if unknown:
        raise IntakeError(f"{where} has the unknown key {unknown[0]}; known are {', '.join(sorted(keys))}.")


def _rules(given: Any, where: str) -> set[str]:
    known: Sequence[str] = [r.id for r in all_rules()]
    wrong = [g for g in given if g not in known] if isinstance(given, list) else [given]
    if wrong:
        raise IntakeError(f"{where} names no rule with {wrong[0]!r}; the rules are {', '.join(known)}.")
    return set(given)


def _date(given: Any, where: str) -> datetime.date:
    if not isinstance(given, datetime.date) or isinstance(given, datetime.datetime):
        raise IntakeError(f"{where} is no date; write 2026-05-01, without quotation marks.")
    return given
