"""When two submissions are the same to an auditor: the same files, script and track, under the same rules."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

from harness.case import Submission
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
    """A hash of what the audit of a submission depends on.

    Its name and folder do not count, unless waivers name folders; the number of the pull request only where there is a
    ruling on it, which must not be cited against it.
    """
    script = submission.script
    own = submission.origin.pull_request
    facts = [
        auditor,
        "static" if static_only else "full",
        submission.track,
        submission.folder if policy.waivers else "",
        str(own) if own in _ruled_on() else "",
        *(
            (script.path, script.sha256, script.source, script.runnable, *script.stages)
            if script
            else submission.notes
        ),
    ]
    digest = hashlib.sha256("\0".join(facts).encode("utf-8", "surrogatepass"))
    for name in sorted(submission.files):
        data = (submission.root / name).read_bytes()
        digest.update(f"\0{name}\0".encode("utf-8", "surrogatepass") + hashlib.sha256(data).digest())
    return digest.hexdigest()[:40]


@functools.cache
def _ruled_on() -> frozenset[int]:
    return frozenset(p.pr for p in precedents())
