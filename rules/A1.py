"""A1 artifact bytes: code as shipped plus the compressed model is at most 16,000,000 bytes.

What it does
    Counts the bytes of the script as it was shipped and adds the compressed model that the claimed run's log
    states. The cap is decimal and binds the non-record track too (there an excess is a question). It fails
    only where the recount, the log's total and submission.json (where it gives a total, of all or of the claimed seed, and
    not the model's size alone where even the packed script does not fit) agree that the claimed artifact is too large. A
    figure that submission.json alone states is no evidence, and neither is the size of an emulated run. Where a readable
    script lies in the folder but the log counts it packed, packing it (LZMA, base85) and counting again decides: merged
    records did so. Where the score is a mean, another run of it with an artifact over the cap is a question.

Why it breaks the score
    The challenge asks for the best model in 16 MB. A larger artifact holds more of the training data.

Example
    Serialized model int6+brotli: 15,990,000 bytes, train_gpt.py: 60,000 bytes      # fails: 16,050,000
    limit = 16 * 1024 * 1024                                                        # the cap is not 16 MiB

Legal alternative
    Fewer or smaller weights, fewer bits, a better compressor, or minified and packed code: the code counts as shipped.

Rulings
    README of the challenge: code bytes plus compressed model bytes, 16,000,000, not MiB.
    2026-04-28 #1902: over-cap artifacts are excluded as a class. #1399: 16,084,685 to 16,092,287 bytes, over the cap.
    2026-03-23_DGAttention_DavidGao, non-record: merged at 16,638,953 bytes, so that track's excess is a question.
    2026-04-28 #1855: merged with a readable script of 158 KB whose packed size (33 KB) the log counts.
    2026-04 #1216: 16,408,223 bytes under an assumed cap of 16 MiB.
    https://github.com/openai/parameter-golf/pull/1902

Since
    0.1.0
"""

from __future__ import annotations

import dataclasses

from harness.case import Case, Evidence, Finding, Grade, Status
from harness.witnesses.claims import Artifact, Stated
from rules.evidence import capped
from rules.papers import non_record
from rules.registry import rule
from rules.reruns import full_scale

_MINIFIED = 2  # how much shorter than plain LZMA a minified and packed script gets at most


@rule("A1", title="Artifact bytes", categories=("artifact_size",), needs=("claims", "rerun"))
def artifact_bytes(case: Case) -> Finding:
    """What the papers say, beside the artifact that a rerun made."""
    return _remade(case, _stated(case))


def _stated(case: Case) -> Finding:
    """The recount decides; a log that states only a total decides where its run is the claimed one."""
    if case.claims is None:
        return Finding(
            "A1", Status.NOT_COVERED, "Not covered: nothing of what the submission states was read."
        )
    artifact = case.claims.artifact
    logged = int(artifact.logged_total.value) if artifact.logged_total else None
    if artifact.recount is not None:
        return _recounted(case, artifact, artifact.recount, logged)
    if logged is not None:
        certain = case.claims.score_stated and not non_record(case)
        status = (
            Status.PASS if logged <= case.limits.artifact_bytes else Status.FAIL if certain else Status.REVIEW
        )
        return _finding(
            case, status, f"The claimed log states an artifact of {logged:,} bytes{_against(case, logged)}."
        )
    return _unlogged(case, artifact)


def _recounted(case: Case, artifact: Artifact, recount: int, logged: int | None) -> Finding:
    """Compare the recount with the cap and with the total that the log states."""
    assert artifact.model is not None
    cap = case.limits.artifact_bytes
    counted = (
        f"Code as shipped {artifact.shipped_code:,} bytes and compressed model {int(artifact.model.value):,} bytes: "
        f"{recount:,} bytes{_against(case, recount)}"
    )
    if recount <= cap:
        over = f" (the log's own total, {logged:,}, counts other code)" if logged and logged > cap else ""
        return _finding(case, Status.PASS, f"{counted}{over}.")
    model = int(artifact.model.value)
    smallest = model + artifact.shortest_copy
    if smallest <= cap:
        return _finding(case, Status.PASS, f"With the folder's shortest training script {smallest:,} bytes.")
    packed = model + artifact.packed_code
    if logged is not None and logged <= model:
        return _finding(case, Status.REVIEW, f"{counted}; the log's own total, {logged:,}, counts no code.")
    if logged is not None and logged <= cap:
        if packed <= cap or (logged - model) * _MINIFIED >= artifact.packed_code:
            return _finding(case, Status.PASS, f"{counted}; packed, as the log counts the code, {logged:,}.")
        return _finding(case, Status.REVIEW, f"{counted}; the log's own total, {logged:,}, counts less code.")
    if not case.claims or not case.claims.score_stated:
        return _finding(case, Status.REVIEW, f"{counted}; but that log does not state the claimed score.")
    said = artifact.stated
    if said is not None and said.value <= cap and (packed <= cap or not _model_alone(case, said)):
        stated = int(said.value)
        return _finding(case, Status.REVIEW, f"{counted}; submission.json states {stated:,} bytes.")
    if non_record(case):
        return _finding(case, Status.REVIEW, f"{counted}; a merged non-record row was over it as well.")
    return _finding(case, Status.FAIL, f"{counted}.")


