"""The command line: parse, call, render, exit code."""

from __future__ import annotations

import dataclasses
import datetime
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click
from rich.console import Console
from rich.status import Status

from harness.audit import Options, audit
from harness.bench.commands import bench_group
from harness.case import Audit, Submission, Verdict, worst
from harness.command_line import BadInput, Commands, Failure, default_cache, experiments, have_room
from harness.intake import IntakeError, load_changed, load_pull_request, load_target
from harness.policy import Policy, policy_of_base, read_policy
from harness.sandbox import SandboxUnavailable, default_sandbox
from harness.version import VERSION
from reports import (
    CiFiles,
    audits_json,
    nothing_json,
    print_audits,
    print_rerun,
    write_ci,
    write_document,
    write_reports,
)
from reports.result import Malformed, parse, read
from rules.registry import all_rules

if TYPE_CHECKING:
    from harness.audit import Rerun
    from harness.compare import Side
    from harness.witnesses.rerun import Settings

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


@click.group(cls=Commands, context_settings=CONTEXT)
@click.version_option(VERSION, prog_name="pgolf-audit")
def main() -> None:
    """Audit submissions to the OpenAI Parameter Golf challenge.

    Exit codes: 0 PASS, 1 FAIL, 2 bad usage or input, 3 REVIEW, 4 the auditor itself failed, 130 stopped from outside.
    """


