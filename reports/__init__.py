"""Reports: one file per format. Each is a pure function of the audit result and computes nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.case import Audit
from reports.ci import comment, summary
from reports.files import folder_names, write_atomically
from reports.html import audit_html, index_html
from reports.json_report import audit_json, audits_json, dump, nothing_json
from reports.markdown import audit_markdown, index_markdown
from reports.rerun_terminal import print_rerun
from reports.result import Results, parse
from reports.sarif import sarif
from reports.terminal import print_audits

__all__ = [
    "CiFiles",
    "audit_json",
    "audits_json",
    "nothing_json",
    "print_audits",
    "print_rerun",
    "write_atomically",
    "write_ci",
    "write_document",
    "write_reports",
]


@dataclasses.dataclass(frozen=True)
class CiFiles:
    """Where the files for CI go; None: not wanted. The summary is added to what its file holds, as GitHub wants it."""

    sarif: Path | None = None
    summary: Path | None = None
    comment: Path | None = None


def write_ci(results: Results, files: CiFiles, said: str = "") -> list[Path]:
    """Write the files for CI that are wanted; returns their paths. `said` is a sentence of ours above the Markdown."""
    written = []
    if files.sarif is not None:
        written.append(write_atomically(files.sarif, sarif(results)))
    if files.comment is not None:
        written.append(write_atomically(files.comment, comment(results, said)))
    if files.summary is not None:
        with files.summary.open("a", encoding="utf-8", errors="replace") as file:
            file.write(summary(results, said))
        written.append(files.summary)
    return written


def write_document(document: dict[str, Any], json_file: Path | None) -> Results:
    """Write the JSON of an audit where it is wanted, and read it back as results."""
    if json_file is not None:
        write_atomically(json_file, dump(document))
    return parse(document)


def write_reports(
    audits: Sequence[Audit], out: Path | None, json_file: Path | None = None, generated: str | None = None
) -> list[Path]:
    """Write report.html, .md and .json to `out`, and the JSON to `json_file` too; returns their paths.

    Several submissions get a folder each below `out`, under an index. `out` None writes only `json_file`.
    Raises ValueError when there is no audit to report.
    """
    if not audits:
        raise ValueError("there is no audit to report")
    data = dump(audits_json(audits, generated))
    written = []
    if out is not None:
        pages = {"report.html": audit_html(audits[0]), "report.md": audit_markdown(audits[0])}
        if len(audits) > 1:
            folders = folder_names(a.case.submission.name for a in audits)
            for audit, folder in zip(audits, folders, strict=True):
                written += write_reports([audit], out / folder, generated=generated)
            pages = {"report.html": index_html(audits, folders), "report.md": index_markdown(audits)}
        written += [
            write_atomically(out / name, text) for name, text in {**pages, "report.json": data}.items()
        ]
    if json_file is not None:
        written.append(write_atomically(json_file, data))
    return written
