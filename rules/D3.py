"""D3 train and val apart: no training shard may hold documents of the validation set.

What it does
    Looks for the fingerprints of training data that was made with too small a validation set: more training shards than
    the published set can have, or a call of the preparation script that sets aside fewer than the first 50,000
    documents (and no other call that sets them aside) while the log reads data prepared on that machine, or a sentence
    that says so of the shards, or one that the validation shard is what was trained on. A command that gives a validation
    shard the name of a training shard fails where the log counts no other.

Why it breaks the score
    Validation is the first 50,000 documents. Training data that begins at document 10,000 holds 80 % of it.

Example
    python prepare_caseops_data.py --docs docs_selected.jsonl           # its default sets aside 10,000 documents
    train_shards: 1502                                                  # the published set has 80

Legal alternative
    Use the published shards, or call the preparation with --val-docs=50000.

Rulings
    2026-05-01 #2127: how the overlap comes about and which logs show it. 2026-05-02 #2018, #2130: excluded for it.
    Merged #1736, #1769 and #1855 call the same script in their README; organizers knew of it and kept them.
    A doubled path alone (datasets/datasets) says nothing: #1945, #1953 and #2014 have it, and are rows of the leaderboard.
    2026-03-18 #44: trained on the validation shard under another name.
    https://github.com/openai/parameter-golf/issues/2127

Since
    0.1.0
"""

from __future__ import annotations

import re

from harness.case import Case, Finding, Grade, Status
from rules.evidence import capped
from rules.papers import accepted, lines
from rules.registry import rule

VAL_DOCS = 50_000
_MOST_SHARDS = 1_000
_LOCAL = re.compile(r"datasets/datasets/")


@rule(
    "D3",
    title="Train and val apart",
    categories=("train_val_overlap", "train_on_val_before_score"),
    needs=("claims",),
)
def train_and_val_apart(case: Case) -> Finding:
    """The shard count decides; a preparation call with too few documents is a question where the data is local."""
    if case.claims is None:
        return Finding(
            "D3", Status.NOT_COVERED, "Not covered: nothing of what the submission states was read."
        )
    run = case.claims.claimed
    shards = run.train_shards if run else None
    renamed = [p for p in case.claims.preparations if p.renamed]
    if renamed:
        told = "The preparation gives a validation shard the name of a training shard"
        alone = shards is not None and shards.value == len(renamed)
        told += ", and the log counts no other training shard." if alone else "."
        shown = lines(renamed[0].evidence, shards)
        status = Status.FAIL if alone else Status.REVIEW
        return capped(case, Finding("D3", status, told, "train_on_val_before_score", Grade.CLAIM, shown))
    trained = next((p for p in case.claims.preparations if p.trained), None)
    if trained is not None:
        told = "The papers say that the model was trained on the validation shard."
        shown = lines(trained.evidence, shards)
        return Finding("D3", Status.REVIEW, told, "train_on_val_before_score", Grade.CLAIM, shown)
    if shards is not None and shards.value > _MOST_SHARDS:
        told = (
            f"The log counts {int(shards.value):,} training shards: more than the published set has, so the data was "
            f"prepared anew; a preparation that sets aside fewer than {VAL_DOCS:,} documents trains on validation text."
        )
        shown = lines(shards, run.val_tokens if run else None)
        return Finding("D3", Status.REVIEW, told, "train_val_overlap", Grade.CLAIM, shown)
    few = [p for p in case.claims.preparations if p.val_docs is not None and p.val_docs < VAL_DOCS]
    if any(
        p.val_docs is not None and p.val_docs >= VAL_DOCS and not p.by_default
        for p in case.claims.preparations
    ):
        few = [p for p in few if p.told or p.by_default]
    local = run is not None and run.data_path is not None and _LOCAL.search(run.data_path.snippet) is not None
    told_so = next((p for p in few if p.told), None)
    if told_so is not None and not local and not accepted(case):
        told = (
            f"The papers say that the training shards were made with {told_so.val_docs:,} documents set aside; validation "
            f"is the first {VAL_DOCS:,}."
        )
        shown = lines(told_so.evidence, run.val_tokens if run else None)
        return Finding("D3", Status.REVIEW, told, "train_val_overlap", Grade.CLAIM, shown)
    if few and local and run is not None:
        told = (
            f"The preparation call sets aside {few[0].val_docs:,} documents{' by default' if few[0].by_default else ''}, "
            f"not {VAL_DOCS:,}, and the log reads data prepared on that machine."
        )
        shown = lines(few[0].evidence, run.data_path, shards)
        if accepted(case):
            told += " The organizers kept this row (issue #2127)."
            return Finding("D3", Status.PASS, told, grade=Grade.CLAIM, evidence=shown)
        return Finding("D3", Status.REVIEW, told, "train_val_overlap", Grade.CLAIM, shown)
    if shards is None or shards.value < 1:
        told = "Not covered: no log of the claimed run counts its training shards."
        return Finding("D3", Status.NOT_COVERED, told, grade=Grade.CLAIM)
    told = f"{int(shards.value):,} training shards; nothing says that they hold validation documents."
    if local and run is not None:
        told += " They lie where the preparation script writes (datasets/datasets); no paper says with how many documents."
    return Finding(
        "D3",
        Status.PASS,
        told,
        grade=Grade.CLAIM,
        evidence=lines(shards, run.data_path if run and local else None),
    )
