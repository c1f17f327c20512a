"""One audit as it travels to a machine that has neither the clone nor our files: all that it depends on, packed."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path

from harness.command_line import default_cache
from harness.sweep.content import code_of_auditor
from harness.sweep.plan import Plan
from harness.sweep.store import Audited
from harness.sweep.work import Part, examine
from harness.witnesses.claims.leaderboard import Row
from harness.witnesses.claims.standing import rows_of, take_rows


@dataclasses.dataclass(frozen=True)
class Parcel:
    """A part with the bytes of the files below its root, the leaderboard's rows that the clone holds, and the hash of the
    auditor that packed it."""

    part: Part
    files: dict[str, bytes]
    rows: tuple[Row, ...]
    auditor: str


def pack(part: Part) -> Parcel:
    """The part with everything that its audit reads."""
    root = part.submission.root
    files = {p.relative_to(root).as_posix(): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}
    return Parcel(part, files, rows_of(part.submission.origin), code_of_auditor())


def examine_parcel(plan: Plan, parcel: Parcel) -> Audited:
    """The audit of a parcel, with this machine's own cache. Raises RuntimeError where the auditor here is another one."""
    if parcel.auditor != code_of_auditor():
        raise RuntimeError("The auditor installed on this machine is not the one that runs the sweep.")
    submission = parcel.part.submission
    take_rows(submission.origin, parcel.rows)
    with tempfile.TemporaryDirectory(prefix="pgolf-") as folder:
        root = Path(folder) / (submission.root.name or "submission")
        root.mkdir()
        for name, data in parcel.files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(data)
        part = dataclasses.replace(parcel.part, submission=dataclasses.replace(submission, root=root))
        return examine(dataclasses.replace(plan, cache=default_cache()), part)
