"""The numbers of submission.json: which of them is the claimed score, and which are scores per seed."""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
from decimal import Decimal
from typing import Any

_NOT_THE_SCORE = re.compile(
    r"std|stdev|delta|gain|gap|improve|baseline|base_|sota|prior|previous|comparison|roundtrip|pre_|before|vs_"
    r"|ablation|without|no_ttt|diagnostic|bytes|threshold|merged|leader|reference|sem|var\b|unquant|fp32|bf16"
    r"|float|range|min_|max_"
)
_LONGEST = 18
_SEED_TABLES = re.compile(r"seed|per_run|runs|all_")


@dataclasses.dataclass(frozen=True)
class Claimed:
    """One number of submission.json: field, value, decimals as printed, the seed it belongs to."""

    name: str
    value: float
    decimals: int
    seed: int | None = None


def parse_submission_json(text: str) -> Any:
    """The JSON value with its decimals kept; None where it cannot be read even leniently."""
    for candidate in (text, re.sub(r",(\s*[}\]])", r"\1", text)):
        try:
            return json.loads(candidate.lstrip("\ufeff"), parse_float=Decimal, parse_int=_whole)
        except (ValueError, RecursionError):
            continue
    return None


def _whole(digits: str) -> int | None:
    """A whole number of JSON; None where it has more digits than anything that is counted here."""
    return int(digits) if len(digits) <= _LONGEST else None


def claimed_scores(data: Any) -> tuple[list[Claimed], list[Claimed]]:
    """(the claimed score under its several names, likeliest first; the scores per seed)."""
    main: list[tuple[int, Claimed]] = []
    seeds: list[Claimed] = []
    for path, value in _numbers(data, (), 0):
        name = path[-1].lower()
        whole = ".".join(path).lower()
        claimed = Claimed(".".join(path), float(value), _decimals(value), _seed_of(path))
        if not 0.0 < claimed.value < 6.0:
            continue
        if any(_SEED_TABLES.search(p.lower()) for p in path[:-1]):
            if ("bpb" in name and not _NOT_THE_SCORE.search(name)) or (
                name.isdigit() and ("bpb" in whole or isinstance(value, Decimal))
            ):
                seeds.append(claimed)
        elif (rank := _rank(path)) is not None:
            main.append((rank, claimed))
    main.sort(key=lambda pair: pair[0])
    return [c for _, c in main], seeds


def score_pairs(data: Any) -> list[tuple[Claimed, float]]:
    """(the BPB, the loss in nats) of every place of submission.json that states both for one run."""
    held: dict[tuple[str, ...], dict[str, Decimal | int]] = {}
    for path, value in _numbers(data, (), 0):
        held.setdefault(path[:-1], {})[path[-1].lower()] = value
    return [
        (Claimed(".".join((*path, "val_bpb")), float(bpb), _decimals(bpb), _seed_of((*path, "val_bpb"))), float(loss))
        for path, values in held.items()
        if (bpb := values.get("val_bpb")) and (loss := values.get("val_loss")) and 0.0 < bpb < 6.0 and loss > 0.0
    ]  # fmt: skip


def seed_entries(data: Any) -> list[tuple[str, int, float, int]]:
    """(field, seed, value, decimals) of every number that lies in a table of seeds."""
    return [
        (".".join(path), seed, float(value), _decimals(value))
        for path, value in _numbers(data, (), 0)
        if any("seed" in p.lower() for p in path[:-1]) and (seed := _seed_of(path)) is not None
    ]


def _rank(path: tuple[str, ...]) -> int | None:
    """How likely a field is the claimed score, 0 first; None for another number."""
    name, whole = path[-1].lower(), ".".join(path).lower()
    if "bpb" in whole or "bits_per_byte" in whole:
        if _NOT_THE_SCORE.search(whole):
            return None
        depth = len(path) - 1
        return (0 if name == "val_bpb" else 1 if "mean" in whole else 2) + 3 * depth
    if name in ("score", "result", "metric", "metric_value"):
        return 5
    return 9 if name == "val_loss" and len(path) == 1 else None


def _numbers(data: Any, path: tuple[str, ...], depth: int) -> list[tuple[tuple[str, ...], Decimal | int]]:
    if depth > 5:
        return []
    if isinstance(data, dict):
        items = [(str(k)[:80], v) for k, v in itertools.islice(data.items(), 300)]
    elif isinstance(data, list):
        items = [(_list_name(v, i), v) for i, v in enumerate(data[:64])]
    else:
        number = isinstance(data, Decimal | int) and not isinstance(data, bool)
        return [(path, data)] if number and path else []
    return [found for key, value in items for found in _numbers(value, (*path, key), depth + 1)]


def _list_name(item: Any, index: int) -> str:
    """A list of per-seed records is read as if it were keyed by seed."""
    return str(item["seed"]) if isinstance(item, dict) and isinstance(item.get("seed"), int) else str(index)


def _seed_of(path: tuple[str, ...]) -> int | None:
    for part in reversed(path[:-1]):
        if match := re.search(r"(\d{1,10})$", part):
            return int(match[1])
    return int(path[-1]) if path[-1].isdecimal() else None


def _decimals(value: Decimal | int) -> int:
    exponent = value.as_tuple().exponent if isinstance(value, Decimal) else 0
    return max(0, -exponent) if isinstance(exponent, int) else 0


def agrees(
    value: float, decimals: int, line_value: float, line_decimals: int, *, loose: bool = False
) -> bool:
    """Whether two prints can be one number: equal at the coarser print; `loose`: one unit off."""
    unit = 10.0 ** -min(decimals, line_decimals)
    return abs(value - line_value) <= unit * (1.0001 if loose else 0.5001)
