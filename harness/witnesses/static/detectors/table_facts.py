"""ngram_target_in_key: a table that val tokens fill is looked up at a key that holds the token to be predicted."""

from __future__ import annotations

from harness.witnesses.static.events import Lookup, Loss
from harness.witnesses.static.facts import CERTAIN, DEPENDS, Fact
from harness.witnesses.static.values import Token
from harness.witnesses.static.view import View


def lookups_of(view: View, loss: Loss) -> list[Lookup]:
    """The table lookups that entered a loss."""
    return [
        event
        for mark in sorted(loss.marks, key=str)
        if mark[0] == "lookup" and isinstance(event := view.m.events[mark[1]], Lookup)
    ]


def ids(tokens: frozenset[Token]) -> frozenset[Token]:
    """The token ids in a key, without what is left of comparisons."""
    return frozenset(t for t in tokens if t.read >= 0)


def is_answer(token: Token, loss: Loss) -> bool:
    """Whether a token is what the loss predicts: the same slice of the stream."""
    return any(
        token.stream == t.stream and token.start is not None and token.start == t.start for t in loss.targets
    )


def answer_in_key(view: View, loss: Loss) -> tuple[Lookup, Lookup | None] | None:
    """The lookup whose key holds the answer, and the one of the context alone it is compared with."""
    found = lookups_of(view, loss)
    for lookup in found:
        key = ids(lookup.key)
        rest = frozenset(t for t in key if not is_answer(t, loss))
        if rest and rest != key:
            return lookup, None
    for inner in found:
        for outer in found:
            if ("row", outer.number) in loss.marks or outer.found:
                continue  # a row for the whole alphabet came of it, and then the answer's place in it; or its likeliest
            if ids(inner.key) and ids(inner.key) < ids(outer.key):
                return outer, inner
    return None


def detect(view: View) -> list[Fact]:
    """One fact for each place of lookup."""
    found: dict[int, Fact] = {}
    for loss in view.claimed:
        pair = answer_in_key(view, loss)
        if pair is not None and pair[0].line not in found:
            found[pair[0].line] = describe(view, loss, *pair)
    return list(found.values())


def describe(view: View, loss: Loss, outer: Lookup, inner: Lookup | None) -> Fact:
    """The sentence and the path."""
    where = view.lines.of(outer)
    doubt = view.claim.ambiguous[0] if view.claim.ambiguous else None
    against = f", against the count of the context alone at line {inner.line}" if inner is not None else ""
    return Fact(
        "ngram_target_in_key",
        CERTAIN if doubt is None else DEPENDS,
        f"a table filled with val tokens is looked up at line {where.line} by a key that holds the token to be "
        f"predicted{against}; its count enters the claimed loss at line {loss.line}",
        view.lines.path(outer, loss),
        doubt,
    )
