"""Order of scoring and updating: whether a claimed loss was computed by a state that its own tokens had updated.

Every value knows which loop iterations chose it. Two events concern different tokens when a loop that chose both was in
different iterations; they concern the same tokens when no such loop tells them apart.
"""

from __future__ import annotations

import dataclasses

from harness.witnesses.static.events import Event, Loss, Update
from harness.witnesses.static.values import HEAD, PLACE, SENT

APART, SAME, UNSURE = "apart", "same", "unsure"
OUTSIDE = "a condition that hangs on something outside the script"
GATHERED = "whether the tokens of the update are all scored before: they are gathered over several chunks"
ELSEWHERE = "where the scored tokens begin, which the code alone does not tell"
BEFORE = "whether the tokens of the update all come before those that this process scores: they end at the first of a list"


@dataclasses.dataclass(frozen=True)
class Conflict:
    """A claimed loss whose state was updated with its own tokens before."""

    loss: Loss
    update: Update
    certain: bool
    doubt: str | None
    again: bool


def compare_regions(update: Update, loss: Loss) -> str:
    """Whether an update used tokens of a loss: "same", "apart", or "unsure" (also where they end at a list's first)."""
    trained = by_loop(update.region)
    wanted = by_loop(loss.region)
    verdict = SAME
    around_update, around_loss = {step[0] for step in update.loops}, {step[0] for step in loss.loops}
    for loop in trained.keys() & wanted.keys():
        if not trained[loop] & wanted[loop]:
            return APART
        if trained[loop] != wanted[loop] and loop in around_update | around_loss:
            verdict = UNSURE
    for loop in around_update & around_loss:
        if (loop in wanted) != (loop in trained):
            verdict = UNSURE
    open_ = {HEAD, SENT} & (update.region - loss.region)
    return UNSURE if open_ or elsewhere(update, loss) else verdict


def elsewhere(update: Update, loss: Loss) -> bool:
    """Whether the tokens of a loss begin at a place that no loop chose and at which those of the update do not."""
    return any(loop == PLACE for loop, _ in loss.region - update.region)


def by_loop(region: frozenset[tuple[int, int]]) -> dict[int, set[int]]:
    """The iterations of each loop in a region."""
    found: dict[int, set[int]] = {}
    for loop, iteration in region:
        if loop != PLACE:
            found.setdefault(loop, set()).add(iteration)
    return found


def exclusive(a: Event, b: Event) -> bool:
    """Whether two events lie on different arms of the same branching."""
    ways = {number: way for number, way, _ in a.guards}
    return any(number in ways and ways[number] != way for number, way, _ in b.guards)


def doubtful(*events: Event) -> bool:
    """Whether an event hangs on something outside the script."""
    return any(outside for event in events for _, _, outside in event.guards)


def site(loss: Loss) -> tuple[int, ...]:
    """Where a loss is computed, from the loop over its tokens inwards: the lines of calls and its own."""
    lines = [*(line for _, line in loss.frames), loss.line]
    chosen = {loop for loop, _ in loss.region}
    depth = next((step[3] for step in loss.loops if step[0] in chosen), max(len(lines) - 2, 0))
    return tuple(lines[depth:])


def scored_before(
    losses: list[Loss], claimed: set[int], sites: set[tuple[int, ...]], update: Update, loss: Loss
) -> bool:
    """Whether the same places had scored the same tokens before the update, in one procedure with it.

    An evaluation that merely ran earlier (monitoring) makes no token already scored: the earlier loss must enter the
    claimed number too, or share a loop with the update. A loss beside the update in its loop that trains nothing is a
    score as well, whichever line takes it (:func:`scored_beside`). `losses` are those of val tokens.
    """
    around = {step[0] for step in update.loops}
    for earlier in losses:
        if earlier.number >= update.number:
            break
        together = earlier.number in claimed or around & {step[0] for step in earlier.loops}
        if together and site(earlier) in sites and same_tokens(earlier, loss):
            return True
    return False


def scored_beside(losses: list[Loss], trained: set[int], update: Update) -> bool:
    """Whether a loss beside the update in its loop scored its tokens before, and trains nothing."""
    around = {step[0] for step in update.loops}
    return any(
        e.number < update.number
        and e.number not in trained
        and around & {step[0] for step in e.loops} & {loop for loop, _ in e.region}
        and overlapping(e.region, update.region)
        for e in losses
    )


def sites_of(loss: Loss, losses: dict[int, Loss]) -> set[tuple[int, ...]]:
    """Where a loss and the losses it was made from are computed."""
    found: set[tuple[int, ...]] = set()
    seen: set[int] = set()
    todo = [loss]
    while todo:
        event = todo.pop()
        if event.number not in seen:
            seen.add(event.number)
            found.add(site(event))
            todo.extend(losses[n] for n in event.parents if n in losses)
    return found


def ancestors(numbers: set[int], losses: dict[int, Loss]) -> set[int]:
    """Losses and those they were made from."""
    seen: set[int] = set()
    todo = list(numbers)
    while todo:
        number = todo.pop()
        if number not in seen:
            seen.add(number)
            todo.extend(losses[number].parents if number in losses else ())
    return seen


def same_tokens(a: Loss, b: Loss) -> bool:
    """Whether two losses may be of the same tokens."""
    return overlapping(a.region, b.region)


def overlapping(a: frozenset[tuple[int, int]], b: frozenset[tuple[int, int]]) -> bool:
    """Whether no loop tells two regions apart."""
    x, y = by_loop(a), by_loop(b)
    return all(x[loop] & y[loop] for loop in x.keys() & y.keys())


def conflicts(claimed: list[Loss], losses: list[Loss], updates: dict[int, Update]) -> list[Conflict]:
    """All claimed losses that an update with their own tokens came before."""
    found: list[Conflict] = []
    by_number = {loss.number: loss for loss in losses}
    numbers = {loss.number for loss in claimed}
    trained = ancestors({n for update in updates.values() for n in update.losses}, by_number)
    on_val = [loss for loss in losses if loss.on_val]
    beside: dict[int, bool] = {}
    for loss in claimed:
        sites = sites_of(loss, by_number)
        for number in sorted(loss.updates):
            update = updates.get(number)
            if update is None or exclusive(update, loss):
                continue
            if not any(t.stream == "val" for t in update.tokens):
                continue
            relation = compare_regions(update, loss)
            if relation == APART:
                continue
            doubt = None
            if relation == UNSURE:
                doubt = (
                    BEFORE if HEAD in update.region else ELSEWHERE if elsewhere(update, loss) else GATHERED
                )
            elif doubtful(update, loss):
                doubt = OUTSIDE
            if number not in beside:
                beside[number] = scored_beside(on_val, trained, update)
            again = beside[number] or scored_before(on_val, numbers, sites, update, loss)
            found.append(Conflict(loss, update, doubt is None, doubt, again))
    return found
