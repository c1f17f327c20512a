"""B1 books balance: the printed score is the sum of the scores that were seen, over the true number of bytes.

What it does
    Rebuilds the claimed line from the losses that were watched and from the tokenizer's own byte lengths. If the nats do
    not come out, the script scored in a way that was not watched: nothing else about the run is then sure. If the nats
    come out and the bytes do not, the byte count is wrong.

Why it breaks the score
    BPB divides by bytes. A denominator that counts bytes twice, or a fixed number of bytes per token, lowers the score
    without a better model.

Example
    token_bytes = base_bytes[y] + 1                    # fails: the leading space counts for every token
    val_bpb = val_loss / math.log(2) / 3.5             # fails: a fixed number of bytes per token

Legal alternative
    Bytes of each target token, plus one for a leading space unless the previous token is a boundary, from the tokenizer
    itself; with a reversible transformation of the text, the sidecar of raw bytes.

Rulings
    2026-03-26 issue 897: tokenizers without a standalone U+2581. 2026-04 #1698 and its children: leading space twice.
    2026-04-26 #1184: byte-fallback tokens counted as three bytes. #875 #2009: fixed bytes per token.
    https://github.com/openai/parameter-golf/issues/1719

Since
    0.1.0
"""

from __future__ import annotations

import dataclasses

from harness.case import Case, Finding, Grade, Status
from rules.D2 import stated_bytes_per_token, tokenizer_of
from rules.evidence import capped, from_static
from rules.experiments import tested
from rules.registry import rule
from rules.reruns import remeasured

MATERIAL = 0.005
"""A BPB that is lower than the rebuilt one by this share or more is a wrong byte count, not a rounding."""


@rule("B1", title="Books balance", categories=("byte_count",), needs=("trace", "static", "probes", "rerun"))
@tested("B1")
@remeasured("B1")
def books_balance(case: Case) -> Finding:
    """The printed loss and BPB against the rebuilt ones; a claim that no log has and whose bytes are right is not what the
    script prints."""
    finding = _balance(case)
    implied = stated_bytes_per_token(case)
    told = case.claims is None or case.claims.claimed is not None
    name = tokenizer_of(implied) if implied is not None else None
    if finding.status is not Status.FAIL or told or name is None:
        return finding
    return dataclasses.replace(
        finding,
        status=Status.REVIEW,
        summary=f"{finding.summary.rstrip('.')}. But loss and BPB of submission.json imply {implied:.4f} bytes per "
        f"token, as {name} has, and no log has that score: it may have been corrected by hand.",
    )


def _balance(case: Case) -> Finding:
    """What the trace and the code say of the books."""
    trace = case.trace
    if trace is None:
        return from_static(case, "B1", ("byte_count",))
    books = trace.balance
    if trace.blinded:
        return from_static(case, "B1", ("byte_count",))
    if books.line is None:
        return from_static(case, "B1", ("byte_count",))
    if not books.nats or books.rebuilt_loss is None or books.rebuilt_bpb is None:
        return from_static(
            case, "B1", ("byte_count",),
            unless="The printed score is not the sum of the losses that were watched: it is computed in a way that the "
            "trace does not follow.",
        )  # fmt: skip
    loss = (
        f"loss {books.printed_loss:.6f}" if books.printed_loss is not None else f"BPB {books.printed_bpb:.6f}"
    )
    rebuilt = books.rebuilt_loss if books.printed_loss is not None else books.rebuilt_bpb
    if books.bytes:
        summary = f"The printed {loss} is rebuilt from the watched scores as {rebuilt:.6f}"
        if books.printed_bpb is not None and books.printed_loss is not None:
            summary += (
                f", its BPB {books.printed_bpb:.6f} with the tokenizer's own bytes as {books.rebuilt_bpb:.6f}"
            )
        return capped(
            case, Finding("B1", Status.PASS, summary + ".", grade=Grade.TRACE), against=("byte_count",)
        )
    assert books.printed_bpb is not None
    ratio = books.printed_bpb / books.rebuilt_bpb - 1
    # Where the code miscounts for certain, how much and which way it shows in the text of a small world says nothing.
    certain = case.static is not None and bool(case.static.certain("byte_count"))
    status = Status.FAIL if ratio < -MATERIAL or certain else Status.REVIEW
    return capped(
        case,
        Finding(
            "B1",
            status,
            f"The losses balance ({loss}), the bytes do not: BPB {books.printed_bpb:.6f} was printed, "
            f"{books.rebuilt_bpb:.6f} follows from the tokenizer's own byte lengths ({ratio:+.2%}).",
            category="byte_count",
            grade=Grade.TRACE,
        ),
    )
