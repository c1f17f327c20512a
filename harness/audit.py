"""The whole audit as a table of contents: submission -> witnesses -> case -> rules -> findings -> verdict."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from harness import analysis
from harness.case import Audit, Case, Claim, Finding, Script, Status, Submission
from harness.decide import decide, score_of
from harness.emulate import emulate, not_run
from harness.intake.claim import claimed_configuration
from harness.policy import Policy, exempted
from harness.sandbox import Sandbox, SandboxUnavailable
from harness.sources import companion_sources
from harness.witnesses import claims, probes, static
from harness.witnesses.gates import gates
from harness.witnesses.tamper import tampering
from harness.witnesses.trace.run import trace_of
from harness.worlds import World
from harness.worlds.alphabet import NoWorld
from harness.worlds.miniature import miniature
from harness.worlds.scale import scale_profile
from rules.registry import all_rules

if TYPE_CHECKING:
    from harness.witnesses.rerun import RerunFacts

Progress = Callable[[str], None]
Rerun = Callable[[Case, Progress], "RerunFacts"]


@dataclasses.dataclass(frozen=True)
class Options:
    """How to audit. `sandbox` None means static only; `cache` holds worlds; `keep` the run's files, None to drop them;
    `seconds` of processor time are given to one run; `probes` is all, none, or auto: experiments where the other witnesses
    leave something open; `policy` is the host's; `rerun` runs the script once more, whole, when all else is known."""

    sandbox: Sandbox | None
    cache: Path
    keep: Path | None = None
    seconds: float = 300.0
    probes: str = "auto"
    policy: Policy = dataclasses.field(default_factory=Policy)
    rerun: Rerun | None = None


T = TypeVar("T")


def audit(submission: Submission, options: Options, progress: Progress = lambda step: None) -> Audit:
    """Audit one submission. Raises SandboxUnavailable; every other failure of ours becomes the verdict ERROR."""
    failures: list[str] = []
    claim = Claim()
    case = Case(submission, claim, static_only=options.sandbox is None, limits=options.policy.limits)
    if submission.files:
        progress("reading what the submission claims")
        claim = _guard("claimed configuration", failures, lambda: claimed_configuration(submission)) or claim
        case = dataclasses.replace(
            case,
            claim=claim,
            claims=_guard("claims witness", failures, lambda: claims.examine(submission, claim)),
        )
    if submission.script is not None:
        progress("reading the code")
        read = _guard("static witness", failures, lambda: _examine_code(case))
        case = dataclasses.replace(case, static=read)
        if options.sandbox is not None and not submission.script.refused:
            progress("running it in the sandbox")
            case = (
                _guard("trace witness", failures, lambda: _watch(case, options, failures, progress)) or case
            )
        case = _run_again(case, options.rerun, failures, progress)
    progress("judging")
    findings = exempted(judge(case, failures), options.policy, submission.folder)
    verdict, why = decide(case, findings, failures)
    return Audit(case, findings, verdict, why, score_of(case))


def judge(case: Case, failures: list[str]) -> tuple[Finding, ...]:
    """What every rule finds. A rule that breaks down is a failure of ours, not a finding against the submission."""
    findings = []
    for rule in all_rules():
        found = _guard(f"rule {rule.id}", failures, lambda rule=rule: rule.check(case))  # type: ignore[misc]
        findings.append(found or Finding(rule.id, Status.NOT_COVERED, "The rule itself broke down."))
    return tuple(findings)


def _examine_code(case: Case) -> static.StaticFacts:
    script = _script(case.submission)
    files = companion_sources(case.submission)
    facts = static.examine(script, case.claim, files, case.limits)
    return dataclasses.replace(facts, facts=(*facts.facts, *tampering(script, files)))


def _watch(case: Case, options: Options, failures: list[str], progress: Progress) -> Case:
    """Run the script watched, read the ledger, analyse it, and experiment; files are dropped unless they are kept."""
    assert options.sandbox is not None
    out = options.keep or Path(tempfile.mkdtemp(prefix="pgolf-run-"))
    try:
        try:
            world = _world(case, options.cache)
        except NoWorld as error:
            return dataclasses.replace(case, run=not_run(str(error), out))
        run = emulate(
            case.submission,
            case.claim,
            out / "run",
            cache=options.cache,
            sandbox=options.sandbox,
            seconds=options.seconds,
            world=world,
        )
        trace = trace_of(run, world, case.claim)
        seen = analysis.examine(trace, world) if trace is not None else None
        ways = trace.one_way if trace is not None else None
        decided = case.static.decided if case.static is not None else {}
        met = gates(_script(case.submission), ways, decided) if ways is not None else None
        case = dataclasses.replace(case, run=run, trace=trace, analysis=seen, gates=met)
        return _experiment(case, options, world, out, failures, progress)
    finally:
        if options.keep is None:
            shutil.rmtree(out, ignore_errors=True)


def _experiment(
    case: Case, options: Options, world: World, out: Path, failures: list[str], progress: Progress
) -> Case:
    """Make the probes that the findings so far call for, while the run's files are still there."""
    assert options.sandbox is not None
    findings, mode = judge(case, []), options.probes
    wanted = probes.chosen(mode, findings)
    if not wanted:
        return case
    progress("experimenting")
    lab = probes.Laboratory(case, world, out / "probes", options.cache, options.sandbox, options.seconds)
    thorough, plain = mode != "auto", probes.merely_read(mode, findings)
    found = _guard("probes", failures, lambda: probes.experiment(lab, wanted, thorough=thorough, plain=plain))
    return dataclasses.replace(case, probes=found)


def _run_again(case: Case, rerun: Rerun | None, failures: list[str], progress: Progress) -> Case:
    """The case with the facts of its rerun, where one was asked for."""
    if rerun is None:
        return case
    return dataclasses.replace(case, rerun=_guard("rerun", failures, lambda: rerun(case, progress)))


def _world(case: Case, cache: Path) -> World:
    script = _script(case.submission)
    scale = scale_profile(script.runnable, case.claim.environment())
    return miniature(
        scale.vocab_size,
        cache / "worlds",
        val_tokens=scale.val_tokens,
        train_tokens=scale.train_tokens,
        caseops=scale.caseops,
    )


def _script(submission: Submission) -> Script:
    assert submission.script is not None
    return submission.script


def _guard(what: str, failures: list[str], work: Callable[[], T]) -> T | None:
    """`work()`; where our own code breaks down, a sentence in `failures` and None."""
    try:
        return work()
    except SandboxUnavailable:
        raise
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        failures.append(
            f"{what}: {type(error).__name__}: {error} ({Path(place.filename).name}:{place.lineno})"
        )
        return None
