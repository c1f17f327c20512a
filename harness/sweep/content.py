"""When two submissions are the same to an auditor: the same files, script and track, under the same rules."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from pathlib import Path

from harness.case import Origin, Submission, to_json
from harness.policy import Policy
from harness.version import VERSION
from rules.precedents import precedents

_ROOT = Path(__file__).parents[2]
_ASIDE = ("harness/bench/", "harness/sweep/")
"""Parts of the auditor that no verdict depends on."""


@functools.cache
def code_of_auditor() -> str:
    """A hash of everything of the auditor that a verdict may depend on: its code, its rules, its tables."""
    digest = hashlib.sha256(VERSION.encode())
    files = sorted(p for folder in ("harness", "rules") for p in (_ROOT / folder).rglob("*"))
    for path in files:
        name = path.relative_to(_ROOT).as_posix()
        if path.suffix in (".py", ".csv") and not name.startswith(_ASIDE):
            digest.update(f"\0{name}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:32]


def auditor_of(policy: Policy, *options: str) -> str:
    """A hash of the auditor, its options and the host's policy: where it changes, everything is audited again."""
    return hashlib.sha256("\0".join((code_of_auditor(), policy.key(), *options)).encode()).hexdigest()[:32]


def content_of(submission: Submission, auditor: str, policy: Policy, *, static_only: bool) -> str:
    """A hash of what the audit of a submission depends on: everything but what `_anonymous` takes away."""
    facts = to_json(_anonymous(submission, named=bool(policy.waivers)))
    seed = json.dumps([auditor, "static" if static_only else "full", facts], sort_keys=True)
    digest = hashlib.sha256(seed.encode())
    for name in sorted(submission.files):
        data = (submission.root / name).read_bytes()
        digest.update(f"\0{name}\0".encode("utf-8", "surrogatepass") + hashlib.sha256(data).digest())
    return digest.hexdigest()[:40]


def _anonymous(submission: Submission, *, named: bool) -> Submission:
    """The submission without its name, without its folder unless it is `named` (waivers name folders), and without what it
    changes as a whole where that is one new folder and nothing else. The number of its pull request stays only where there
    is a ruling on it, which must not be cited against it; the notes on it only where they are all there is to say."""
    where, script = submission.origin, submission.script
    change = where.change
    plain = change is not None and len(change.folders) == 1 and not change.altered and not change.outside
    own = where.pull_request if where.pull_request in _ruled_on() else None
    origin = Origin("", own, merged=where.merged, change=None if plain else change)
    return dataclasses.replace(
        submission,
        name="",
        folder=submission.folder if named else "",
        root=Path(),
        origin=origin,
        notes=() if script else submission.notes,
    )


@functools.cache
def _ruled_on() -> frozenset[int]:
    return frozenset(p.pr for p in precedents())
