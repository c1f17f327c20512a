"""D2 bytes behind the score: loss, tokens and BPB of the claimed line belong to the validation text's true bytes.

What it does
    The loss (nats per token) and the BPB of one line say how many bytes a token stands for; times the number of val
    tokens that is the denominator that was used. For the fixed first 50,000 documents it is the same for every
    tokenizer: 151.08 million bytes, CaseOps included (its sidecar counts the raw text); logs of the first days, on an
    older export, give 155.77 million. A larger denominator lowers the score without predicting anything better; a
    smaller one means that only part of the text was scored.

Why it breaks the score
    BPB is bits over bytes. Counting the leading space twice, byte-fallback tokens as three bytes, or the bytes of a
    transformed text makes the denominator too large.

Example
    val_tokens: 40540160, val_loss: 2.80, val_bpb: 0.925                         # 177 million bytes: 17 % too many

Legal alternative
    Count the bytes of the decoded text, token by token (the official lookup tables), or read the raw-byte sidecar.

Rulings
    2026-03-26 #897 (missing U+2581), 2026-04 #1719 (leading space twice: #1545 #1672 #1698 #1734, +17 %), 2026-04-26
    #1184 (Scylla, byte-fallback tokens, +4 %, removed), 2026-05-02 #2138 (transformed bytes 164,594,398 instead of the
    raw 151,074,309).
    https://github.com/openai/parameter-golf/issues/1719

Since
    0.1.0
"""

from __future__ import annotations

from harness.case import Case, Finding, Grade, Status
from harness.witnesses.claims import RunFacts
from rules.evidence import capped
from rules.papers import lines
from rules.registry import rule

VAL_BYTES = (151_078_000, 155_770_000)
"""Bytes of the fixed validation text, from logs of merged records: the current export and that of the first days."""

VAL_TOKENS = (63_779_840, 62_021_632, 40_540_160, 45_508_608, 47_851_520)
"""Lengths of the validation set by tokenizer and export, from logs of merged records; others are another set, whose bytes
nobody here has counted."""

BYTES_PER_TOKEN = {
    1.0: "bytes",
    2.4359: "sp1024",
    3.3193: "sp4096",
    3.7263: "sp8192",
    3.1572: "sp8192 CaseOps",
}
"""What merged records imply for the tokenizers in use; asked where the log does not state the val tokens."""

_NEAR = 0.0025
_WRONG = 0.01
"""Counts known to be wrong are 4 to 20 % too high; less than one per cent is for a person to look at."""


@rule("D2", title="Bytes behind the score", categories=("byte_count", "partial_val"), needs=("claims",))
def bytes_behind_the_score(case: Case) -> Finding:
    """Compare the implied denominator with the true one."""
    run = case.claims.claimed if case.claims else None
    if run is None or run.bytes_per_token is None or run.loss is None or abs(run.loss - run.bpb) < 1e-9:
        told = "Not covered: no log states loss and BPB of the claimed score."
        return Finding("D2", Status.NOT_COVERED, told, grade=Grade.CLAIM)
    if run.val_tokens is None:
        return _by_tokenizer(run, run.bytes_per_token)
    implied = run.bytes_per_token * run.val_tokens.value
    told = (
        f"The claimed line implies {run.bytes_per_token:.4f} bytes per token, over {int(run.val_tokens.value):,} tokens "
        f"{implied / 1e6:,.2f} million bytes"
    )
    shown = lines(run.score, run.val_tokens)
    if any(abs(implied / true - 1.0) <= _NEAR for true in VAL_BYTES):
        return Finding("D2", Status.PASS, f"{told}: the validation text.", grade=Grade.CLAIM, evidence=shown)
    true = VAL_BYTES[0]
    if implied < true:
        return _too_few(case, run, f"{told}, {1.0 - implied / true:.1%} less than the validation text has")
    told += f", {implied / true - 1.0:.1%} more than the validation text has"
    alike = (
        run.usual_bytes_per_token is not None
        and abs(run.usual_bytes_per_token / run.bytes_per_token - 1.0) <= _NEAR
    )
    if not alike:
        told += "; the log's other lines imply another count, so this line's loss and BPB may not be of one evaluation"
    known = any(abs(run.val_tokens.value / count - 1.0) <= _NEAR for count in VAL_TOKENS)
    if not known:
        told += "; the number of tokens is that of no known validation set"
    status = Status.FAIL if alike and known and implied / true - 1.0 >= _WRONG else Status.REVIEW
    return capped(case, Finding("D2", status, f"{told}.", "byte_count", Grade.CLAIM, shown))


def _too_few(case: Case, run: RunFacts, told: str) -> Finding:
    """Part of the text: a question in the record track; the other track may sample, and says so in its log."""
    shown = lines(run.score, run.val_tokens)
    if case.submission.track == "non_record":
        return Finding(
            "D2", Status.PASS, f"{told}: a part of it was scored.", grade=Grade.CLAIM, evidence=shown
        )
    return Finding("D2", Status.REVIEW, f"{told}.", "partial_val", Grade.CLAIM, shown)


def _by_tokenizer(run: RunFacts, implied: float) -> Finding:
    """Without a token count, the bytes per token of a tokenizer in common use settle it."""
    shown = lines(run.score)
    for true, name in BYTES_PER_TOKEN.items():
        if abs(implied / true - 1.0) <= _NEAR:
            told = f"The claimed line implies {implied:.4f} bytes per token, as {name} has on the validation text."
            return Finding("D2", Status.PASS, told, grade=Grade.CLAIM, evidence=shown)
    told = f"Not covered: the log states no val tokens, and {implied:.4f} bytes per token are of no known tokenizer."
    return Finding("D2", Status.NOT_COVERED, told, grade=Grade.CLAIM, evidence=shown)
