"""The bytes that a rerun divides by, against counts made by hand: fallback bytes, spaces, boundaries, CaseOps sidecars."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import sentencepiece

from harness.witnesses.rerun.scoring import measured
from harness.worlds import World, caseops
from harness.worlds.fineweb import OfficialData, official_data
from harness.worlds.miniature import miniature
from harness.worlds.shards import ShardError, write_shard


def data_of(folder: Path, world: World, tokens: list[int], sidecar: list[int] | None = None) -> OfficialData:
    """A data set of one val shard."""
    folder.mkdir()
    write_shard(folder / "fineweb_val_000000.bin", np.array(tokens, np.uint16))
    if sidecar is not None:
        write_shard(folder / "fineweb_val_bytes_000000.bin", np.array(sidecar, np.uint16))
    return official_data(folder, world.tokenizer())


def test_bytes_by_hand(world: World, tmp_path: Path) -> None:
    sp = sentencepiece.SentencePieceProcessor(model_file=str(world.tokenizer()))
    the, ing, space, bos = (sp.piece_to_id(p) for p in ("\u2581the", "ing", "\u2581", "<s>"))
    e6, x97, a5 = (sp.piece_to_id(f"<0x{b:02X}>") for b in "\u65e5".encode())
    tokens = [bos, the, the, ing, space, e6, x97, a5, the, bos, space, e6, bos, ing]
    # A space after BOS is none of the text; each fallback token is one byte; BOS is none.
    by_hand = [3, 4, 3, 1, 1, 1, 1, 4, 0, 0, 1, 0, 3]
    data = data_of(tmp_path / "set", world, tokens)
    assert data.target_bytes().tolist() == by_hand

    losses = tmp_path / "losses.npy"
    np.save(losses, np.full(len(by_hand), 2.0, np.float32))
    figures = {
        "way": "",
        "short_head": False,
        "seconds_scoring": 0,
        "flops": 0,
        "memory_bytes": 0,
        "notes": [],
    }
    found = measured("decoded", figures, losses, data.target_bytes())
    assert (found.bytes, found.positions) == (22, 13)
    assert found.bpb == pytest.approx(2 * 13 / math.log(2) / 22, abs=1e-12)


def test_a_caseops_sidecar_counts_the_bytes_of_the_original_text(tmp_path: Path) -> None:
    world = miniature(8192, tmp_path / "worlds", val_tokens=2_000, train_tokens=9_000, caseops=True)
    sp = sentencepiece.SentencePieceProcessor(model_file=str(world.tokenizer()))
    text = "The NASA crew said: caf\u00e9, \u65e5\u672c, iPhone."
    pieces = sp.encode(caseops.encode(text), out_type=str)
    by_hand = []
    for piece in pieces:
        bare = "".join(c for c in piece if c not in caseops.MARKERS)  # markers stand for no byte
        by_hand.append(1 if bare.startswith("<0x") else len(bare.replace("\u2581", " ").encode()))
    by_hand[0] -= pieces[0].startswith("\u2581")  # the tokenizer's own space in front
    assert sum(by_hand) == len(text.encode())
    bos = sp.bos_id()
    ids = [bos, *sp.encode(caseops.encode(text)), bos]
    data = data_of(tmp_path / "set", world, ids, [0, *by_hand, 0])
    assert data.caseops
    assert data.target_bytes().tolist() == [*by_hand, 0]
    assert data.byte_table().position_bytes(ids).sum() > len(text.encode())  # markers would be counted


def test_a_sidecar_of_another_length_is_refused(tmp_path: Path) -> None:
    world = miniature(8192, tmp_path / "worlds", val_tokens=2_000, train_tokens=9_000, caseops=True)
    with pytest.raises(ShardError, match="byte sidecar in set has another length"):
        data_of(tmp_path / "set", world, [1, 500, 501], [0, 3])
