"""doc_boundary_leak: a position is blended with the one before it, over the boundary between packed documents.

Merged records of March do so everywhere, #1667 and #2135 even where attention keeps documents apart, and none was faulted
for it; an organizer asked for the mask in both paths of #1797. So it is told, and asked about only where a script masks the
boundary in one path and forgets it in another.
"""

from __future__ import annotations

from harness.witnesses.static.facts import DEPENDS, Fact, Site
from harness.witnesses.static.neighbours import Mix
from harness.witnesses.static.view import View


def detect(view: View) -> list[Fact]:
    """One fact where boundaries are masked in one path and not in another."""
    masked = [mix for mix in view.mixes if mix.mask is not None]
    bare = [mix for mix in view.mixes if mix.mask is None]
    if not masked or not bare:
        return []
    first, other = bare[0], masked[0]
    return [
        Fact(
            "doc_boundary_leak",
            DEPENDS,
            f"line {first.line} blends each position with the one before it over document boundaries, which another path "
            f"of the script masks (line {other.mask})",
            (view.lines.at(other.file, other.mask or other.line), view.lines.at(first.file, first.line)),
            "whether the path without the mask makes the claimed score",
        )
    ]


def sites(view: View) -> tuple[Site, ...]:
    """Every blend with the position before, with the line of its mask where it has one."""
    return tuple(Site(words(mix), view.lines.at(mix.file, mix.mask or mix.line)) for mix in view.mixes)


def words(mix: Mix) -> str:
    """What a blend is."""
    if mix.mask is None:
        return "each position is blended with the one before it, also over document boundaries"
    return f"the blend with the position before it (line {mix.line}) stops at document boundaries"
