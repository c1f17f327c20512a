"""Audits real submissions and copies with other names and labels: a verdict must not rest on what things are called."""

from __future__ import annotations

import dataclasses
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.audit import Options, audit
from harness.bench.renaming import renamed
from harness.bench.rewording import PAPERS, labels, reworded, reworded_papers
from harness.case import Audit, Script, Submission

WORD = re.compile(r"[A-Za-z_]\w*")


@dataclasses.dataclass(frozen=True)
class Pair:
    """One submission and its copy: names changed and made, labels changed, verdicts, how the runs ended, and the rules that
    differ, each with its status before and after. `reason` says why there is no copy."""

    name: str
    changed: int = 0
    made: int = 0
    before: str = ""
    after: str = ""
    runs: tuple[str, str] = ("", "")
    differing: tuple[str, ...] = ()
    reason: str = ""
    labels: int = 0

    @property
    def same(self) -> bool:
        """Whether both got the same verdict for the same rules."""
        return not self.reason and self.before == self.after and not self.differing


def compare(submissions: Sequence[Submission], options: Options) -> list[Pair]:
    """Audit each submission and its copy. The files beside the script are the same but for the labels in its logs."""
    return [_pair(s, options) for s in submissions if s.script is not None]


def copy_of(submission: Submission, root: Path) -> tuple[Submission, Pair] | None:
    """The copy, its files laid out under `root` (a folder that is not there yet), and how much differs in it; None where
    there can be none."""
    script = submission.script
    assert script is not None
    elsewhere = {word for text in _bound(submission, script) for word in WORD.findall(text)}
    try:
        words = labels(script.runnable)
        found = renamed(script.runnable, elsewhere)
        if found is None:
            return None
        text, changed, made = found
        text = reworded(text, words)
    except (SyntaxError, RecursionError, ValueError):
        return None
    shutil.copytree(submission.root, root, symlinks=True)
    papers = {p: _read(submission.root / p) for p in submission.files if p.lower().endswith(PAPERS)}
    own = {path: paper.replace(script.source.strip(), text.strip()) for path, paper in papers.items()}
    for path, paper in reworded_papers(own, words).items():  # a log that embeds the script embeds the copy
        (root / path).write_text(paper, encoding="utf-8", errors="surrogateescape", newline="")
    files = {path: (root / path).stat().st_size for path in submission.files}
    copy = dataclasses.replace(script, source=text, runnable=text)
    said = Pair(submission.name, changed, made, labels=len(words))
    return dataclasses.replace(submission, script=copy, root=root, files=files), said


def _read(path: Path) -> str:
    """A paper as text that writes back to the same bytes."""
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        return file.read()


def _bound(submission: Submission, script: Script) -> Iterator[str]:
    """The texts of the files beside the script that name it, or that it names: they share names with it."""
    named = set(WORD.findall(script.runnable))
    for path in submission.files:
        if path.endswith(".py") and path != script.path:
            text = (submission.root / path).read_text(encoding="utf-8", errors="replace")
            if Path(path).stem in named or Path(script.path).stem in WORD.findall(text):
                yield text


def _pair(submission: Submission, options: Options) -> Pair:
    with tempfile.TemporaryDirectory(prefix="pgolf-copy-") as scratch:
        made = copy_of(submission, Path(scratch, "copy"))
        if made is None:
            return Pair(submission.name, reason="cannot be rewritten from its syntax tree")
        copy, pair = made
        before, after = audit(submission, options), audit(copy, options)
    return dataclasses.replace(
        pair, before=before.verdict, after=after.verdict, runs=(_run(before), _run(after)),
        differing=tuple(differences(before, after)),
    )  # fmt: skip


def differences(before: Audit, after: Audit) -> list[str]:
    """Rules whose status or category differs, as "C3 fail (slot) -> pass"."""
    one, other = ({f.rule: _said(f.status, f.category) for f in a.findings} for a in (before, after))
    return [
        f"{rule} {one.get(rule, 'absent')} -> {other.get(rule, 'absent')}"
        for rule in sorted(one.keys() | other.keys())
        if one.get(rule) != other.get(rule)
    ]


def _said(status: str, category: str | None) -> str:
    return f"{status} ({category})" if category and status in ("fail", "review") else status


def _run(result: Audit) -> str:
    return result.case.run.outcome if result.case.run else ""


def table(pairs: Sequence[Pair]) -> str:
    """What differs, counted, and one line a submission, in Markdown."""
    done = [p for p in pairs if not p.reason]
    changed, made = sum(p.changed for p in done), sum(p.made for p in done)
    lines = [
        f"{len(done)} copies, {sum(p.same for p in done)} of them with the same verdict for the same rules; "
        f"{changed} of {made} names changed, {sum(p.labels for p in done)} labels.",
        "",
        "| submission | names changed | labels | verdict | copy | runs | differs |",
        "|---|---:|---:|---|---|---|---|",
    ]
    for p in pairs:
        runs = " / ".join(p.runs) if any(p.runs) else ""
        differing = p.reason or "; ".join(p.differing) or "nothing"
        lines.append(
            f"| {p.name} | {p.changed} of {p.made} | {p.labels} | {p.before} | {p.after} | {runs} | {differing} |"
        )
    return "\n".join(lines) + "\n"