@main.command(
    "audit",
    epilog="""\b
Examples:
  python cli.py audit submissions/pass/score_first_ttt
  python cli.py audit records/track_10min_16mb/2026-05-01_Mine --out report
  python cli.py audit train_gpt.py --static-only --json audit.json
  python cli.py audit --repo ../parameter-golf --pr 1493
  python cli.py audit --changed --base origin/main --sarif audit.sarif
""",
)
@click.argument("target", required=False, type=click.Path(path_type=Path))
@click.option(
    "--repo",
    type=click.Path(path_type=Path),
    help="A clone of the challenge's repository; goes with --pr, or with --changed.  [default: .]",
)
@click.option(
    "--pr", type=click.IntRange(min=1), help="A pull request: audits every submission it adds or changes."
)
@click.option("--changed", is_flag=True, help="The submission folders that HEAD changes; goes with --base.")
@click.option("--base", metavar="REF", help="What HEAD is compared with: the merge base of both counts.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=None, help="Folder for the reports.  [default: report]"
)
@click.option(
    "--json", "json_file", type=click.Path(path_type=Path), help="Write the result as JSON to this file too."
)
@click.option("--sarif", type=click.Path(path_type=Path), help="Write SARIF 2.1.0 for code scanning here.")
@click.option(
    "--summary", type=click.Path(path_type=Path), help="Append Markdown here ($GITHUB_STEP_SUMMARY)."
)
@click.option("--comment", type=click.Path(path_type=Path), help="Write Markdown for a pull request here.")
@click.option(
    "--policy",
    "policy_file",
    type=click.Path(path_type=Path),
    help="The host's policy.  [default: with --changed that of REF, else none]",
)
@click.option(
    "--rules-as-of", type=click.DateTime(["%Y-%m-%d"]), help="What became a ruling later is at most a REVIEW."
)
@click.option("--static-only", is_flag=True, help="Read the code and the files, run nothing.")
@click.option(
    "--probes",
    metavar="[auto|all|none|NAME,...]",
    callback=experiments,
    default="auto",
    show_default=True,
    help="Experiments on changed data: auto makes them where something is open or suspicious; or some by name: "
    "incompressibility, future, again, repeating, transplant, neighbour.",
)
@click.option(
    "--timeout", default=300.0, show_default=True, help="Processor seconds that one emulated run may take."
)
@click.option("--most", default=12, show_default=True, help="Run so many submissions; read the rest.")
@click.option(
    "--keep-run", type=click.Path(path_type=Path), help="Keep the files of the sandboxed run in this folder."
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Folder of real shards: a rerun on them follows the audit.",
)
@click.option("--tokenizer", type=click.Path(path_type=Path), help="The tokenizer of these shards.")
@click.option(
    "--device",
    type=click.Choice(["cpu", "cuda"]),
    default="cpu",
    show_default=True,
    help="Where the rerun runs.",
)
@click.option(
    "--nproc", type=click.IntRange(1, 8), default=1, show_default=True, help="Processes of the rerun."
)
def audit_command(
    target: Path | None, repo: Path | None, pr: int | None, changed: bool, base: str | None, out: Path | None,
    json_file: Path | None, sarif: Path | None, summary: Path | None, comment: Path | None, policy_file: Path | None,
    rules_as_of: datetime.datetime | None, static_only: bool, probes: str, timeout: float, most: int,
    keep_run: Path | None, data: Path | None, tokenizer: Path | None, device: str, nproc: int,
) -> None:  # fmt: skip
    """Audit TARGET: a submission folder or one script; a pull request (--repo CLONE --pr N); or what HEAD of a checkout
    changes (--changed --base REF), where a change without a submission is a PASS."""
    console = Console()
    if (data is None) != (tokenizer is None) or (data is None and (device == "cuda" or nproc > 1)):
        raise click.UsageError(
            "an audit runs at small scale on one CPU thread; --device and --nproc are for the rerun that follows it with "
            "--data DIR and --tokenizer FILE together."
        )
    if data is not None and static_only:
        raise click.UsageError("--static-only runs nothing, and --data asks for a rerun: leave one out.")
    one = sum((target is not None, pr is not None, changed)) == 1
    if (
        not one
        or changed != (base is not None)
        or (repo is None if pr is not None else bool(repo and not changed))
    ):
        raise click.UsageError("name a TARGET, or --repo CLONE and --pr N, or --changed and --base REF.")
    ci = CiFiles(sarif, summary, comment)
    folder = out if out is not None else None if json_file is not None else Path("report")
    have_room(folder, json_file, sarif, summary, comment)
    with tempfile.TemporaryDirectory(prefix="pgolf-") as scratch:
        try:
            policy = _policy(policy_file, rules_as_of, repo or Path(), base)
            submissions, notes = _load(target, repo, pr, base, Path(scratch))
            if not submissions:
                _nothing_to_audit(notes, json_file, ci, console)
            sandbox = None if static_only else default_sandbox()
            options = Options(sandbox, default_cache(), keep_run, timeout, probes, policy)
            if data is not None and tokenizer is not None:
                from harness.witnesses.rerun import Settings

                place, settings = Path(scratch) / "rerun", Settings(device, nproc)
                rerun = _rerun_of(submissions, data, tokenizer, place, settings)
                options = dataclasses.replace(options, rerun=rerun)
            audits = _audit_all(submissions, options, most, console)
        except IntakeError as error:
            raise BadInput(str(error)) from error
        except SandboxUnavailable as error:
            raise Failure(str(error)) from error
        print_audits(audits, console)
        for audited in audits:
            if audited.case.rerun is not None:
                print_rerun(audited.case.rerun, console, audited.case.limits)
        folder = out if out is not None else None if json_file is not None else Path("report")
        try:
            files = write_reports(audits, folder, json_file)
            files += write_ci(parse(audits_json(audits)), ci)
        except OSError as error:
            raise BadInput(
                f"the report could not be written: {error}. Name another place with --out."
            ) from error
    for file in files:
        console.print(f"wrote {file}", style="dim", highlight=False)
    sys.exit(worst([a.verdict for a in audits]).exit_code)


def _rerun_of(
    submissions: list[Submission], data: Path, tokenizer: Path, work: Path, settings: Settings
) -> Rerun:
    """The rerun that an audit is to make, once everything that it needs is known to be there."""
    from harness.reruns import prepared
    from harness.witnesses.rerun import NoDevice
    from harness.worlds.shards import ShardError

    try:
        return prepared(submissions, data, tokenizer, work, default_sandbox(), settings)
    except (ShardError, NoDevice, ValueError, OSError) as error:
        raise BadInput(str(error)) from error


