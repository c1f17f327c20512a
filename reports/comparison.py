"""A comparison of two audits on a terminal: what differs first, then the code. Markup is never parsed."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.case import Verdict
from harness.compare import Comparison, Pair
from reports import words
from reports.terminal import TONE
from reports.text import clip

_DIFF = {"+": "green", "-": "red", "@": "cyan"}


def print_comparison(found: Comparison, lines: int, console: Console) -> None:
    """Print it, with so many lines of the code's difference at most."""
    console.print(render(found, lines))


def render(found: Comparison, lines: int) -> RenderableType:
    """The comparison, to be printed by a rich console."""
    parts: list[RenderableType] = [_head(found), Text()]
    same = [p.name for p in found.rules if not p.differs]
    parts.append(_table("Rules", [p for p in found.rules if p.differs], rules=True))
    if same:
        parts.append(Text(f"the same: {', '.join(same)}", style="dim"))
    for title, pairs in (
        ("Categories", [found.categories] if found.categories.differs else []),
        ("Scores", found.scores),
        ("Claimed settings that differ", found.settings),
        ("Events", [p for p in found.events if p.differs]),
    ):
        if pairs:
            parts += [Text(), _table(title, pairs)]
    return Group(*parts, Text(), *_code(found, lines))


def _head(found: Comparison) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for side, result in (("A", found.left), ("B", found.right)):
        table.add_row(
            Text(side, style="bold"),
            _verdict(result.verdict),
            Group(Text(clip(result.name, 120), style="bold"), Text(clip(result.why, 500))),
        )
    return table


def _verdict(verdict: Verdict) -> Text:
    return Text(f" {verdict.value} ", style=f"bold reverse {TONE[verdict]}")


def _table(title: str, pairs: Sequence[Pair], *, rules: bool = False) -> RenderableType:
    if not pairs:
        return Text(f"{title}: no difference", style="bold")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim", title_justify="left")
    for column in (title, "A", "B"):
        table.add_column(column, overflow="fold")
    for pair in pairs:
        name = f"{pair.name} {words.title(pair.name)}" if rules else pair.name
        table.add_row(
            *(
                Text(clip(text, 160))
                for text in (name, pair.left or words.MISSING, pair.right or words.MISSING)
            )
        )
    return table


def _code(found: Comparison, most: int) -> list[Text]:
    if found.code is None:
        return [
            Text("Code: not compared; the JSON of an audit does not hold it. Name the scripts.", style="dim")
        ]
    if not found.code:
        return [Text("Code: the same, line for line", style="bold")]
    shown = [Text(clip(line, 200), style=_DIFF.get(line[:1], "")) for line in found.code[:most]]
    left = len(found.code) - len(shown)
    more = [Text(f"and {words.plural(left, 'line')} more (--lines)", style="dim")] if left else []
    return [Text("Code, unpacked", style="bold"), *shown, *more]
