"""What a submission brings: its README, submission.json, logs and script, as plain facts."""

from __future__ import annotations

import ast
import dataclasses
import re
import sys
from decimal import Decimal
from pathlib import PurePosixPath

from harness.case import Submission
from harness.intake.syntax import Unparsable, parse
from harness.witnesses.claims.log import is_log_name
from harness.witnesses.claims.papers import is_paper, read_text

FIELDS = ("author", "name", "val_bpb")
_NUMBERS = ("val_bpb", "val_loss", "bytes_total", "bytes_code", "bytes_model", "artifact_bytes")
_TEXTS = ("author", "github_id", "name", "blurb", "date", "track")
_LISTED = re.compile(r"^\s{0,4}[-*+]\s{1,3}\*{0,2}\[?`([\w.-]{1,100}\.(?:log|txt|py|json|sh))`")
_GIVEN = {
    "numpy", "tqdm", "torch", "triton", "huggingface_hub", "kernels", "setuptools", "typing_extensions", "datasets",
    "tiktoken", "sentencepiece", "flash_attn", "flash_attn_interface", "mlx", "train_gpt",
}  # fmt: skip
"""Packages of the challenge's requirements.txt, what comes with torch, FlashAttention (15 merged records import it without
a word, so the machines of the challenge have it) MLX (the challenge's own script for Macs), and
the challenge's own script."""

_BRINGS = {"torch.utils.tensorboard": "tensorboard"}
"""Modules that fail without a package which the package they lie in does not bring."""


@dataclasses.dataclass(frozen=True)
class Packaging:
    """Files present. `submission_json` names the file; `fields_missing` are fields that it lacks, `fields_mistyped` those
    that hold text where a number belongs, or a number where text does. `parses` says that Python reads the script.

    `unread` are the names of papers that are there and could not be laid out.
    `listed` are files that the README lists and the folder lacks, `unnamed` packages that the script cannot start without
    and that neither the challenge's requirements nor any paper of the folder names.
    """

    readme: bool
    submission_json: str | None
    json_valid: bool
    fields_missing: tuple[str, ...]
    log_names: tuple[str, ...]
    logs_with_score: int
    parses: bool
    fields_mistyped: tuple[str, ...] = ()
    listed: tuple[str, ...] = ()
    unnamed: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()


def packaging(submission: Submission, json_value: object, logs_with_score: int) -> Packaging:
    """The packaging facts. `json_value` is submission.json's content, None where it is missing or does not parse."""
    names = {n: PurePosixPath(n).name.lower() for n in submission.files}
    json_name = next(
        (n for n, low in sorted(names.items()) if low.startswith("submission") and low.endswith(".json")),
        None,
    )
    held = {str(k).lower() for k in json_value} if isinstance(json_value, dict) else set()
    return Packaging(
        readme=any(low.startswith("readme") for low in names.values()),
        submission_json=json_name,
        json_valid=isinstance(json_value, dict),
        fields_missing=tuple(f for f in FIELDS if f not in held) if isinstance(json_value, dict) else FIELDS,
        log_names=tuple(sorted(n for n in names if is_log_name(n))),
        logs_with_score=logs_with_score,
        parses=_parses(submission),
        fields_mistyped=_mistyped(json_value) if isinstance(json_value, dict) else (),
        listed=_listed(submission),
        unnamed=_unnamed(submission),
        unread=tuple(sorted({n for path in submission.left_out if is_paper(n := PurePosixPath(path).name)})),
    )


def _listed(submission: Submission) -> tuple[str, ...]:
    """The files that items of a README's section on files name and that lie nowhere in the folder."""
    held = {PurePosixPath(n).name for n in submission.files}
    found: dict[str, None] = {}
    for name in sorted(submission.files):
        if "/" in name or not name.lower().startswith("readme"):
            continue
        inside = False
        for line in read_text(submission, name).split("\n"):
            if line.startswith("#") or (line.startswith("**") and line.rstrip().rstrip(":").endswith("**")):
                inside = "file" in line.lower()
            elif inside and (match := _LISTED.match(line[:300])) and match[1] not in held:
                found[match[1]] = None
    return tuple(found)


def _unnamed(submission: Submission) -> tuple[str, ...]:
    """The packages of the imports at the top of the script, outside any `try` or `if`, that nothing names."""
    if submission.script is None:
        return ()
    try:
        body = parse(submission.script.runnable).body
    except Unparsable:
        return ()
    wanted = {p for node in body for p in _packages(node)} - _GIVEN - sys.stdlib_module_names
    own = {PurePosixPath(n).name.removesuffix(".py") for n in submission.files if n.endswith(".py")}
    own |= {part for n in submission.files for part in PurePosixPath(n).parts[:-1]}
    left = sorted(wanted - own)
    if not left:
        return ()
    papers = [
        n
        for n in submission.files
        if n.lower().endswith((".md", ".txt", ".toml", ".sh", ".json", ".log", ".yml"))
    ]
    told = "\n".join(read_text(submission, n) for n in sorted(papers)).lower().replace("-", "_")
    return tuple(p for p in left if p.lower() not in told)


def _packages(node: ast.stmt) -> set[str]:
    """The packages that one statement imports, without relative imports."""
    if isinstance(node, ast.Import):
        names = [a.name for a in node.names]
    elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
        names = [node.module]
    else:
        return set()
    return {_BRINGS.get(n, n.partition(".")[0]) for n in names}


def _mistyped(value: dict[str, object]) -> tuple[str, ...]:
    """Fields of the wrong type; a missing or empty one is not."""
    held = {str(k).lower(): v for k, v in value.items() if v is not None}
    numbers = [
        f for f in _NUMBERS if f in held and (not isinstance(held[f], int | Decimal) or held[f] is True)
    ]
    return (*numbers, *(f for f in _TEXTS if f in held and not isinstance(held[f], str)))


def _parses(submission: Submission) -> bool:
    """Whether Python reads the script (newer syntax already rewritten)."""
    if submission.script is None:
        return False
    try:
        parse(submission.script.runnable)
    except Unparsable:
        return False
    return True
