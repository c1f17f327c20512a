"""D2 bytes behind the score: loss, tokens and BPB of the claimed line belong to the validation text's true bytes.

What it does
    The loss (nats per token) and the BPB of one line say how many bytes a token stands for; times the number of val
    tokens that is the denominator that was used. For the fixed first 50,000 documents it is the same for every
    tokenizer: 151.08 million bytes, CaseOps included (its sidecar counts the raw text); logs of the first days, on an
    older export, give 155.77 million. A larger denominator lowers the score without predicting anything better; a
    smaller one means that only part of the text was scored. Where the claimed line counts its bytes or tokens itself,
    that count is compared: a sample of the tokens need not have the text's bytes per token. Where the log nowhere
    states a loss beside a BPB, the training loss takes its place: no merged record claims more than 9 % below it, so
    a score far below was divided by too many bytes, or is not the model's own. A record on a tokenizer that nobody
    else uses must show its count of tokens (the README wants certainty of a new tokenizer): where no log does, loss
    and BPB alone are a question.

Why it breaks the score
    BPB is bits over bytes. Counting the leading space twice, byte-fallback tokens as three bytes, or the bytes of a
    transformed text makes the denominator too large.

Example
    val_tokens: 40540160, val_loss: 2.80, val_bpb: 0.925                         # 177 million bytes: 17 % too many
    mix bytes=10982035 mix_bpb=1.0025                                            # 7 % of the text

Legal alternative
    Count the bytes of the decoded text, token by token (the official lookup tables), or read the raw-byte sidecar.

Rulings
    2026-03-26 #897 (missing U+2581), 2026-04 #1719 (leading space twice: #1545 #1672 #1698 #1734, +17 %), 2026-04-26
    #1184 (Scylla, byte-fallback tokens, +4 %, removed), 2026-05-02 #2138 (transformed bytes 164,594,398 instead of the
    raw 151,074,309). 2026-04 #1545: no loss in the log, BPB 18 % below the training loss. 2026-04-28 #1835: 3 million
    tokens scored. 2026-05-02 #2009: a fixed number of bytes per token.
    https://github.com/openai/parameter-golf/issues/1719

Since
    0.1.0
"""

from __future__ import annotations

import math

from harness.case import Case, Evidence, Finding, Grade, Status
from harness.witnesses.claims import RunFacts, Stated
from rules.evidence import capped
from rules.papers import lines, non_record
from rules.registry import rule

VAL_BYTES = (151_078_000, 155_770_000)
"""Bytes of the fixed validation text, from logs of merged records: the current export and that of the first days."""

VAL_TOKENS = (63_779_840, 62_021_632, 40_540_160, 45_508_608, 47_851_520)
"""Lengths of the validation set by tokenizer and export, from logs of merged records; others are another set, whose bytes
nobody here has counted."""

BYTES_PER_TOKEN = {
    1.0: "bytes",
    2.4359: "sp1024",
    2.4423: "sp1024 of the first days",
    3.3193: "sp4096",
    3.7263: "sp8192",
    3.1572: "sp8192 CaseOps",
}
"""What merged records imply for the tokenizers in use; asked where the log does not state the val tokens."""

KNOWN_WRONG = {
    177_826_700: "the leading space of a word counted twice",
    164_594_398: "the bytes of the transformed CaseOps text",
}
"""Counts that rulings and issues name: #1719 (177,825,403 with sp8192, 177,827,960 with sp1024) and #2138."""

_EXACT = 4_000
_NEAR = 0.0025
_WRONG = 0.01
"""Counts known to be wrong are 4 to 20 % too high; less than one per cent is for a person to look at."""

_SAME = 0.0005
_BELOW = 0.87
"""A score so far below its run's training loss is asked about: 44 merged records stand at 0.91 to 1.02, #1545 at 0.82."""


