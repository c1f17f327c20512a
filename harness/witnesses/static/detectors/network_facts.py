"""external_data: on the path that was followed the script reaches out of the machine, or reads files of data that it did
not write and that are neither shards nor a tokenizer."""

from __future__ import annotations

import re

from harness.witnesses.static.events import Note, Read
from harness.witnesses.static.facts import DEPENDS, Fact, Site
from harness.witnesses.static.view import View

DATA = re.compile(
    r"\.(parquet|arrow|jsonl|csv|txt|npy|npz|pt|pth|ckpt|safetensors|pkl|h5|gguf)(\.(gz|xz|zst|bz2))?$", re.I
)
"""Files that hold text, tables or weights."""

OWN = re.compile(r"token|vocab|\bspm|final_model|artifact|__file__|\*|^/proc|^/sys|\0", re.IGNORECASE)
"""Tokenizers, what scripts call their artifact, and names that are not known in full."""


def detect(view: View) -> list[Fact]:
    """One fact for each place; whether it happens depends on what is there when it runs."""
    facts: dict[int, Fact] = {}
    for event in view.m.events:
        if isinstance(event, Note) and event.what == "network" and event.line not in facts:
            facts[event.line] = Fact(
                "external_data",
                DEPENDS,
                f"the script reaches the network at line {event.line}",
                tuple(view.lines.calls(event)),
                "what is fetched, and whether that is before training: nothing may be fetched for the evaluation",
            )
    return list(facts.values())


def reads(view: View) -> tuple[Site, ...]:
    """Files of data that are read before the score and that the script did not write: `what` is the name of each.

    Silent where the script writes files whose names are not known: any of them may be one.
    """
    if "" in view.m.disk:
        return ()
    found: dict[str, Site] = {}
    for event in view.m.events:
        if not isinstance(event, Read) or event.stream != "file":
            continue
        if DATA.search(event.text) and not OWN.search(event.text):
            found.setdefault(event.text, Site(event.text, view.lines.of(event)))
    return tuple(found.values())
