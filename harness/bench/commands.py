"""The commands of `bench`: parse, measure, print, write the table."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path

import click

from harness.audit import Options
from harness.command_line import BadInput, Failure, default_cache
from harness.intake import IntakeError, load_pull_request, load_target
from harness.sandbox import SandboxUnavailable, default_sandbox
from reports import write_atomically

repo_option = click.option(
    "--repo", required=True, type=click.Path(path_type=Path), help="A clone of the challenge's repository."
)
table_option = click.option(
    "--table", "table_file", type=click.Path(path_type=Path), help="Write the table to this Markdown file."
)


@click.group("bench")
def bench_group() -> None:
    """Measure the auditor on real pull requests (needs a clone with refs/pull/*/head)."""


def _say(text: str, table_file: Path | None) -> None:
    """Print the table, and write it where a file is named."""
    click.echo(text)
    if table_file is not None:
        write_atomically(table_file, text)


def _work(work: Path | None) -> Path:
    """The folder of results: the one that is named, else a new one, whose name is told so that it can be named later."""
    if work is not None:
        return work
    made = Path(tempfile.mkdtemp(prefix="pgolf-bench-"))
    click.echo(f"results in {made}; --work {made} resumes", err=True)
    return made


@bench_group.command("runs")
@repo_option
@click.option("--records", is_flag=True, help="The record folders of the main line.")
@click.option("--non-records", is_flag=True, help="The folders of the non-record track of the main line.")
@click.option("--prs", default="", help="Pull requests, as numbers with commas.")
@click.option("--sample", type=int, default=0, help="So many pull requests drawn at random.")
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of the sample.")
@click.option(
    "--work", required=True, type=click.Path(path_type=Path), help="Folder of results; a second call resumes."
)
@click.option("--processes", type=int, default=1, show_default=True, help="Audits side by side.")
@click.option("--static-only", is_flag=True, help="Run nothing.")
@click.option(
    "--most", default=3, show_default=True, help="Run so many submissions of a target; read the rest."
)
@table_option
def bench_runs(
    repo: Path, records: bool, non_records: bool, prs: str, sample: int, seed: int, work: Path, processes: int,
    static_only: bool, most: int, table_file: Path | None,
) -> None:  # fmt: skip
    """Audit record folders, chosen pull requests or a random sample, and print the table."""
    from harness.bench import batch, tables, targets

    try:
        chosen = []
        for wanted, track in zip((records, non_records), targets.RECORDS, strict=True):
            chosen += targets.record_folders(repo, work / "folders", (track,)) if wanted else []
        chosen += targets.pull_requests(repo, [int(n) for n in prs.split(",") if n.strip()])
        chosen += targets.sample(repo, sample, seed, set()) if sample else []
    except (IntakeError, ValueError) as error:
        raise BadInput(str(error)) from error
    if not chosen:
        raise click.UsageError("nothing to audit: name --records, --non-records, --prs or --sample.")
    extra = ["--static-only"] if static_only else ["--most", str(most)]
    rows = batch.run_batch(chosen, work / "results", processes, extra)
    text = f"{tables.summary(rows)}\n\n{tables.table(rows)}\n"
    _say(text, table_file)


@bench_group.command("papers")
@repo_option
@click.option(
    "--labels", type=click.Path(path_type=Path), help="Rulings, as a CSV; without it the record folders."
)
@click.option("--prs", default="", help="Pull requests instead, such as 1-2200,2310.")
@table_option
def bench_papers(repo: Path, labels: Path | None, prs: str, table_file: Path | None) -> None:
    """What the rules on papers alone say of the record folders of the main line, or of labelled or other pull requests."""
    from harness.bench import papers
    from harness.bench.rulings import read_labels
    from harness.sweep.plan import numbers

    if labels and prs:
        raise click.UsageError("--labels and --prs exclude each other.")

    try:
        with tempfile.TemporaryDirectory(prefix="pgolf-") as scratch:
            place = Path(scratch)
            if labels:
                text = papers.rulings(repo, place, read_labels(labels))
            else:
                text = papers.heads(repo, place, numbers(prs)) if prs else papers.records(repo, place)
    except IntakeError as error:
        raise BadInput(str(error)) from error
    click.echo(text, nl=False)
    if table_file is not None:
        write_atomically(table_file, text)


@bench_group.command("logs")
@repo_option
@click.option(
    "--sample", type=int, default=0, help="Show so many values beside their lines, to check by eye."
)
@table_option
def bench_logs(repo: Path, sample: int, table_file: Path | None) -> None:
    """How many lines with a number the log reader understands, over the logs of all pull requests."""
    from harness.bench import logs

    try:
        with tempfile.TemporaryDirectory(prefix="pgolf-") as scratch:
            text, drawn = logs.table(repo, Path(scratch), sample)
    except IntakeError as error:
        raise BadInput(str(error)) from error
    _say(text, table_file)
    for value in drawn:
        click.echo(value)


@bench_group.command("leaderboard")
@repo_option
def bench_leaderboard(repo: Path) -> None:
    """Print the table of the leaderboard (harness/witnesses/claims/leaderboard.csv) anew."""
    from harness.bench import leaderboard

    try:
        with tempfile.TemporaryDirectory(prefix="pgolf-") as scratch:
            click.echo(leaderboard.table(repo, Path(scratch)), nl=False)
    except IntakeError as error:
        raise BadInput(str(error)) from error


@bench_group.command("injections")
@repo_option
@click.option("--prs", required=True, help="Pull requests that are legal, as numbers with commas.")
@table_option
def bench_injections(repo: Path, prs: str, table_file: Path | None) -> None:
    """Put a violation into legal submissions and see whether PASS becomes FAIL."""
    from harness.bench import injections

    rows = []
    options = Options(default_sandbox(), default_cache())
    for number in (int(n) for n in prs.split(",") if n.strip()):
        with tempfile.TemporaryDirectory(prefix="pgolf-") as scratch:
            try:
                found = injections.inject(load_pull_request(repo, number, Path(scratch)), options)
            except IntakeError as error:
                raise BadInput(str(error)) from error
        click.echo(injections.table(found))
        rows += found
    if table_file is not None:
        write_atomically(table_file, injections.table(rows))


@bench_group.command("renamed")
@repo_option
@click.option("--prs", required=True, help="Pull requests, as numbers with commas.")
@click.option("--static-only/--full", default=True, show_default=True, help="Read only, or run as well.")
@table_option
def bench_renamed(repo: Path, prs: str, static_only: bool, table_file: Path | None) -> None:
    """Audit the first submission of each pull request and a copy with other names and labels."""
    from harness.bench import renamed

    pairs = []
    try:
        options = Options(None if static_only else default_sandbox(), default_cache())
        for number in (int(n) for n in prs.split(",") if n.strip()):
            with tempfile.TemporaryDirectory(prefix="pgolf-") as scratch:
                found = renamed.compare(load_pull_request(repo, number, Path(scratch))[:1], options)
            pairs += [dataclasses.replace(p, name=f"#{number} {p.name}") for p in found]
            click.echo(renamed.table(pairs[-len(found) :]) if found else f"#{number}: no script", err=True)
    except (IntakeError, ValueError) as error:
        raise BadInput(str(error)) from error
    except SandboxUnavailable as error:
        raise Failure(str(error)) from error
    text = renamed.table(pairs)
    _say(text, table_file)


@bench_group.command("rulings")
@click.option(
    "--repo", type=click.Path(path_type=Path), help="A clone of the challenge's repository, to audit now."
)
@click.option("--db", type=click.Path(path_type=Path), help="A sweep's database, whose audits are taken.")
@click.option(
    "--labels", required=True, type=click.Path(path_type=Path), help="Rulings, as a CSV (see benchmarks/)."
)
@click.option("--static-only/--full", default=True, show_default=True, help="Read only, or run as well.")
@click.option(
    "--work",
    type=click.Path(path_type=Path),
    help="Folder of results; a second call resumes.  [default: a new one]",
)
@click.option("--processes", type=int, default=2, show_default=True, help="Audits side by side.")
@click.option(
    "--table", "table_file", type=click.Path(path_type=Path), help="Write the report to this Markdown file."
)
def bench_rulings(
    repo: Path | None,
    db: Path | None,
    labels: Path,
    static_only: bool,
    work: Path | None,
    processes: int,
    table_file: Path | None,
) -> None:
    """Compare the auditor with rulings on pull requests: confusion, wrong FAILs, disagreements."""
    from harness.bench import rulings

    if (repo is None) == (db is None):
        raise click.UsageError("give either --repo, to audit, or --db, to take the audits of a sweep.")
    try:
        if db is not None:
            text = rulings.swept(db, labels)
        elif repo is not None:
            text = rulings.measure(repo, labels, _work(work), processes, full=not static_only)
    except IntakeError as error:
        raise BadInput(str(error)) from error
    _say(text, table_file)


@bench_group.command("checkers")
@repo_option
@click.option(
    "--labels", required=True, type=click.Path(path_type=Path), help="Rulings, as a CSV (see benchmarks/)."
)
@click.option(
    "--checker", "commands", multiple=True, help="NAME=COMMAND, with {script}, {unpacked} or {folder} in it."
)
@click.option(
    "--answer", "answers", multiple=True,
    help="NAME=ANSWER:REGEX: what makes a checker's output fail, review or pass; its last line is 'exit CODE'.  "
    "[default: exit 1, 3 and 0]",
)  # fmt: skip
@click.option(
    "--ours", type=click.Path(path_type=Path), help="Folder of `bench rulings --static-only --work`."
)
@click.option(
    "--work",
    type=click.Path(path_type=Path),
    help="Folder of results; a second call resumes.  [default: a new one]",
)
@click.option("--processes", type=int, default=2, show_default=True, help="Pull requests side by side.")
@click.option(
    "--table", "table_file", type=click.Path(path_type=Path), help="Write the tables to this Markdown file."
)
def bench_checkers(
    repo: Path, labels: Path, commands: tuple[str, ...], answers: tuple[str, ...], ours: Path | None,
    work: Path | None, processes: int, table_file: Path | None,
) -> None:  # fmt: skip
    """Compare other people's checkers, and this auditor, with rulings on pull requests.

    A checker runs in the sandbox and sees the submission and the files that its command names (words with a slash).
    """
    from harness.bench import checkers, checkers_table

    try:
        named = checkers.read_checkers(commands, answers)
        text = checkers_table.measure(repo, labels, named, _work(work), default_sandbox(), ours, processes)
    except IntakeError as error:
        raise BadInput(str(error)) from error
    except SandboxUnavailable as error:
        raise Failure(str(error)) from error
    _say(text, table_file)


@bench_group.command("static")
@repo_option
@click.option("--prs", default="", help="Pull requests, as numbers with commas.  [default: all]")
@click.option(
    "--work",
    type=click.Path(path_type=Path),
    help="Folder of results; a second call resumes.  [default: a new one]",
)
@click.option("--processes", type=int, default=2, show_default=True, help="Processes side by side.")
@table_option
def bench_static(repo: Path, prs: str, work: Path | None, processes: int, table_file: Path | None) -> None:
    """Run the static witness over the scripts of all pull requests: time, breakdowns, the slowest."""
    from harness.bench import static_cost, targets

    try:
        numbers = [int(n) for n in prs.split(",") if n.strip()] or targets.pull_request_numbers(repo)
        text = static_cost.report(static_cost.measure(repo, numbers, _work(work), processes))
    except (IntakeError, ValueError) as error:
        raise BadInput(str(error)) from error
    _say(text, table_file)


@bench_group.command("probes")
@repo_option
@click.option("--prs", default="", help="Pull requests, as numbers with commas.")
@click.option("--records", is_flag=True, help="The record folders of the main line.")
@click.option(
    "--work", required=True, type=click.Path(path_type=Path), help="Folder of results; a second call resumes."
)
@click.option("--processes", type=int, default=1, show_default=True, help="Audits side by side.")
@table_option
def bench_probes(
    repo: Path, prs: str, records: bool, work: Path, processes: int, table_file: Path | None
) -> None:
    """Make every experiment on chosen pull requests or records, and print what each showed."""
    from harness.bench import batch, probes, targets

    try:
        chosen = targets.pull_requests(repo, [int(n) for n in prs.split(",") if n.strip()])
        chosen += targets.record_folders(repo, work / "folders") if records else []
    except (IntakeError, ValueError) as error:
        raise BadInput(str(error)) from error
    if not chosen:
        raise click.UsageError("nothing to try: name --prs or --records.")
    batch.run_batch(chosen, work, processes, ["--probes", "all", "--most", "1"])
    _say(probes.probe_table(work, chosen) + "\n", table_file)


@bench_group.command("bound")
@repo_option
@click.option("--labels", required=True, type=click.Path(path_type=Path), help="Rulings, as rulings_dev.csv.")
@click.option(
    "--work", required=True, type=click.Path(path_type=Path), help="Folder of results; a second call resumes."
)
@click.option("--processes", type=int, default=1, show_default=True, help="Audits side by side.")
@click.option("--most", default=3, show_default=True, help="Run so many submissions of each.")
@table_option
def bench_bound(
    repo: Path, labels: Path, work: Path, processes: int, most: int, table_file: Path | None
) -> None:
    """Run labelled pull requests on random tokens: what the bound proves, beside a cruder test of one run."""
    from harness.bench import bound

    try:
        _say(bound.measure(repo, labels, work, processes, most), table_file)
    except IntakeError as error:
        raise BadInput(str(error)) from error


@bench_group.command("rerun")
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--data", type=click.Path(path_type=Path), help="As for rerun.  [default: random tokens]")
@click.option("--tokenizer", type=click.Path(path_type=Path), help="As for rerun.")
@click.option(
    "--val-tokens",
    type=click.IntRange(min=4096),
    default=1_048_577,
    show_default=True,
    help="Without --data.",
)
@click.option("--timeout", default=3600.0, show_default=True, help="Seconds that one step may take.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
@click.option("--nproc", type=click.IntRange(1, 8), default=1, show_default=True, help="Most processes.")
@click.option(
    "--untrained", is_flag=True, help="Take one training step: speed does not depend on the weights."
)
@click.option("--work", type=click.Path(path_type=Path), help="Folder of results; a second call resumes.")
@table_option
def bench_rerun(
    folders: tuple[Path, ...], data: Path | None, tokenizer: Path | None, val_tokens: int, timeout: float, device: str,
    nproc: int, untrained: bool, work: Path | None, table_file: Path | None,
) -> None:  # fmt: skip
    """Time our sliding windows beside the own evaluation of submission FOLDERS, on 1 to NPROC processes.

    Without --data the tokens are random, of the vocabulary that each submission claims: their scores mean nothing, but
    what is measured, time, memory and how far two evaluations of the same weights lie apart, does not depend on the text.
    """
    from harness.bench import rerun_speed
    from harness.bench.long_world import long_world
    from harness.witnesses.rerun import NoDevice, Settings
    from harness.worlds.fineweb import official_data
    from harness.worlds.shards import ShardError

    if (data is None) != (tokenizer is None):
        raise click.UsageError("--data and --tokenizer go together.")
    place, speeds = _work(work), []
    for folder in folders:
        with tempfile.TemporaryDirectory(prefix="pgolf-") as scratch:
            try:
                for submission in load_target(folder, Path(scratch)):
                    here = place / submission.name
                    world = (
                        official_data(data, tokenizer)
                        if data is not None and tokenizer is not None
                        else long_world(submission, default_cache() / "worlds", here / "data", val_tokens)
                    )
                    settings = Settings(device, nproc, timeout, untrained=untrained)
                    speeds += rerun_speed.measure(submission, world, here, default_sandbox(), settings)
            except (IntakeError, ShardError, NoDevice, ValueError) as error:
                raise BadInput(str(error)) from error
            except SandboxUnavailable as error:
                raise Failure(str(error)) from error
    text = rerun_speed.table(speeds)
    click.echo(text)
    if table_file is not None:
        write_atomically(table_file, text + "\n")


@bench_group.command("watch-cost")
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@table_option
def bench_watch_cost(folders: tuple[Path, ...], table_file: Path | None) -> None:
    """Compare the time of watched and unwatched runs of submission FOLDERS, on an idle machine."""
    from harness.bench import watch_cost

    costs = []
    for folder in folders:
        with tempfile.TemporaryDirectory(prefix="pgolf-") as scratch:
            try:
                submissions = load_target(folder, Path(scratch))
                costs += watch_cost.measure(submissions, Options(default_sandbox(), default_cache()))
            except IntakeError as error:
                raise BadInput(str(error)) from error
            except SandboxUnavailable as error:
                raise Failure(str(error)) from error
    text = watch_cost.table(costs)
    _say(text, table_file)
