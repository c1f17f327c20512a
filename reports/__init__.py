"""Reports: one file per format. Each is a pure function of the audit result and computes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.case import Audit
from reports.files import folder_names, write_atomically
from reports.html import audit_html, index_html
from reports.json_report import audit_json, audits_json, dump
from reports.markdown import audit_markdown, index_markdown
from reports.terminal import print_audits

__all__ = ["audit_json", "audits_json", "print_audits", "write_atomically", "write_reports"]


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