@rule("D2", title="Bytes behind the score", categories=("byte_count", "partial_val"), needs=("claims",))
def bytes_behind_the_score(case: Case) -> Finding:
    """Compare the implied denominator with the true one."""
    run = case.claims.claimed if case.claims else None
    if run is None:
        return _by_submission_json(case, None)
    if run.scored_bytes is not None and not _is_the_text(run.scored_bytes.value):
        return _counted(case, run, run.scored_bytes)
    if run.bytes_per_token is None or run.loss is None or abs(run.loss - run.bpb) < 1e-9:
        return _without_a_loss(case, run)
    if run.val_tokens is None:
        return _by_tokenizer(case, run, run.bytes_per_token)
    if run.scored_tokens is not None and run.scored_tokens.value < run.val_tokens.value * (1.0 - _NEAR):
        scored, held = int(run.scored_tokens.value), int(run.val_tokens.value)
        return _too_few(
            case, run, f"The claimed line counts {scored:,} tokens, the validation set has {held:,}"
        )
    implied = run.bytes_per_token * run.val_tokens.value
    told = (
        f"The claimed line implies {run.bytes_per_token:.4f} bytes per token, over {int(run.val_tokens.value):,} tokens "
        f"{implied / 1e6:,.2f} million bytes"
    )
    shown = lines(run.score, run.val_tokens)
    if _is_the_text(implied):
        return Finding("D2", Status.PASS, f"{told}: the validation text.", grade=Grade.CLAIM, evidence=shown)
    true = VAL_BYTES[0]
    if implied < true:
        return _too_few(case, run, f"{told}, {1.0 - implied / true:.1%} less than the validation text has")
    told += f", {implied / true - 1.0:.1%} more than the validation text has"
    alike = (
        run.usual_bytes_per_token is not None
        and abs(run.usual_bytes_per_token / run.bytes_per_token - 1.0) <= _NEAR
    )
    wrong = next((why for count, why in KNOWN_WRONG.items() if abs(implied - count) <= _EXACT), None)
    if wrong is not None:
        told += f": {wrong}"
    elif not alike:
        told += "; the log's other lines imply another count, so this line's loss and BPB may not be of one evaluation"
    known = _is_known(run.val_tokens.value)
    if not known and wrong is None:
        told += "; the number of tokens is that of no known validation set"
    if run.bounded is not None:
        told += "; the log bounds its evaluation, and a sample has bytes per token of its own"
        shown = (*shown, run.bounded)
    sure = wrong is not None or (alike and known and run.bounded is None)
    status = Status.FAIL if sure and implied / true - 1.0 >= _WRONG else Status.REVIEW
    return capped(case, Finding("D2", status, f"{told}.", "byte_count", Grade.CLAIM, shown))


def _is_known(tokens: float) -> bool:
    """Whether a validation set of so many tokens is one of those in use."""
    return any(abs(tokens / count - 1.0) <= _NEAR for count in VAL_TOKENS)


def _too_few(case: Case, run: RunFacts, told: str) -> Finding:
    """Part of the text: a question in the record track's folder, whatever it is called; the other track may sample, and
    says so in its log."""
    shown = lines(run.score, run.val_tokens)
    if case.submission.track == "non_record":
        return Finding(
            "D2", Status.PASS, f"{told}: a part of it was scored.", grade=Grade.CLAIM, evidence=shown
        )
    return Finding("D2", Status.REVIEW, f"{told}.", "partial_val", Grade.CLAIM, shown)


def _is_the_text(count: float) -> bool:
    """Whether so many bytes are the whole validation text."""
    return any(abs(count / true - 1.0) <= _NEAR for true in VAL_BYTES)


def _counted(case: Case, run: RunFacts, stated: Stated) -> Finding:
    """The claimed line says over how many bytes it was taken, and they are not the text's."""
    count, true = stated.value, VAL_BYTES[0]
    told = f"The claimed line counts {int(count):,} bytes, the validation text has {true:,}"
    if count < true:
        return _too_few(case, run, told)
    return Finding("D2", Status.REVIEW, f"{told}.", "byte_count", Grade.CLAIM, lines(stated))


def _by_tokenizer(case: Case, run: RunFacts, implied: float) -> Finding:
    """Without a token count, the bytes per token of a tokenizer in common use settle it."""
    shown = lines(run.score, run.fixed_per_token)
    name = tokenizer_of(implied)
    if name is not None:
        told = (
            f"The claimed line implies {implied:.4f} bytes per token, as {name} has on the validation text."
        )
        return Finding("D2", Status.PASS, told, grade=Grade.CLAIM, evidence=shown)
    if run.scored_bytes is not None:
        told = f"The claimed line counts {int(run.scored_bytes.value):,} bytes: the validation text."
        return Finding("D2", Status.PASS, told, grade=Grade.CLAIM, evidence=shown)
    told = f"the log states no val tokens, and {implied:.4f} bytes per token are of no known tokenizer"
    return _unproven(case, told + _as_a_setting(run, implied), shown)


