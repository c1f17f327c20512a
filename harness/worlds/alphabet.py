"""The alphabet of a miniature world: how text becomes tokens, and which token can stand in for which.

From 384 tokens on it is a SentencePiece BPE model trained with the challenge's own settings
(data/download_hf_docs_and_tokenize.py); 256 and 260 are bytes. Where the text cannot fill the vocabulary,
pieces that no text uses fill it, so that every id below `vocab_size` exists as in a real model.
"""

from __future__ import annotations

import collections
import dataclasses
import io
import json
import struct
from collections.abc import Callable, Sequence

import sentencepiece

from harness.worlds import caseops as case_transform
from harness.worlds.layout import BYTES_AND_SPECIALS, RAW_BYTES

PAD, BOS, EOS, UNK = range(4)
SPECIALS = 4
SMALLEST_BPE, LARGEST = 384, 2**16

_NORMAL = 1  # ModelProto.SentencePiece.Type


@dataclasses.dataclass(frozen=True)
class Alphabet:
    """`encode` turns one text into ids without BOS. `stand_ins[id]` lists common tokens of the same kind.

    `files` are the tokenizer files by suffix (".model", ".vocab", ".json").
    """

    vocab_size: int
    bos_id: int
    encode: Callable[[str], list[int]]
    stand_ins: Callable[[int], Sequence[int]]
    files: dict[str, bytes]


class NoWorld(ValueError):
    """No miniature world has the vocabulary that a script wants; the message says which there are."""


def alphabet(vocab_size: int, texts: Sequence[str], *, caseops: bool) -> Alphabet:
    """The alphabet of a world of `vocab_size` tokens. Raises NoWorld for a size that none has."""
    if vocab_size in (RAW_BYTES, BYTES_AND_SPECIALS) and not caseops:
        return _pure_bytes(vocab_size)
    if not SMALLEST_BPE <= vocab_size <= LARGEST:
        raise NoWorld(
            f"no miniature world has {vocab_size} tokens: {RAW_BYTES} and {BYTES_AND_SPECIALS} are bytes, "
            f"and subword vocabularies have {SMALLEST_BPE} to {LARGEST} tokens"
        )
    return _bpe(vocab_size, [case_transform.encode(t) for t in texts] if caseops else texts, caseops)


def _pure_bytes(vocab_size: int) -> Alphabet:
    specials = vocab_size - 256
    letters = [ord(c) + specials for c in "etaoinshrdlucmfw"]
    config = {
        "pad_id": PAD,
        "bos_id": BOS,
        "eos_id": EOS,
        "unk_id": UNK,
        "byte_offset": specials,
        "byte_count": 256,
    }
    payload = {"tokenizer_type": "pure_byte", "config": config if specials else {}, "vocab_size": vocab_size}
    return Alphabet(
        vocab_size,
        # Without special tokens a line break divides documents: no document holds one.
        bos_id=BOS if specials else ord("\n"),
        encode=lambda text: [b + specials for b in text.encode()],
        stand_ins=lambda _: letters,
        files={".json": (json.dumps(payload, indent=2, sort_keys=True) + "\n").encode()},
    )


def _bpe(vocab_size: int, texts: Sequence[str], caseops: bool) -> Alphabet:
    markers = case_transform.MARKERS if caseops else ()
    model = _fill(_train(vocab_size, texts, markers), vocab_size)
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    transform = case_transform.encode if caseops else str
    counts = collections.Counter(token for ids in processor.encode(list(texts)) for token in ids)
    common = [t for t, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]
    pieces = {t: processor.id_to_piece(t) for t in common}
    words = [t for t in common if not processor.is_byte(t) and pieces[t].strip("\u2581").isalpha()]
    leading = [t for t in words if pieces[t].startswith("\u2581")]
    inner = [t for t in words if not pieces[t].startswith("\u2581")]
    lines = (
        f"{processor.id_to_piece(i)}\t{processor.get_score(i):g}\n" for i in range(processor.vocab_size())
    )
    return Alphabet(
        vocab_size,
        bos_id=BOS,
        encode=lambda text: list(processor.encode(transform(text))),
        stand_ins=lambda t: leading if pieces[t].startswith("\u2581") else inner,
        files={".model": model, ".vocab": "".join(lines).encode()},
    )


def _train(vocab_size: int, texts: Sequence[str], markers: Sequence[str]) -> bytes:
    """A BPE model with the challenge's settings; one thread and fixed input give the same bytes each time."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_writer=model,
        model_type="bpe",
        vocab_size=vocab_size,
        character_coverage=_coverage(texts, vocab_size - SPECIALS - 256 - len(markers)),
        byte_fallback=True,
        split_digits=True,
        normalization_rule_name="nmt_nfkc",
        add_dummy_prefix=False,
        pad_id=PAD,
        bos_id=BOS,
        eos_id=EOS,
        unk_id=UNK,
        hard_vocab_limit=False,
        user_defined_symbols=list(markers),
        num_threads=1,
        minloglevel=2,
    )
    return model.getvalue()


def _coverage(texts: Sequence[str], room: int) -> float:
    """The challenge's character coverage, or less where its characters would not fit into the vocabulary."""
    counts = sorted(collections.Counter("".join(texts)).values(), reverse=True)
    return min(0.999, sum(counts[: room * 3 // 4]) / sum(counts) - 1e-6)


def _fill(model: bytes, vocab_size: int) -> bytes:
    """The model with pieces that no text uses, up to `vocab_size`.

    A SentencePiece model is a protocol buffer whose pieces are a repeated field, and appending bytes to a
    message appends to its repeated fields.
    """
    have = sentencepiece.SentencePieceProcessor(model_proto=model).vocab_size()
    return model + b"".join(_piece(f"\u2581\ue100{i}", -1e6 - i) for i in range(have, vocab_size))


def _piece(text: str, score: float) -> bytes:
    """One entry of field 1 (`pieces`) of a ModelProto: piece = 1, score = 2, type = 3."""
    raw = text.encode()
    body = bytes([0x0A, len(raw)]) + raw + b"\x15" + struct.pack("<f", score) + bytes([0x18, _NORMAL])
    return bytes([0x0A, len(body)]) + body