def _follow(
    submissions: list[Submission], data: Path, tokenizer: Path, work: Path, settings: Settings
) -> NoReturn:
    """Be another node of a rerun than the first, until that has no more to do."""
    from harness.reruns import followed
    from harness.witnesses.rerun import NoDevice
    from harness.witnesses.rerun.steps import StepFailed
    from harness.worlds.shards import ShardError

    try:
        count = followed(submissions, data, tokenizer, work, default_sandbox(), settings)
    except (ShardError, NoDevice, ValueError, OSError) as error:
        raise BadInput(str(error)) from error
    except StepFailed as error:
        raise Failure(str(error)) from error
    click.echo(f"node {settings.nodes.rank}: {count} steps beside node 0, which reports")
    sys.exit(0)


def _load(
    target: Path | None, repo: Path | None, pr: int | None, base: str | None, scratch: Path
) -> tuple[list[Submission], list[str]]:
    """The submissions, and sentences on a change that holds none."""
    if target is not None:
        return load_target(target, scratch), []
    if base is not None:
        found, notes = load_changed(repo or Path(), base, scratch)
        return [dataclasses.replace(s, notes=(*notes, *s.notes)) for s in found], notes
    assert repo is not None
    assert pr is not None
    return load_pull_request(repo, pr, scratch), []


def _policy(
    file: Path | None, as_of: datetime.datetime | None, clone: Path = Path(), base: str | None = None
) -> Policy:
    """The policy that is named, else that of the base, under the date that is named."""
    policy = read_policy(file) if file is not None else policy_of_base(clone, base) if base else Policy()
    return policy if as_of is None else dataclasses.replace(policy, as_of=as_of.date())


def _nothing_to_audit(notes: list[str], json_file: Path | None, ci: CiFiles, console: Console) -> NoReturn:
    """A change that touches no submission is no reason to stop it: PASS, exit code 0."""
    why = " ".join(["No submission is changed, so there is nothing to audit.", *notes])
    try:
        write_ci(write_document(nothing_json(why), json_file), ci)
    except OSError as error:
        raise BadInput(f"the report could not be written: {error}.") from error
    console.print(f"PASS  {why}", markup=False, highlight=False)
    sys.exit(Verdict.PASS.exit_code)


def _audit_all(submissions: list[Submission], options: Options, most: int, console: Console) -> list[Audit]:
    audits = []
    with console.status("") as status:
        for number, submission in enumerate(submissions, 1):
            name = f"[{number}/{len(submissions)}] {submission.name}"
            if number == most + 1 and options.sandbox is not None:
                console.print(
                    f"{len(submissions)} submissions: those after the first {most} are read, not run (--most)."
                )
                options = dataclasses.replace(options, sandbox=None)
            audits.append(
                audit(submission, options, lambda step, name=name: status.update(f"{name}: {step}"))  # type: ignore[misc]
            )
    return audits


