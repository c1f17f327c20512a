"""Does the README add up: means of its seed tables, shares of one thing told twice, counts beside their percentages."""

from __future__ import annotations

import dataclasses
import re
import statistics
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from harness.case import Evidence, Submission
from harness.witnesses.claims.papers import read_text

_NUMBER = re.compile(r"[-+]?\d{1,3}(?:,\d{3})+(?:\.\d+)?|[-+]?\d+(?:\.\d+)?")
_SEED = re.compile(r"(?i)^(?:seed\s*)?(\d{1,10})$")
_MEAN = re.compile(r"(?i)^(?:\d[- ]seed )?(?:mean|avg\.?|average)(?: \([^)]{0,20}\))?$")
_SHARE = re.compile(
    r"(?i)(?P<about>[~≈])?(?P<share>\d{1,2}(?:\.\d{1,3})?)\s?% of (?:the |all )?(?P<what>[a-z][a-z-]{2,20})\s?"
    r"\((?P<over>loss (?:>|over|above) \d{1,3}(?:\.\d{1,3})?)[^)]{0,40}\)"
)
_THRESHOLD = re.compile(r"^(?:loss )?(?:>|over|above) ?(\d{1,3}(?:\.\d{1,3})?)$")
_SCALED = re.compile(r"(?i)^~?(\d{1,3}(?:,\d{3})*(?:\.\d+)?)\s?([kmb])?$")
_UNIT = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9}
_HEADLINE = re.compile(
    r"(?i)bpb\b[^\d\n]{0,20}(\d\.\d{4,8})[*`]{0,3}\s?\((?:[^()\n]{0,60}, ?)?(?:\d|three|five)[- ]seed (?:mean|average)\b"
)
_MOST_LINES = 5_000


@dataclasses.dataclass(frozen=True)
class Slip:
    """One place where the README contradicts itself: `kind` is "mean", "headline", "share" or "count"; `said` says what, in
    words; `by` is how much a mean or headline is off, in the column's unit, None for the others."""

    kind: str
    said: str
    evidence: tuple[Evidence, ...]
    by: float | None = None


@dataclasses.dataclass(frozen=True)
class _Table:
    name: str
    head: list[str]
    rows: list[tuple[int, list[str], str]]


@dataclasses.dataclass(frozen=True)
class _Share:
    over: float
    what: str
    percent: float
    unit: float
    evidence: Evidence


def slips(submission: Submission) -> tuple[Slip, ...]:
    """What does not add up in the READMEs at the top of the folder. Figures said to be approximate are left alone."""
    found: list[Slip] = []
    for name, lines in _readmes(submission):
        tables = list(_tables(name, lines))
        for table in tables:
            found += [*_means(table), *_counts(table)]
        found += _headlines(name, lines, tables)
        found += _contradictions([*_told(name, lines), *(s for t in tables for s in _tabled(t))])
    return tuple(found)


@dataclasses.dataclass(frozen=True)
class SeedTable:
    """A table of a README whose rows are seeds: column titles in small letters; (line, seed, cells, text) of each row."""

    name: str
    head: list[str]
    rows: list[tuple[int, int, list[str], str]]


def seed_tables(submission: Submission) -> Iterator[SeedTable]:
    """The tables of seeds in the READMEs at the top of the folder, emphasis taken off."""
    for name, lines in _readmes(submission):
        for table in _tables(name, lines):
            rows = [
                (number, int(seed[1]), cells, text)
                for number, cells, text in table.rows
                if cells and (seed := _SEED.match(cells[0])) is not None
            ]
            if rows and "seed" in table.head[0]:
                yield SeedTable(name, table.head, rows)


def _readmes(submission: Submission) -> Iterator[tuple[str, list[str]]]:
    """(name, lines) of each README at the top of the folder."""
    for name in sorted(submission.files):
        if "/" not in name and PurePosixPath(name).name.lower().startswith("readme"):
            yield name, [line[:2_000] for line in read_text(submission, name).split("\n")[:_MOST_LINES]]


