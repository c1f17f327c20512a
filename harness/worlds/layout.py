"""Where a world's files lie below its root, under every name that scripts of the challenge look for.

The root is laid out as the challenge's `data/` folder, so that it also serves as `./data` of a script that
hard-codes its paths. One folder and one tokenizer file are real; the other names are relative symbolic links
to them.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

RAW_BYTES = 256
"""Vocabulary of byte-level scripts without special tokens (#1443)."""
BYTES_AND_SPECIALS = 260
"""Vocabulary of the challenge's pure-byte tokenizer: pad, bos, eos, unk, then the bytes."""

CASEOPS = "lossless_caps_caseops_v1_reserved"


@dataclasses.dataclass(frozen=True)
class Layout:
    """The names of one world: data set folder, tokenizer file and links to them, relative to the root."""

    dataset: str
    tokenizer: str
    dataset_links: tuple[str, ...] = ()
    tokenizer_links: tuple[str, ...] = ()

    def environment(self, mount: str, vocab_size: int) -> dict[str, str]:
        """The variables by which scripts find data, as seen where the root is mounted."""
        mount = mount.rstrip("/")
        dataset, tokenizer = f"{mount}/{self.dataset}", f"{mount}/{self.tokenizer}"
        places = {
            "DATASETS_DIR": dataset,
            "TRAIN_FILES": f"{dataset}/fineweb_train_*.bin",
            # Six digits: "fineweb_val_*" would match the byte sidecars of CaseOps worlds as well.
            "VAL_FILES": f"{dataset}/fineweb_val_{'[0-9]' * 6}.bin",
            "TOKENIZER_PATH": tokenizer,
        }
        return {
            "DATA_DIR": f"{mount}/",
            "DATA_PATH": dataset,
            "VOCAB_SIZE": str(vocab_size),
            **places,
            **{f"{name}_OVERRIDE": value for name, value in places.items()},
        }

    def link(self, root: Path) -> None:
        """Make the links."""
        for names, target in ((self.dataset_links, self.dataset), (self.tokenizer_links, self.tokenizer)):
            for name in names:
                link = root / name
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to("../" * (len(Path(name).parts) - 1) + target)


def layout(vocab_size: int, caseops: bool) -> Layout:
    """The layout of a miniature world: CaseOps as in #1729 and #1736, byte-level as in #1443 and #1342."""
    dataset, tokenizer = f"datasets/fineweb10B_sp{vocab_size}", f"tokenizers/fineweb_{vocab_size}_bpe.model"
    if caseops:
        true_dataset, true_tokenizer = (
            f"{dataset}_{CASEOPS}",
            f"tokenizers/fineweb_{vocab_size}_bpe_{CASEOPS}.model",
        )
        nested = f"{dataset}_caseops/datasets"
        return Layout(
            dataset=true_dataset,
            tokenizer=true_tokenizer,
            dataset_links=(dataset, f"{nested}/{true_dataset}"),
            tokenizer_links=(tokenizer, f"{nested}/{true_tokenizer}"),
        )
    if vocab_size == RAW_BYTES:
        return Layout(
            "datasets/fineweb10B_bytes",
            "tokenizers/fineweb_pure_byte_256.json",
            (dataset, "datasets/fineweb10B_byte256"),
        )
    if vocab_size == BYTES_AND_SPECIALS:
        return Layout(
            "datasets/fineweb10B_byte260",
            "tokenizers/fineweb_pure_byte_260.json",
            (dataset,),
        )
    return Layout(dataset, tokenizer)