def _as_a_setting(run: RunFacts | None, implied: float) -> str:
    """Says where the implied number of bytes per token is one that the log prints as a setting."""
    fixed = run.fixed_per_token if run is not None else None
    alike = fixed is not None and abs(fixed.value / implied - 1.0) <= _SAME
    return "; the log prints that number as a setting" if alike else ""


def tokenizer_of(implied: float) -> str | None:
    """The tokenizer in use that has so many bytes per token."""
    return next((n for true, n in BYTES_PER_TOKEN.items() if abs(implied / true - 1.0) <= _NEAR), None)


def _unproven(case: Case, told: str, shown: tuple[Evidence, ...]) -> Finding:
    """Nothing settles the count: a question where it is a record, since a new tokenizer must come with its proof."""
    if non_record(case):
        return Finding("D2", Status.NOT_COVERED, f"Not covered: {told}.", grade=Grade.CLAIM, evidence=shown)
    return Finding("D2", Status.REVIEW, f"{told[0].upper()}{told[1:]}.", "byte_count", Grade.CLAIM, shown)


def stated_bytes_per_token(case: Case) -> float | None:
    """What BPB and loss of submission.json imply, where all that it states imply one number of bytes per token."""
    pairs = case.claims.pairs if case.claims is not None else ()
    implied = [loss / (math.log(2.0) * bpb) for bpb, loss, _ in pairs if abs(loss - bpb) > 1e-9]
    return implied[0] if implied and max(implied) / min(implied) - 1.0 <= _NEAR else None


def _by_submission_json(case: Case, run: RunFacts | None) -> Finding:
    """BPB and loss of submission.json, where no log has both and all that it states imply one number of bytes."""
    implied = stated_bytes_per_token(case)
    told = "no log states loss and BPB of the claimed score"
    if implied is None or case.claims is None:
        return Finding("D2", Status.NOT_COVERED, f"Not covered: {told}.", grade=Grade.CLAIM)
    shown = lines(*(e for _, _, e in case.claims.pairs), run.fixed_per_token if run else None)
    name = tokenizer_of(implied)
    told += f"; those of submission.json imply {implied:.4f} bytes per token"
    if name is not None:
        told = f"Not covered: {told}, as {name} has."
        return Finding("D2", Status.NOT_COVERED, told, grade=Grade.CLAIM, evidence=shown)
    return _unproven(case, f"{told}, as no known tokenizer has{_as_a_setting(run, implied)}", shown)


def _without_a_loss(case: Case, run: RunFacts) -> Finding:
    """The claimed line states a BPB alone: its own count must do, or the run's training loss, which in the other track
    may be of another kind (diffusion, flows)."""
    if run.scored_bytes is not None:
        told = f"The claimed line counts {int(run.scored_bytes.value):,} bytes: the validation text."
        return Finding("D2", Status.PASS, told, grade=Grade.CLAIM, evidence=lines(run.score))
    known = run.val_tokens is not None and _is_known(run.val_tokens.value)
    other = non_record(case) or run.usual_bytes_per_token is not None
    if run.val_tokens is None or run.train_loss is None or not known or other:
        return _by_submission_json(case, run)
    nats = run.bpb * math.log(2.0) * VAL_BYTES[0] / run.val_tokens.value
    share = nats / run.train_loss.value
    told = (
        f"No line of the log states a loss beside a BPB. Over the text's true bytes {run.bpb:g} BPB are {nats:.3f} nats "
        f"per token, {abs(1.0 - share):.0%} {'below' if share < 1.0 else 'above'} the run's own training loss of "
        f"{run.train_loss.value:.3f}"
    )
    shown = lines(run.score, run.train_loss, run.val_tokens)
    if share >= _BELOW:
        return Finding("D2", Status.PASS, f"{told}, as in merged records.", grade=Grade.CLAIM, evidence=shown)
    told += ": too many bytes were counted, or the score is not that of the model alone."
    return Finding("D2", Status.REVIEW, told, "byte_count", Grade.CLAIM, shown)