@main.command(
    "rerun",
    epilog="""\b
Examples:
  python cli.py rerun TARGET --data data --tokenizer data/tokenizers/fineweb_1024_bpe.model --nproc 8 --device cuda
  python cli.py rerun TARGET --data DIR --tokenizer FILE --work kept      # a second call resumes
  python cli.py rerun TARGET --data DIR --tokenizer FILE --weights final_model.int8.ptz
  python cli.py rerun TARGET --data DIR --tokenizer FILE --work SHARED --nnodes 2 --node-rank 1 --rdzv-endpoint node0:29500
""",
)
@click.argument("target", type=click.Path(path_type=Path))
@click.option(
    "--data", required=True, type=click.Path(path_type=Path), help="Folder of shards, or a data/ folder."
)
@click.option(
    "--tokenizer", required=True, type=click.Path(path_type=Path), help="The tokenizer of these shards."
)
@click.option(
    "--nproc", type=click.IntRange(1, 8), default=1, show_default=True, help="Processes, one a GPU."
)
@click.option(
    "--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True,
    help="cuda: at full scale; cpu: at small scale, emulated.",
)  # fmt: skip
@click.option(
    "--weights",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Load this artifact, train none.",
)
@click.option(
    "--nnodes",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Machines, as in torchrun: the same command on each, with one --work folder that they share.",
)
@click.option("--node-rank", type=click.IntRange(min=0), default=0, help="Which of them this is; 0 reports.")
@click.option("--rdzv-endpoint", metavar="HOST:PORT", help="Where node 0 is met.")
@click.option("--length", type=click.IntRange(min=1), help="Tokens of a window.  [default: as claimed]")
@click.option("--stride", type=click.IntRange(min=1), help="Stride of the windows.  [default: as claimed]")
@click.option("--batch", type=click.IntRange(min=1), help="Windows at once; halved where memory runs out.")
@click.option(
    "--work", type=click.Path(path_type=Path), help="Folder of finished steps; a second call resumes."
)
@click.option(
    "--timeout", default=3600.0, show_default=True, help="Seconds that one step's processes may take."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("report"),
    show_default=True,
    help="Folder for the reports.",
)
def rerun_command(
    target: Path, data: Path, tokenizer: Path, nproc: int, device: str, weights: Path | None, length: int | None,
    stride: int | None, batch: int | None, work: Path | None, timeout: float, out: Path, nnodes: int, node_rank: int,
    rdzv_endpoint: str | None,
) -> None:  # fmt: skip
    """Run TARGET once more, unmodified, and score the weights that it leaves by our own sliding windows.

    Exit codes: 0 the claimed score was reproduced, or all was measured and it cannot be compared (--device cpu); 2 bad
    input or no such device; 3 it was not reproduced, or a step did not finish; 4 the auditor itself failed.
    """
    from harness.witnesses.rerun import Settings
    from harness.witnesses.rerun.nodes import nodes

    console = Console()
    try:
        several = nodes(nnodes, node_rank, rdzv_endpoint)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if nnodes > 1 and work is None:
        raise click.UsageError("--nnodes needs --work, a folder that all of them share.")
    settings = Settings(device, nproc, timeout, length, stride, batch, weights, nodes=several)
    have_room(out)
    with tempfile.TemporaryDirectory(prefix="pgolf-") as scratch, console.status("") as status:
        try:
            submissions = load_target(target, Path(scratch))
            place = work or Path(scratch) / "rerun"
            if node_rank:
                _follow(submissions, data, tokenizer, place, settings)
            rerun = _rerun_of(submissions, data, tokenizer, place, settings)
            out.mkdir(parents=True, exist_ok=True)
            options = Options(None, default_cache(), rerun=rerun)
            audited = audit(submissions[0], options, lambda step: status.update(f"rerun: {step}"))
        except KeyboardInterrupt:
            kept = f"The same command goes on from {work}" if work else "Without --work nothing is kept"
            click.echo(f"{kept}.", err=True)
            raise
        except (IntakeError, OSError) as error:
            raise BadInput(str(error)) from error
        except SandboxUnavailable as error:
            raise Failure(str(error)) from error
    if audited.case.rerun is None:
        raise Failure(audited.why)
    print_rerun(audited.case.rerun, console, audited.case.limits)
    for file in write_reports([audited], out):
        console.print(f"wrote {file}", style="dim", highlight=False)
    doubtful = any(f.rule == "S2" and f.status.value == "review" for f in audited.findings)
    sys.exit(Verdict.REVIEW.exit_code if doubtful else 0)


@main.group("data")
def data_group() -> None:
    """The official data of the challenge."""


@data_group.command("fetch")
@click.option("--variant", default="sp1024", show_default=True, help="sp and the vocabulary, or byte260.")
@click.option(
    "--train-shards",
    type=click.IntRange(min=0),
    default=80,
    show_default=True,
    help="Training shards to fetch.",
)
@click.option("--repository", help="Another repository on Hugging Face with the same layout.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("data"), show_default=True, help="The data folder."
)
def data_fetch(variant: str, train_shards: int, repository: str | None, out: Path) -> None:
    """Fetch shards and tokenizer as the challenge's downloader does, checked; a second call resumes."""
    from harness.worlds.fetch import FetchError, HuggingFace, fetch

    source = HuggingFace(repository) if repository else HuggingFace()
    try:
        with Console(stderr=True).status("") as status:
            fetched = fetch(variant, out, source, train_shards, status.update)
    except (FetchError, OSError) as error:
        raise BadInput(str(error)) from error
    tokens = sum(f.tokens or 0 for f in fetched)
    kept = sum(f.kept for f in fetched)
    click.echo(
        f"{len(fetched)} files, {kept} of them kept, {tokens:,} tokens in {out}; see token_counts.json"
    )