def _tables(name: str, lines: Sequence[str]) -> Iterator[_Table]:
    """The Markdown tables, emphasis taken off."""
    number = 0
    while number + 1 < len(lines):
        if lines[number].lstrip().startswith("|") and re.fullmatch(r"[\s|:\-]{3,}", lines[number + 1]):
            end = number + 2
            while end < len(lines) and lines[end].lstrip().startswith("|"):
                end += 1
            rows = [(i + 1, _cells(lines[i]), lines[i].strip()[:300]) for i in range(number + 2, end)]
            yield _Table(name, [c.lower() for c in _cells(lines[number])], rows)
            number = end
        number += 1


def _cells(line: str) -> list[str]:
    return [re.sub(r"[*`]{1,3}", "", c).strip() for c in line.strip().strip("|").split("|")]


def _means(table: _Table) -> list[Slip]:
    """Rows of means beside the rows of seeds above them."""
    found = []
    seeds: list[list[str]] = []
    for number, cells, text in table.rows:
        if cells and _SEED.match(cells[0]):
            seeds.append(cells)
        elif cells and _MEAN.match(cells[0]) and len(seeds) > 1:
            for column in range(1, len(cells)):
                off = _mean_slip(table, column, cells[column], [s[column] for s in seeds if column < len(s)])
                if off and len(seeds) == sum(column < len(s) for s in seeds):
                    found.append(Slip("mean", off[0], (Evidence(table.name, number, text),), off[1]))
            seeds = []
    return found


def _mean_slip(table: _Table, column: int, printed: str, cells: Sequence[str]) -> tuple[str, float] | None:
    """A sentence, and by how much, where the printed mean cannot be that of the cells, at the coarser of the two prints."""
    title = table.head[column] if column < len(table.head) else ""
    mean, values = _plain(printed), [_plain(c) for c in cells]
    known = [v for v in values if v is not None]
    if mean is None or len(known) < len(values) or not re.search(r"bpb|loss", title):
        return None
    true = statistics.fmean(v for v, _ in known)
    unit = max(mean[1], *(u for _, u in known))
    if abs(true - mean[0]) <= 1.01 * unit:
        return None
    said = f"the mean of {title[:60]} is printed as {printed}, that of the {len(known)} seeds above it is {true:.6g}"
    return said, abs(true - mean[0])


def _headlines(name: str, lines: Sequence[str], tables: Sequence[_Table]) -> list[Slip]:
    """A score called the mean of its seeds that is the score of one of them, and the mean of no table."""
    found = []
    for number, line in enumerate(lines, 1):
        for match in _HEADLINE.finditer(line):
            column = next((c for t in tables for c in _seed_columns(t) if match[1] in c), None)
            if column is None or any(_is_mean(match[1], c) for t in tables for c in _seed_columns(t)):
                continue
            true = statistics.fmean(float(v) for v in column)
            said = f"{match[1]} is called the mean, but is one seed's score; that of the {len(column)} seeds is {true:.6g}"
            shown = (Evidence(name, number, line.strip()[:300]),)
            found.append(Slip("headline", said, shown, abs(true - float(match[1]))))
    return found[:1]


def _seed_columns(table: _Table) -> list[list[str]]:
    """The columns of BPB of the rows that are seeds, as printed, where there are two or more."""
    rows = [cells for _, cells, _ in table.rows if cells and _SEED.match(cells[0])]
    wanted = [i for i, title in enumerate(table.head) if i and "bpb" in title]
    columns = [[r[i] for r in rows if i < len(r) and _plain(r[i]) is not None] for i in wanted]
    return [c for c in columns if len(c) > 1]


def _is_mean(printed: str, column: Sequence[str]) -> bool:
    """Whether the print is the mean of the column, at the coarser of the two prints."""
    unit = max(10.0 ** -len(v.partition(".")[2]) for v in (printed, *column))
    return abs(statistics.fmean(float(v) for v in column) - float(printed)) <= 1.01 * unit


