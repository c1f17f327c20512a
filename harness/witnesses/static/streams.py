"""Files: which stream of tokens a path names, what reading it brings, and what the script itself wrote there."""

from __future__ import annotations

import re

from harness.witnesses.static import sifting
from harness.witnesses.static.events import Read
from harness.witnesses.static.machine import Machine
from harness.witnesses.static.values import CLEAN, EMPTY, Seq, Taint, Token, Val, Value, taint_of, text_of

VAL = re.compile(r"(?<![a-z])(?:val|valid|validation)(?![a-z])")
TRAIN = re.compile(r"(?<![a-z])(?:train|training)(?![a-z])")

EVERY = "/*"
"""The end of the pattern of all files in a folder."""


def stream_of(text: str) -> str | None:
    """ "val", "train" or None: by the words in a path, the last part first."""
    lowered = text.lower().replace("train_gpt", "")
    for part in (lowered.rpartition("/")[2], lowered):
        val, train = VAL.search(part), TRAIN.search(part)
        if val and not train:
            return "val"
        if train and not val:
            return "train"
    return None


def listing(m: Machine, text: str, taint: Taint) -> Seq:
    """A sorted list of paths, as glob gives it; of a folder, where the text is no pattern."""
    if text and not any(sign in text for sign in "*?["):
        text += EVERY
    paths = Seq(None, "list", taint)
    paths.box.any = Val(taint=taint.with_marks(("path", text)), text=text)
    return paths


def read_tokens(m: Machine, path: Value) -> Val:
    """The contents of a binary file."""
    text = text_of(path)
    taint = taint_of(path)
    stream = stream_of(text)
    held = stored(m, text) if stream is None or "bin" not in text else CLEAN
    if stream is None and not shard_like(text):
        note_file(m, text, held)
        return Val(
            taint=Taint(
                deps=taint.deps | m.here(), marks=frozenset((("outside", text[-60:]), ("contents", m.line)))
            )
            | held
            | m.arrays
        )
    stream = stream or "?"
    m.emit(Read(**m.where(), stream=stream, text=text[-120:], patterns=listed(taint)))
    token = Token(stream, m.file, m.line, (0, ()), 0)
    return Val(taint=Taint(frozenset((token,)), deps=taint.deps) | held)


def listed(taint: Taint) -> frozenset[str]:
    """The patterns by which files were listed."""
    return frozenset(str(mark[1]) for mark in taint.marks if mark[0] == "path")


def note_file(m: Machine, text: str, held: Taint) -> None:
    """Note that a file was read which is no shard of tokens and holds nothing that the script wrote."""
    if text and held is CLEAN and text.rpartition("/")[2] not in m.disk:
        m.emit(Read(**m.where(), stream="file", text=text[-120:]))


def shard_like(text: str) -> bool:
    """Whether a path names token shards of a stream that is not told."""
    return "fineweb" in text.lower() and (".bin" in text.lower() or text.endswith(EVERY))


def note_filter(m: Machine, path: Value, words: Value) -> None:
    """Remember that names of a listed folder are asked for words that tell a stream."""
    text, asked = text_of(path), text_of(words).lower()
    if text.endswith(EVERY) and ("train" in asked or "val" in asked):
        m.filtered.add(text)


def read_file(m: Machine, file: Val) -> Val:
    """`file.read()`."""
    return read_tokens(m, file)


def stored(m: Machine, text: str) -> Taint:
    """What the script wrote to a file of that name, or to any file where the name is not known."""
    key = text.rpartition("/")[2]
    if key and key in m.disk:
        return m.disk[key]
    if key and not any(not name for name in m.disk):
        return CLEAN if "." in key else everything(m)
    return everything(m)


def everything(m: Machine) -> Taint:
    """All that was written to files."""
    taint = CLEAN
    for held in m.disk.values():
        taint = taint | held
    return taint


def write_array(m: Machine, value: Value) -> None:
    """Remember the losses in an array that is written as it is: processes hand each other losses in this way.

    Whatever file is read as an array later may be it, since paths are put together and renamed.
    """
    taint = taint_of(value)
    if taint.losses:
        m.arrays = m.arrays | Taint(EMPTY, taint.losses, EMPTY, EMPTY, EMPTY, taint.deps)


def write_file(m: Machine, file: Value, value: Value) -> None:
    """Remember what went to a file; a loss in a text line is a printed line."""
    taint = taint_of(value)
    text = text_of(value)
    if taint.losses and text:
        m.printed(value, text)
        return
    key = text_of(file).rpartition("/")[2]
    deps = taint.deps if taint.tokens else EMPTY
    kept = Taint(taint.tokens, EMPTY, taint.updates, EMPTY, sifting.chosen(taint), deps)
    m.disk[key] = m.disk.get(key, CLEAN) | kept