@main.command("render")
@click.argument("audit_file", type=click.Path(path_type=Path))
@click.option("--sarif", type=click.Path(path_type=Path), help="Write SARIF 2.1.0 for code scanning here.")
@click.option(
    "--summary", type=click.Path(path_type=Path), help="Append Markdown here ($GITHUB_STEP_SUMMARY)."
)
@click.option("--comment", type=click.Path(path_type=Path), help="Write Markdown for a pull request here.")
@click.option("--say", default="", help="A sentence that the Markdown begins with.")
def render_command(
    audit_file: Path, sarif: Path | None, summary: Path | None, comment: Path | None, say: str
) -> None:
    """Write the files for CI from AUDIT_FILE, the JSON of an audit; nothing in it is trusted.

    Prints the verdict. For a workflow with write permission that reads what one without has uploaded. Exit code 2 where
    the file is no audit, else 0.
    """
    try:
        results = read(audit_file)
        write_ci(results, CiFiles(sarif, summary, comment), say)
    except (Malformed, OSError) as error:
        raise BadInput(str(error)) from error
    click.echo(results.verdict.value)


@main.command("rules")
@click.argument("rule_id", required=False)
def rules_command(rule_id: str | None) -> None:
    """List the rules, or print the documentation of one."""
    known = all_rules()
    if rule_id is None:
        for rule in known:
            click.echo(f"{rule.id:4} {rule.title}")
        return
    for rule in known:
        if rule.id.lower() == rule_id.lower():
            click.echo(rule.doc)
            return
    raise click.UsageError(f"there is no rule {rule_id}; the rules are {', '.join(r.id for r in known)}.")


@main.command(
    "sweep",
    epilog="""\b
Examples:
  python cli.py sweep --repo ../parameter-golf --db sweep.db --static-only
  python cli.py sweep --repo ../parameter-golf --db full.db --prs 1400-1500
  python cli.py sweep --repo ../parameter-golf --db full.db --engine ray --address 10.0.0.1:6379
""",
)
@click.option(
    "--repo",
    required=True,
    type=click.Path(path_type=Path),
    help="A clone of the challenge's repository with refs/pull/*/head.",
)
@click.option(
    "--db",
    "database",
    required=True,
    type=click.Path(path_type=Path),
    help="The results, an SQLite database.",
)
@click.option("--prs", help="Pull requests: 1-2200, or 12,15,20-30.  [default: all that the clone has]")
@click.option("--static-only", is_flag=True, help="Read the code and the files, run nothing.")
@click.option("--processes", type=click.IntRange(min=1), help="Audits side by side.  [default: one a core]")
@click.option(
    "--engine",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="Who audits: processes of this machine, or a Ray cluster (needs the extra `ray`).",
)
@click.option("--address", help="The Ray cluster.  [default: one of its own on this machine]")
@click.option("--most", default=3, show_default=True, help="Run so many submissions of each; read the rest.")
@click.option(
    "--probes",
    metavar="[auto|all|none|NAME,...]",
    callback=experiments,
    default="auto",
    show_default=True,
    help="Experiments, as in audit.",
)
@click.option("--policy", "policy_file", type=click.Path(path_type=Path), help="The host's policy.")
@click.option(
    "--rules-as-of", type=click.DateTime(["%Y-%m-%d"]), help="What became a ruling later is at most a REVIEW."
)
def sweep_command(
    repo: Path, database: Path, prs: str | None, static_only: bool, processes: int | None, engine: str,
    address: str | None, most: int, probes: str, policy_file: Path | None, rules_as_of: datetime.datetime | None,
) -> None:  # fmt: skip
    """Audit every pull request of a clone into a database, each content once.

    Stop it when you like: the same command goes on where it was, and later audits only what has a new head, or everything
    where rules, policy or auditor changed. A pull request that cannot be audited is a row with the reason, and is tried
    again. Exit code 0 when the sweep is through.
    """
    from harness.sweep import Plan, Store, numbers, sweep
    from harness.sweep.plan import bounded, heads
    from harness.sweep.progress import reporter

    console = Console(stderr=True)
    if address is not None and engine != "ray":
        raise click.UsageError("--address is a Ray cluster's; it goes with --engine ray.")
    ray = None if engine == "local" else address or "local"
    try:
        policy = _policy(policy_file, rules_as_of)
        found = heads(repo, None if prs is None else numbers(prs))
        if not found:
            raise BadInput(f"{repo} has no such pull request; fetch refs/pull/*/head into it.")
        if not static_only:
            default_sandbox()
        count = bounded(processes, static_only=static_only)
        if processes is not None and count < processes:
            console.print(f"{count} processes: there are no more cores, or no memory for more.")
        plan = Plan(repo.absolute(), default_cache(), static_only, count, policy, probes, most, ray)
        with reporter(console) as report:
            outcome = sweep(plan, found, database, report)
        store = Store(database, create=False)
        verdicts = store.counts()
        store.close()
    except IntakeError as error:
        raise BadInput(str(error)) from error
    except SandboxUnavailable as error:
        raise Failure(str(error)) from error
    except KeyboardInterrupt:
        console.print(f"Stopped. The same command goes on from here: {database}")
        sys.exit(130)
    click.echo(
        f"{outcome.looked_at} pull requests looked at, {outcome.up_to_date} up to date; {outcome.audited} audits, "
        f"{outcome.shared} shared with the same content, {outcome.problems} with a problem."
    )
    click.echo("In the database: " + ", ".join(f"{n} {verdict}" for verdict, n in verdicts.items()) + ".")


