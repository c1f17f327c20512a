"""What a benchmark audits: record folders of the main line, chosen pull requests, or a random sample of them."""

from __future__ import annotations

import dataclasses
import random
import re
import subprocess
import tarfile
from io import BytesIO
from pathlib import Path

from harness.intake import IntakeError

RECORDS = ("records/track_10min_16mb", "records/track_non_record_16mb")


@dataclasses.dataclass(frozen=True)
class Target:
    """One thing to audit: `key` names it in tables and files, `arguments` are those of `cli.py audit`."""

    key: str
    arguments: tuple[str, ...]


def _git(clone: Path, *arguments: str) -> bytes:
    done = subprocess.run(
        ["git", "-C", str(clone), *arguments], capture_output=True, check=False, timeout=120
    )
    if done.returncode:
        reason = done.stderr.decode("utf-8", "replace").strip().split("\n")[0]
        raise IntakeError(
            f"git cannot read {clone}: {reason}. Name a clone of the challenge's repository with --repo."
        )
    return done.stdout


def pull_request_numbers(clone: Path) -> list[int]:
    """Every pull request whose head the clone holds, ascending."""
    lines = _git(clone, "for-each-ref", "--format=%(refname)", "refs/pull").decode().split()
    found = (re.fullmatch(r"refs/pull/(\d+)/head", line) for line in lines)
    return sorted(int(m.group(1)) for m in found if m)


def pull_requests(clone: Path, numbers: list[int]) -> list[Target]:
    """These pull requests."""
    return [Target(f"pr-{n}", ("--repo", str(clone), "--pr", str(n))) for n in numbers]


def sample(clone: Path, size: int, seed: int, leave_out: set[int]) -> list[Target]:
    """A random sample of the pull requests, always the same for the same seed and clone, in the order they were drawn, so
    that the first of them are a random sample too."""
    numbers = [n for n in pull_request_numbers(clone) if n not in leave_out]
    return pull_requests(clone, random.Random(seed).sample(numbers, min(size, len(numbers))))


def record_folders(clone: Path, scratch: Path, tracks: tuple[str, ...] = RECORDS[:1]) -> list[Target]:
    """The record folders on the clone's main line, laid out below `scratch`."""
    targets = []
    for track in tracks:
        names = _git(clone, "ls-tree", "-z", "--name-only", f"HEAD:{track}").decode().split("\0")
        for name in filter(None, names):
            place = scratch / track / name
            if not place.exists():
                _lay_out(_git(clone, "archive", f"HEAD:{track}/{name}"), place)
            targets.append(Target(name, (str(place),)))
    return targets


def _lay_out(archive: bytes, place: Path) -> None:
    aside = place.with_name(place.name + ".part")
    aside.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=BytesIO(archive)) as tar:
        tar.extractall(aside, filter="data")
    aside.rename(place)