def _plain(cell: str) -> tuple[float, float] | None:
    """(value, unit of its last digit) of a cell that holds one number and nothing else."""
    match = _NUMBER.fullmatch(cell)
    if match is None:
        return None
    text = match[0].replace(",", "")
    return float(text), 10.0 ** -len(text.partition(".")[2])


def _told(name: str, lines: Sequence[str]) -> list[_Share]:
    """Shares in running text: 4% of tokens (loss > 7.0)."""
    found = []
    for number, line in enumerate(lines, 1):
        for match in _SHARE.finditer(line):
            if match["about"]:
                continue
            over = float(_NUMBER.findall(match["over"])[-1])
            unit = 10.0 ** -len(match["share"].partition(".")[2])
            shown = Evidence(name, number, line.strip()[:300])
            found.append(_Share(over, match["what"].lower(), float(match["share"]), unit, shown))
    return found


def _tabled(table: _Table) -> list[_Share]:
    """Shares in tables whose rows are thresholds: | > 7.0 | 1.7M | 2.7% |."""
    found = []
    for number, cells, text in table.rows:
        over = _THRESHOLD.match(cells[0].lower()) if cells else None
        for title, cell in zip(table.head, cells, strict=False) if over else ():
            match = re.fullmatch(r"% of (?:total )?([a-z]+)", title)
            share = re.fullmatch(r"(\d{1,2}(?:\.\d{1,3})?)%", cell)
            if over and match and share:
                unit = 10.0 ** -len(share[1].partition(".")[2])
                shown = Evidence(table.name, number, text)
                found.append(_Share(float(over[1]), match[1], float(share[1]), unit, shown))
    return found


def _contradictions(shares: Sequence[_Share]) -> list[Slip]:
    """Shares of one thing over one threshold that cannot be one number."""
    found: list[Slip] = []
    for i, one in enumerate(shares):
        for other in shares[:i]:
            same = one.over == other.over and one.what == other.what
            if same and abs(one.percent - other.percent) > 0.51 * max(one.unit, other.unit):
                said = (
                    f"{other.percent:g} % and {one.percent:g} % are given as the share of {one.what} with a loss over "
                    f"{one.over:g}"
                )
                if all(said != s.said for s in found):
                    found.append(Slip("share", said, (other.evidence, one.evidence)))
                break
    return found


def _counts(table: _Table) -> list[Slip]:
    """Rows whose count and percentage speak of another whole than the other rows do."""
    count = next((i for i, h in enumerate(table.head) if "count" in h), None)
    share = next(
        (i for i, h in enumerate(table.head) if h.startswith("%") or h in ("share", "percent")), None
    )
    if count is None or share is None:
        return []
    wholes = []
    for number, cells, text in table.rows:
        if max(count, share) < len(cells) and (span := _whole(cells[count], cells[share])) is not None:
            wholes.append((span, Evidence(table.name, number, text), cells))
    if len(wholes) < 3:
        return []
    low = statistics.median(s[0] for s, _, _ in wholes)
    high = statistics.median(s[1] for s, _, _ in wholes)
    return [
        Slip(
            "count",
            f"{cells[count]} and {cells[share]} do not belong to the whole of the other rows",
            (shown,),
        )
        for span, shown, cells in wholes
        if span[0] > high or span[1] < low
    ]


def _whole(count: str, share: str) -> tuple[float, float] | None:
    """The least and the greatest whole of which the count can be that percentage, as both are rounded."""
    scaled, percent = _SCALED.match(count), re.fullmatch(r"(\d{1,3}(?:\.\d{1,4})?)\s?%", share)
    if not scaled or not percent or count.startswith("~") or float(percent[1]) <= 0.0:
        return None
    digits = scaled[1].replace(",", "")
    size = _UNIT[(scaled[2] or "").lower()]
    half = 0.5 * size * 10.0 ** -len(digits.partition(".")[2])
    slack = 0.5 * 10.0 ** -len(percent[1].partition(".")[2])
    part, of = float(digits) * size, float(percent[1])
    if of <= slack:
        return None
    return (part - half) / (of + slack) * 100.0, (part + half) / (of - slack) * 100.0