@main.command(
    "compare",
    epilog="""\b
Examples:
  python cli.py compare submissions/pass/score_first_ttt submissions/fail/prequant_ttt --static-only
  python cli.py compare old/report.json new/report.json
""",
)
@click.argument("a", type=click.Path(path_type=Path))
@click.argument("b", type=click.Path(path_type=Path))
@click.option("--static-only", is_flag=True, help="Read the code and the files of a script, run nothing.")
@click.option("--lines", default=200, show_default=True, help="Lines of the code's difference to show.")
def compare_command(a: Path, b: Path, static_only: bool, lines: int) -> None:
    """Show two audits side by side: A and B are each the JSON of an audit, or a script or folder that is audited now.

    Verdict, rules, claimed settings, scores, events of the run, and the difference of the unpacked code where both are at
    hand. Exit code 0, whatever the verdicts.
    """
    from harness.compare import compare
    from reports.comparison import print_comparison

    console = Console()
    with tempfile.TemporaryDirectory(prefix="pgolf-") as scratch, console.status("") as status:
        try:
            sides = [_side(path, static_only, Path(scratch), status) for path in (a, b)]
            found = compare(*sides)
        except (IntakeError, ValueError, OSError) as error:
            raise BadInput(str(error)) from error
        except SandboxUnavailable as error:
            raise Failure(str(error)) from error
    print_comparison(found, lines, console)


def _side(path: Path, static_only: bool, scratch: Path, status: Status) -> Side:
    """One side of a comparison: read from JSON, or audited."""
    from harness.compare import Side, load

    if path.suffix == ".json" and path.is_file():
        return load(path.read_text(encoding="utf-8", errors="replace"), str(path))
    submissions = load_target(path, scratch)
    if len(submissions) > 1:
        names = ", ".join(s.name for s in submissions)
        raise IntakeError(f"{path} holds {len(submissions)} submissions ({names}); name one script.")
    options = Options(None if static_only else default_sandbox(), default_cache())
    found = audit(submissions[0], options, lambda step: status.update(f"{path}: {step}"))
    script = submissions[0].script
    return Side(str(path), audits_json([found]), script.source if script else None)


@main.command("site")
@click.option(
    "--db", "database", required=True, type=click.Path(path_type=Path), help="The database of a sweep."
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of the site.")
def site_command(database: Path, out: Path) -> None:
    """Write a static site of a sweep: all pull requests with filters and search, and a page for each."""
    from harness.sweep import Store
    from harness.sweep.index import index
    from reports.site import write_site

    try:
        store = Store(database, create=False)
        start = write_site(index(store.rows(), static_only=store.fact("kind") == "static"), out, store.page)
        store.close()
    except IntakeError as error:
        raise BadInput(str(error)) from error
    except OSError as error:
        raise BadInput(f"the site could not be written: {error}.") from error
    click.echo(f"wrote {start}")


main.add_command(bench_group)


if __name__ == "__main__":
    main()
