"""A world as long as the official data, for speed alone: random tokens behind the tokenizer of the miniature world."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from harness.case import Submission
from harness.intake.claim import claimed_configuration
from harness.worlds.fineweb import OfficialData, official_data
from harness.worlds.miniature import miniature
from harness.worlds.random import draw
from harness.worlds.scale import scale_profile
from harness.worlds.shards import write_shard

TRAIN_TOKENS = 4_194_304
"""Some steps of the challenge's batch of 524,288 tokens."""


def long_world(submission: Submission, cache: Path, root: Path, val_tokens: int) -> OfficialData:
    """Data of the vocabulary that the submission claims, below `root`; made anew by each call. Its scores mean nothing.

    Raises ValueError where the submission has no script or no such world exists.
    """
    if submission.script is None:
        raise ValueError(f"{submission.name} has no script to run")
    environment = claimed_configuration(submission).environment()
    small = scale_profile(submission.script.runnable, environment)
    world = miniature(small.vocab_size, cache, caseops=small.caseops)
    shutil.rmtree(root, ignore_errors=True)
    dataset, tokenizer = root / world.layout.dataset, root / world.layout.tokenizer
    dataset.mkdir(parents=True)
    tokenizer.parent.mkdir(parents=True)
    shutil.copyfile(world.tokenizer(), tokenizer)
    rng = np.random.default_rng(0)
    val, train = (draw(rng, world.vocab_size, world.bos_id, n) for n in (val_tokens, TRAIN_TOKENS))
    write_shard(dataset / "fineweb_val_000000.bin", val)
    write_shard(dataset / "fineweb_train_000000.bin", train)
    if world.caseops:
        write_shard(dataset / "fineweb_val_bytes_000000.bin", np.where(val == world.bos_id, 0, 4))
    return official_data(dataset, tokenizer)
