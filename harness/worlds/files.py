"""The files of a world: shards, byte sidecar, val stream, tokenizer, manifest, and the links between them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import sentencepiece

from harness.worlds import caseops as case_transform
from harness.worlds.alphabet import Alphabet
from harness.worlds.bytetable import sentencepiece_table
from harness.worlds.shards import Tokens, write_shard
from harness.worlds.world import World


def write_files(world: World, letters: Alphabet, val: Tokens, train: Sequence[Tokens]) -> None:
    """Lay out a world of these streams below its root."""
    names = world.layout
    dataset, tokenizer = world.root / names.dataset, world.root / names.tokenizer
    dataset.mkdir(parents=True)
    tokenizer.parent.mkdir(parents=True)
    for i, tokens in enumerate(train):
        write_shard(dataset / f"fineweb_train_{i:06d}.bin", tokens)
    write_shard(dataset / "fineweb_val_000000.bin", val)
    np.save(world.root / "val_stream.npy", val.astype(np.int32))
    for suffix, data in letters.files.items():
        tokenizer.with_suffix(suffix).write_bytes(data)
    if world.caseops:
        write_shard(dataset / "fineweb_val_bytes_000000.bin", original_bytes(tokenizer)[val])
    (world.root / "manifest.json").write_text(json.dumps(_manifest(world, len(train)), indent=2) + "\n")
    names.link(world.root)


def original_bytes(model: Path) -> npt.NDArray[np.int64]:
    """Bytes of original text [vocab_size] that each token of a CaseOps model stands for."""
    processor = sentencepiece.SentencePieceProcessor(model_file=str(model))
    table = sentencepiece_table(processor)
    pieces = [processor.id_to_piece(i) for i in range(processor.vocab_size())]
    spelled = np.array([case_transform.original_bytes(piece) for piece in pieces], dtype=np.int64)
    whole = table.is_boundary | np.array([processor.is_byte(i) for i in range(len(pieces))])
    return np.where(whole, table.base_bytes, spelled)


def _manifest(world: World, shards: int) -> dict[str, object]:
    """What the challenge's manifest.json says of this data: the first scripts check themselves against it."""
    names = world.layout
    name = Path(names.dataset).name
    stats = {
        "files_train": shards,
        "files_val": 1,
        "tokens_train": world.train_tokens,
        "tokens_val": world.val_tokens,
    }
    return {
        "datasets": [{"name": name, "path": names.dataset, "tokenizer_name": name, "stats": stats}],
        "tokenizers": [{"name": name, "model_path": names.tokenizer}],
    }
