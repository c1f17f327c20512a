"""Terminal report: verdict and why, a table of rules, and the lines that show it. Markup is never parsed."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from harness.case import Audit, Finding, Status, Verdict, worst
from reports import words
from reports.text import clip

STYLE = {
    Status.PASS: "green",
    Status.FAIL: "bold red",
    Status.REVIEW: "yellow",
    Status.NOT_COVERED: "bright_black",
    Status.NOT_APPLICABLE: "bright_black",
}
TONE = {Verdict.PASS: "green", Verdict.FAIL: "red", Verdict.REVIEW: "yellow", Verdict.ERROR: "magenta"}
EVIDENCE_LINES = 8


def print_audits(audits: Sequence[Audit], console: Console | None = None) -> None:
    """Print each audit; of several, a closing line with the worst verdict."""
    console = console or Console()
    for audit in audits:
        console.print(render(audit))
    if len(audits) > 1:
        verdict = worst([a.verdict for a in audits])
        line = Text(f" {verdict.value} ", style=f"bold reverse {TONE[verdict]}")
        console.print(line.append(f" the worst of {len(audits)} submissions", style="not reverse"))


def render(audit: Audit) -> RenderableType:
    """One audit, to be printed by a rich console."""
    parts: list[RenderableType] = [_head(audit), Text(), _rules(audit)]
    for finding in words.by_gravity(audit.findings):
        if finding.evidence and finding.status in (Status.FAIL, Status.REVIEW):
            parts += [Text(), _evidence(finding)]
    for name, status, sentence in words.experiments(audit.case):
        parts += [Text(), Text(f"Experiment: {name}, {status.lower()}", style="dim")]
        parts.append(Padding(Text(clip(sentence, 700)), (0, 0, 0, 2)))
    notes = _notes(audit)
    if notes:
        parts += [Text(), notes]
    return Group(*parts, Text())


def _head(audit: Audit) -> RenderableType:
    submission = audit.case.submission
    verdict = Text(f" {audit.verdict.value} ", style=f"bold reverse {TONE[audit.verdict]}")
    verdict.append(f"  {clip(submission.name, 120)}", style="not reverse bold default")
    where = Text(clip(words.origin(submission.origin), 120), style="dim")
    if submission.script is not None:
        where.append(f" \u00b7 {clip(submission.script.display, 100)}")
    rule = Rule(style=TONE[audit.verdict])
    return Group(rule, verdict, Text(clip(audit.why, 900)), where)


def _rules(audit: Audit) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("", "Rule", "Status", "Proof", "What was found"):
        table.add_column(column, no_wrap=column not in ("What was found", "Rule"), overflow="fold")
    for finding in words.by_gravity(audit.findings):
        style = STYLE[finding.status]
        table.add_row(
            Text(words.SIGN[finding.status], style=style),
            Text(f"{clip(finding.rule, 20)} {words.title(finding.rule)}"),
            Text(words.STATUS[finding.status], style=style),
            Text(finding.grade.value, style="dim"),
            Text(clip(finding.summary, 600)),
        )
    spoken = {f.rule for f in audit.findings}
    for tile in words.must_have(audit):
        if tile.rule not in spoken:
            style = STYLE[tile.status]
            sign, status = (
                Text(words.SIGN[tile.status], style=style),
                Text(words.STATUS[tile.status], style=style),
            )
            table.add_row(
                sign, Text(f"{tile.rule} {tile.title}"), status, Text(), Text(tile.summary, style="dim")
            )
    return table


def _evidence(finding: Finding) -> RenderableType:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="cyan")
    table.add_column(overflow="fold")
    for item in finding.evidence[:EVIDENCE_LINES]:
        table.add_row(Text(clip(words.place(item), 90)), Text(clip(item.snippet, 160)))
    more = len(finding.evidence) - EVIDENCE_LINES
    if more > 0:
        table.add_row(Text(f"and {words.plural(more, 'line')} more", style="dim"), Text())
    head = Text(f"{clip(finding.rule, 20)} evidence", style=STYLE[finding.status])
    return Group(head, Padding(table, (0, 0, 0, 2)))


def _notes(audit: Audit) -> RenderableType | None:
    case = audit.case
    notes = [*case.submission.notes, *case.claim.ambiguous, *case.claim.notes]
    if case.run is not None and case.run.outcome != "scored":
        notes.insert(0, words.run_sentence(case.run))
    if not notes:
        return None
    return Group(Text("Notes", style="dim"), *(Padding(Text(clip(n, 600)), (0, 0, 0, 2)) for n in notes))
