"""Picks by a loss on val: settings and weights that it chooses, scores and shares of a sum that are kept for being low."""

from __future__ import annotations

import pytest

from tests.static import scripts
from tests.static.test_order import kinds, look

SCORED = "    loss, size = evaluate(s, net, val)\n"
WARM = scripts.script(scripts.PLAIN).replace("return self.head(x)", "return self.head(x) / self.warmth")
WARM = WARM.replace("        self.head = nn", "        self.warmth = 1.0\n        self.head = nn")
GRID = "    GATHER\n    for warmth in (0.9, 0.95, 1.0, 1.05, 1.1):\n        net.warmth = warmth\n        EACH\n    PICK\n"

SETTINGS = {
    "sorted keys": (
        "tried = {}",
        "tried[evaluate(s, net, val)[0]] = warmth",
        "net.warmth = tried[sorted(tried)[0]]",
    ),
    "least key": ("tried = {}", "tried[evaluate(s, net, val)[0]] = warmth", "net.warmth = tried[min(tried)]"),
    "least pair": (
        "tried = []",
        "tried.append((evaluate(s, net, val)[0], warmth))",
        "net.warmth = min(tried)[1]",
    ),
    "least by key": (
        "tried = {}",
        "tried[warmth] = evaluate(s, net, val)[0]",
        "net.warmth = min(tried, key=tried.get)",
    ),
    "least by function": (
        "tried = []",
        "tried.append({'loss': evaluate(s, net, val)[0], 'warmth': warmth})",
        "net.warmth = min(tried, key=lambda one: one['loss'])['warmth']",
    ),
    "sorted in place": (
        "tried = []",
        "tried.append((evaluate(s, net, val)[0], warmth))",
        "tried.sort(); net.warmth = tried[0][1]",
    ),
    "taken off": (
        "tried = []",
        "tried.append((evaluate(s, net, val)[0], warmth))",
        "net.warmth = sorted(tried).pop(0)[1]",
    ),
    "place of the least": (
        "tried, grid = [], [0.9, 0.95, 1.0, 1.05, 1.1]",
        "tried.append(evaluate(s, net, val)[0])",
        "net.warmth = grid[tried.index(min(tried))]",
    ),
    "argmin": (
        "tried, grid = [], [0.9, 0.95, 1.0, 1.05, 1.1]",
        "tried.append(evaluate(s, net, val)[0])",
        "net.warmth = grid[int(np.argmin(tried))]",
    ),
}


def grid(gather: str, each: str, pick: str) -> str:
    """The warm script with a search before its claimed evaluation."""
    search = GRID.replace("GATHER", gather).replace("EACH", each).replace("PICK", pick)
    return WARM.replace(SCORED, search + SCORED)


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_that_losses_of_val_choose_is_a_question(name: str) -> None:
    facts = look(grid(*SETTINGS[name]))
    assert (kinds(facts), kinds(facts, "depends")) == (set(), {"val_calibration"})
    assert facts.facts[0].unreached


@pytest.mark.parametrize(
    "pick",
    [
        "print('tried', sorted(tried)[0])",
        "net.warmth = 1.0; print('best', min(tried))",
        "net.warmth = sorted([0.9, 1.0])[0]",
    ],
)
def test_what_is_only_told_is_none(pick: str) -> None:
    assert look(grid("tried = []", "tried.append(evaluate(s, net, val)[0])", pick)).facts == ()


def test_a_setting_chosen_on_training_tokens_is_none() -> None:
    train = "evaluate(s, net, read_all(s.train_files))[0]"
    facts = look(grid("tried = {}", f"tried[{train}] = warmth", "net.warmth = tried[min(tried)]"))
    assert "val_calibration" not in kinds(facts) | kinds(facts, "depends")


@pytest.mark.parametrize(
    "pick", ["sorted(found)[0]", "min(found)", "sorted(found, key=lambda one: one[0])[0]", "found[0]"]
)
def test_the_lowest_of_several_scores_is_a_question(pick: str) -> None:
    several = (
        "    found = []\n    for warmth in (0.9, 0.95, 1.0, 1.05, 1.1):\n        net.warmth = warmth\n"
        f"        found.append(evaluate(s, net, val))\n    loss, size = {pick}\n"
    )
    facts = look(WARM.replace(SCORED, several))
    assert kinds(facts) == set()
    assert ("multi_pass_rescore" in kinds(facts, "depends")) == (pick != "found[0]")


SEEN = """
@torch.no_grad()
def evaluate(s, net, val):
    seen, count = [], 0
    for start in range(0, val.numel() - 1, s.seq):
        part = val[start : start + s.seq + 1].long()
        seen.append(net(part[:-1][None], part[1:][None]).sum().item())
        count += part.numel() - 1
    REST
    return sum(KEPT) / count, (val > 0).sum().item()
"""


@pytest.mark.parametrize(
    ("rest", "kept", "asked"),
    [
        ("seen.sort()", "seen[: int(0.999 * len(seen))]", True),
        ("pass", "sorted(seen)[:-2]", True),
        ("pass", "sorted(seen, reverse=True)[5:]", True),
        ("seen.sort()", "seen", False),
        ("seen.sort(); print('median', seen[len(seen) // 2])", "seen", False),
        ("print('worst', sorted(seen)[-5:])", "seen", False),
    ],
)
def test_a_sum_that_leaves_the_worst_out_is_a_question(rest: str, kept: str, asked: bool) -> None:
    facts = look(scripts.script(SEEN.replace("REST", rest).replace("KEPT", kept)))
    assert (kinds(facts), kinds(facts, "depends")) == (set(), {"partial_val"} if asked else set())


def test_the_better_of_two_averages_is_a_question() -> None:
    average = (
        "    best, kept = float('inf'), {n: t.detach().clone() for n, t in net.state_dict().items()}\n"
        "    net.load_state_dict({n: t * 0.99 for n, t in net.state_dict().items()})\n"
        "    seen, _ = evaluate(s, net, val)\n"
        "    if seen < best:\n"
        "        best = seen\n"
        "        kept = {n: t.detach().clone() for n, t in net.state_dict().items()}\n"
        "    net.load_state_dict(kept)\n"
    )
    facts = look(scripts.script(scripts.PLAIN).replace(SCORED, average + SCORED))
    assert (kinds(facts), kinds(facts, "depends")) == (set(), {"val_calibration"})
