"""The claimed configuration of a submission: its run, the line that states the score, its settings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

from harness.case import Claim, Evidence, Submission
from harness.intake.claimed_score import ClaimedLine, claimed_line, nearest_line
from harness.intake.claimed_settings import claimed_settings, runs_script
from harness.intake.commands import Command, commands_in
from harness.intake.environment import Environment
from harness.intake.hardware import other_hardware
from harness.intake.prose import named_settings
from harness.intake.tool import tool_beside
from harness.intake.track import called_non_record
from harness.witnesses.claims.log import Log, Size
from harness.witnesses.claims.papers import read_logs, read_submission_json, read_text
from harness.witnesses.claims.submission_json import Claimed, claimed_scores

_SMALL = 0.3  # below it a short number is a difference of scores
_README_SCORE = re.compile(  # a number with a sign is a difference of scores as well
    r"(?i)(?:bpb|bits[_ -]per[_ -]byte)[^\d\n]{0,40}(?<![-+−±])(\d\.\d{3,10})"
    r"|(?<![-+−±\d.])(\d\.\d{3,10})\*{0,2}\s{0,3}bpb"
)


def claimed_configuration(submission: Submission) -> Claim:
    """What the submission claims: score, claimed line, settings, artifact size, each with its evidence.

    The claimed run is the log that states submission.json's score. Its printed settings come first, then
    one run script or README command fills in what the log does not print. Never raises for what the files
    contain.
    """
    notes: list[str] = []
    json_file, data = read_submission_json(submission)
    if data is None:
        notes.append(f"{json_file} is not valid JSON" if json_file else "there is no submission.json")
    main, seeds = claimed_scores(data)
    if not main:
        main = _readme_scores(submission)
    logs = read_logs(submission)
    line = _claimed_line(submission, main, seeds, logs, notes)
    environment = Environment(submission.script.runnable if submission.script else "")
    value = main[0].value if main else line.line.bpb if line else None
    run_scripts, readme = _commands(submission)
    believed = line if line is not None and (line.exact or not (run_scripts or readme)) else None
    settings = claimed_settings(
        environment,
        believed.log if believed else None,
        believed.line.line if believed else None,
        run_scripts,
        readme,
        _mentions(submission, value),
        f"{PurePosixPath(submission.folder).name} {line.log.path if line else ''}",
        _copies(believed, logs) if believed else (),
        named_settings(_readme(submission), _readme_name(submission) or ""),
    )
    if line is not None:
        notes.append(line.how)
        notes.extend(_embedded_note(line.log, submission))
    size, size_evidence = _artifact(line, json_file, data)
    whole = claimed_line(main, seeds, logs, lambda label: True)  # whichever script of the folder printed it
    return Claim(
        source=settings.source,
        settings=settings.settings,
        argv=settings.argv,
        log=line.log.path if line else None,
        label=line.line.label if line else None,
        label_evidence=line.log.evidence(line.line.line) if line else None,
        claimed_bpb=value,
        claimed_loss=line.line.loss if line else None,
        artifact_bytes=size,
        artifact_evidence=size_evidence,
        ambiguous=settings.ambiguous,
        notes=(*notes, *settings.notes),
        hardware=other_hardware(data, _readme(submission)),
        non_record=called_non_record(submission, json_file, data),
        tool=tool_beside(submission, whole.line.label if whole else None),
    )


def _copies(line: ClaimedLine, logs: Sequence[Log]) -> list[Log]:
    """Further logs of the claimed run: its score stands in them as a result, to six digits or more."""
    return [
        log
        for log in logs
        if log is not line.log
        and line.line.decimals >= 6
        and any(s.bpb == line.line.bpb and s.decimals >= 6 for s in log.finals())
    ]


def _claimed_line(
    submission: Submission,
    main: Sequence[Claimed],
    seeds: Sequence[Claimed],
    logs: Sequence[Log],
    notes: list[str],
) -> ClaimedLine | None:
    """The claimed line among the logs that this script can have written."""
    mine = [log for log in logs if _may_be_of(log, submission)]
    if not logs:
        notes.append("no log states a score")
        return None
    if not mine:
        notes.append("no log of this folder prints what this script prints")
        return None
    source = submission.script.source if submission.script else ""
    found = claimed_line(main, seeds, mine, lambda label: may_print(source, label))
    if found is not None:
        return found
    value = main[0].value if main else None
    nearest = nearest_line(value, mine)
    if nearest is None or (value is not None and abs(nearest[1].bpb - value) > 0.02):
        notes.append(
            f"no line of any log states the claimed score {value:g}"
            if value is not None
            else "no log has a result"
        )
        return None
    log, result = nearest
    how = f"no line states the claimed score exactly; line {result.line} of {log.path} is the nearest"
    return ClaimedLine(log, result, how, False)


def _may_be_of(log: Log, submission: Submission) -> bool:
    """Whether this script can have written the log: the log embeds it, or it prints the log's last results.

    Only asked where the folder holds another script that could have: one that has more lines of the embedded script, or as
    many and fewer others. A small file has few of them, however little it differs in number.
    """
    others = [n for n in submission.files if n.endswith(".py") and n != _script_name(submission)]
    if submission.script is None or not others:
        return True
    source = submission.script.source
    rivals = [read_text(submission, other) for other in others]
    for embedded in log.embedded():
        lines = set(_squeeze(embedded).split("\n"))
        if len(lines) > 100:
            mine = _likeness(lines, source)
            return all(mine >= _likeness(lines, rival) for rival in rivals)
    labels = [s.label for s in log.finals()[-4:]]
    if any(may_print(source, label) for label in labels):
        return True
    return not any(may_print(rival, label) for rival in rivals for label in labels)


def _likeness(lines: set[str], source: str) -> tuple[int, int]:
    """How many of the lines a script has, and (negative) how many lines only one of the two has."""
    own = set(_squeeze(source).split("\n"))
    return len(lines & own), -len(lines ^ own)


def may_print(source: str, label: str) -> bool:
    """Whether a script can print lines of this label: at least half of its own words stand in the source."""
    words = set(re.findall(r"[A-Za-z_][A-Za-z_0-9]{3,}", label)) - {"val_loss", "val_bpb", "eval_time"}
    return sum(w in source for w in words) * 2 >= len(words)


def _script_name(submission: Submission) -> str:
    """The script's name relative to the submission's root."""
    path = submission.script.path if submission.script else ""
    if path in submission.files:
        return path
    return next((n for n in submission.files if path.endswith("/" + n)), PurePosixPath(path).name)


def _commands(submission: Submission) -> tuple[list[Command], list[Command]]:
    """(commands of run scripts, commands of the README) that run this script."""
    script = _script_name(submission)
    others = [n for n in submission.files if n.endswith(".py") and n != script]
    shell = [n for n in sorted(submission.files) if n.endswith((".sh", ".bash", ".slurm", ".sbatch"))]
    pages = [n for n in sorted(submission.files) if PurePosixPath(n).name.lower().startswith("readme")]

    def read(names: Sequence[str]) -> list[Command]:
        found = [c for n in names for c in commands_in(read_text(submission, n), n)]
        return [c for c in found if runs_script(c, script, others)]

    return read(shell), read(pages)


def _readme_scores(submission: Submission) -> list[Claimed]:
    """The first scores that the README states; asked where submission.json states none."""
    name = next(
        (n for n in sorted(submission.files) if PurePosixPath(n).name.lower().startswith("readme")), None
    )
    if name is None:
        return []
    found = [a or b for a, b in _README_SCORE.findall(read_text(submission, name))]
    scores = [Claimed(name, float(value), len(value.partition(".")[2])) for value in dict.fromkeys(found)]
    return [s for s in scores if s.decimals >= 4 or s.value > _SMALL][:8]


def _readme_name(submission: Submission) -> str | None:
    """The README at the top of the folder."""
    return next(
        (n for n in sorted(submission.files) if "/" not in n and n.lower().startswith("readme")), None
    )


def _readme(submission: Submission) -> str:
    """The text of the README at the top of the folder; empty without one."""
    name = _readme_name(submission)
    return read_text(submission, name)[:100_000] if name else ""


def _mentions(submission: Submission, value: float | None) -> list[int]:
    """The README lines that state the claimed score, to four decimals or as it is printed."""
    if value is None:
        return []
    readme = next(
        (n for n in sorted(submission.files) if PurePosixPath(n).name.lower().startswith("readme")), None
    )
    if readme is None:
        return []
    text = f"{value:.6f}"[:6]
    rounded = f"{value:.4f}"
    return [
        i
        for i, row in enumerate(read_text(submission, readme).split("\n"), 1)
        if text in row or rounded in row
    ]


def _embedded_note(log: Log, submission: Submission) -> list[str]:
    """A note where the log embeds a script that is not the one submitted."""
    scripts = [s for s in log.embedded() if s.count("\n") > 20]
    if not scripts or submission.script is None:
        return []
    mine = _squeeze(submission.script.source)
    if any(_squeeze(s) == mine for s in scripts):
        return []
    lines = set(mine.split("\n"))
    best = max(scripts, key=lambda s: len(lines & set(_squeeze(s).split("\n"))))
    theirs = set(_squeeze(best).split("\n"))
    if len(lines ^ theirs) == 0:
        return []
    return [
        f"{log.path} embeds another script than the one submitted: {len(theirs - lines)} of its lines are "
        f"not in it, {len(lines - theirs)} lines are new"
    ]


def _squeeze(text: str) -> str:
    return "\n".join(s for line in text.split("\n") if (s := line.strip()))


def _artifact(
    line: ClaimedLine | None, json_file: str | None, data: Any
) -> tuple[int | None, Evidence | None]:
    """The claimed artifact's bytes: the total of the claimed run in its log, else submission.json's."""
    if line is not None:
        size = artifact_size(line.log, line.line.line)
        if size is not None:
            return size.bytes, line.log.evidence(size.line)
    if isinstance(data, dict) and json_file is not None:
        for key in (
            "bytes_total",
            "artifact_bytes",
            "artifact_size_bytes",
            "total_bytes",
            "artifact_bytes_max",
            "submission_bytes",
        ):
            if isinstance(data.get(key), int) and data[key] > 100_000:
                return int(data[key]), Evidence(json_file, 0, f'"{key}": {data[key]}')
    return None, None


def artifact_size(log: Log, claimed: int) -> Size | None:
    """The last total size before the claimed line (a log may hold several runs), else the first after it."""
    for kind in ("total", "artifact"):
        sizes = [s for s in log.sizes if s.kind == kind]
        before = [s for s in sizes if s.line <= claimed]
        if sizes:
            return before[-1] if before else sizes[0]
    return None