def _model_alone(case: Case, stated: Stated) -> bool:
    """Whether submission.json states the compressed model of a run as if it were the artifact."""
    runs = case.claims.runs if case.claims is not None else ()
    return any(r.model_bytes is not None and r.model_bytes.value == stated.value for r in runs)


def _unlogged(case: Case, artifact: Artifact) -> Finding:
    """No log states a size: submission.json's word is repeated; it stops a reviewer where it is over the cap."""
    if artifact.stated is None:
        return Finding(
            "A1", Status.NOT_COVERED, "Not covered: no log of the claimed run states the compressed model."
        )
    stated = int(artifact.stated.value)
    if stated > case.limits.artifact_bytes:
        return _finding(
            case, Status.REVIEW, f"submission.json itself states {stated:,} bytes{_against(case, stated)}."
        )
    return Finding(
        "A1",
        Status.NOT_COVERED,
        f"Not covered: only submission.json says {stated:,} bytes; no log of the claimed run states the model's size.",
        evidence=(artifact.stated.evidence,),
        grade=Grade.CLAIM,
    )


def _other_over(case: Case, artifact: Artifact) -> str | None:
    """A sentence on another run behind the score whose artifact is too large however its code is counted."""
    assert case.claims is not None
    for run in case.claims.behind[1:]:
        code = min(artifact.packed_code, artifact.shortest_copy, artifact.shipped_code)
        counts = [run.total_bytes.value] if run.total_bytes else []
        counts += [run.model_bytes.value + code] if run.model_bytes else []
        if counts and min(counts) > case.limits.artifact_bytes:
            size = int(min(counts))
            return f"Of the other runs behind the score, {run.log} has {size:,} bytes{_against(case, size)}."
    return None


def _remade(case: Case, finding: Finding) -> Finding:
    """The finding beside the artifact of a rerun: a pass where nothing else says, a question where it is over the cap."""
    rerun = full_scale(case)
    if rerun is None or rerun.artifact is None:
        return finding
    made = rerun.artifact
    told = (
        f"The rerun's artifact has {made.bytes:,} bytes, with code as shipped {made.code_bytes:,} together "
        f"{made.total_bytes:,}{_against(case, made.total_bytes)}."
    )
    codes = [made.code_bytes]
    if case.claims is not None:
        codes += [case.claims.artifact.packed_code, case.claims.artifact.shortest_copy]
    if made.bytes + min(codes) <= case.limits.artifact_bytes:
        if finding.status is Status.NOT_COVERED and made.total_bytes <= case.limits.artifact_bytes:
            return Finding("A1", Status.PASS, told, grade=Grade.TRACE)
    elif finding.status in (Status.PASS, Status.NOT_COVERED):
        finding = dataclasses.replace(
            finding, status=Status.REVIEW, category="artifact_size", grade=Grade.TRACE
        )
    return dataclasses.replace(finding, summary=f"{finding.summary} {told}")


def _against(case: Case, size: int) -> str:
    """How far a size is from the cap, in words."""
    cap = case.limits.artifact_bytes
    return f", {size - cap:,} over the cap of {cap:,}" if size > cap else f", {cap - size:,} below the cap"


def _finding(case: Case, status: Status, summary: str) -> Finding:
    assert case.claims is not None
    artifact = case.claims.artifact
    if status is Status.PASS and (other := _other_over(case, artifact)) is not None:
        status, summary = Status.REVIEW, f"{summary} {other}"
    stated = (artifact.model, artifact.logged_code, artifact.logged_total, artifact.stated)
    lines: tuple[Evidence, ...] = tuple(s.evidence for s in stated if s is not None)
    bad = status in (Status.FAIL, Status.REVIEW)
    finding = Finding("A1", status, summary, "artifact_size" if bad else None, Grade.CLAIM, lines)
    return capped(case, finding)
