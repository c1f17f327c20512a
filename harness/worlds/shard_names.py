"""Names of shards that a script spells out beside the challenge's own, such as f"fineweb_{split}_sp1024.bin"."""

from __future__ import annotations

import re
from collections.abc import Sequence

_SPELLED = re.compile(r"[\"'/](fineweb[\w.]*?)(\{\w+\}|train|val)((?:[\w.*-]|\{[^{}\n]{1,20}\})*\.bin)\b")
_OWN = re.compile(r"fineweb_(?:train|val)_(?:bytes_)?\d{6}\.bin")
_VARIES = re.compile(r"\*|\{[^{}]*\}")
_SPLITS = ("train", "val")
_ABSOLUTE = re.compile(r"[\"'](/[\w./-]+?)/(?:datasets|tokenizers)\b")


def data_folders(source: str) -> list[str]:
    """Absolute folders in the text of a script that are to hold the data, such as /workspace/data; none below /work."""
    return sorted({path for path in _ABSOLUTE.findall(source) if not path.startswith("/work/")})


def shard_names(source: str, shards: Sequence[str]) -> dict[str, str]:
    """Other names in the text of a script, and the shard (a name of `shards`) that each is to stand for.

    What varies in a name, a wildcard or a number, becomes the number of the shard; a name without is the first one.
    """
    found: dict[str, str] = {}
    for head, split, tail in _SPELLED.findall(source):
        for kind in _SPLITS if split.startswith("{") else (split,):
            own = sorted(s for s in shards if re.fullmatch(rf"fineweb_{kind}_\d+\.bin", s))
            for shard in own if _VARIES.search(tail) else own[:1]:
                number = shard.removesuffix(".bin").rpartition("_")[2]
                name = head + kind + _VARIES.sub(number, tail)
                if not _OWN.fullmatch(name):
                    found.setdefault(name, shard)
    return found
