"""Updates and losses that are reached through torch: an optimizer that calls a closure, an operator of the script's own."""

from __future__ import annotations

import pytest

from tests.static import scripts
from tests.static.test_order import kinds, look

CLOSURE = scripts.SLOT.replace(
    """        opt = torch.optim.AdamW([shift], lr=1e-2)
        for _ in range(8):
            opt.zero_grad()
            F.cross_entropy((out + shift).flatten(0, 1), y.flatten()).backward()
            opt.step()
""",
    """        opt = torch.optim.LBFGS([shift], lr=1e-1)

        def again():
            opt.zero_grad()
            miss = F.cross_entropy((out + shift).flatten(0, 1), y.flatten())
            miss.backward()
            return miss

        for _ in range(8):
            opt.step({given})
""",
)

OPERATOR = """
import triton
import triton.language as tl

PLACE = "ours"

@triton.jit
def rows(scores, wanted, out, width: tl.constexpr):
    row = tl.program_id(0)
    there = tl.load(scores + row * width + tl.load(wanted + row))
    tl.store(out + row, -there)

@torch.library.custom_op(f"{PLACE}::{name}", mutates_args=())
def by_rows(scores: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    out = torch.empty((scores.shape[0],), dtype=torch.float32)
    rows[(scores.shape[0],)](scores, wanted, out, scores.shape[1])
    return out

@by_rows.register_fake
def _(scores, wanted):
    return scores.new_empty((scores.shape[0],))

class Fused(Net):
    def forward(self, ids, targets):
        return torch.ops.ours.{name}(self.logits(ids).flatten(0, 1), targets.flatten())

"""


@pytest.mark.parametrize("given", ["again", "closure=again"])
def test_an_optimizer_calls_the_closure_that_it_steps_with(given: str) -> None:
    assert kinds(look(scripts.script(CLOSURE.replace("{given}", given)))) == {"slot"}


@pytest.mark.parametrize("name", ["soft_ce", "soft_ce.default"])
def test_an_operator_of_the_scripts_own_trains_as_its_body_says(name: str) -> None:
    bare = name.partition(".")[0]
    fused = OPERATOR.replace("{PLACE}::{name}", f"{{PLACE}}::{bare}").replace("{name}", name)
    source = scripts.script(fused + scripts.BEFORE).replace("net = Net(", "net = Fused(")
    assert "train_on_val_before_score" in kinds(look(source))


def test_an_operator_of_the_scripts_own_is_legal_after_the_score() -> None:
    fused = OPERATOR.replace("{name}", "soft_ce")
    found = look(scripts.script(fused + scripts.SCORE_FIRST).replace("net = Net(", "net = Fused("))
    assert kinds(found) == set()
    assert found.updates


LISTED = (
    scripts.TARGET_IN_KEY.replace(
        "    total, count",
        """    contexts = [context_counts for _ in range(s.epochs)]
    pairs = [pair_counts for _ in range(s.epochs)]
    stored = torch.load("counts.pt")
    for order in range(s.epochs):
        if f"pairs{order}" in stored:
            contexts[order] = stored[f"contexts{order}"].numpy().copy()
            pairs[order] = stored[f"pairs{order}"].numpy().copy()
    total, count""",
        1,
    )
    .replace("pair_counts[key]", "pairs[start % s.epochs][key]")
    .replace("context_counts[context]", "contexts[start % s.epochs][context]")
    .replace("at(context_counts", "at(contexts[start % s.epochs]")
    .replace("at(pair_counts", "at(pairs[start % s.epochs]")
)


def test_a_table_in_a_list_stays_one_where_a_stored_table_may_take_its_place() -> None:
    assert "ngram_target_in_key" in kinds(look(scripts.script(LISTED)))


@pytest.mark.parametrize("weights", ["[net.head.weight]", "[net.head.weight, net.embed.weight]"])
def test_gradients_are_as_many_as_what_they_are_taken_of(weights: str) -> None:
    """A zip of two weights with a single gradient left the update out."""
    before = scripts.SCORE_FIRST
    body = f"""def evaluate(s, net, val):
    total, count = torch.zeros(()), 0
    for start in range(0, val.numel() - 1, s.seq):
        part = val[start : start + s.seq + 1].long()
        x, y = part[:-1][None], part[1:][None]
        weights = {weights}
        gradients = torch.autograd.grad(net(x, y).mean(), weights)
        with torch.no_grad():
            for w, g in zip(weights, gradients):
                w.sub_(g, alpha=1e-3)
            total += net(x, y).sum()
        count += y.numel()
    return total.item() / count, (val > 0).sum().item()
"""
    facts = look(scripts.script(before[: before.index("def evaluate")] + body))
    assert kinds(facts) == {"train_on_val_before_score"}
