"""Losses that are bounded, scaled or left out by their own size on the way to the claimed line."""

from __future__ import annotations

import pytest

from tests.static import scripts
from tests.static.test_order import kinds, look

SUM = "        total += net(part[:-1][None], part[1:][None]).sum()"
CALL = 'F.cross_entropy(out.flatten(0, 1).float(), targets.flatten(), reduction="none"'
BENT = "unnormalised_mixture"

SURE = (
    "nll.clamp(max=4.0).sum()",
    "nll.clamp_max(4.0).sum()",
    "torch.clamp(nll, 0, 4.0).sum()",
    "torch.minimum(nll, torch.tensor(4.0)).sum()",
    "-(-nll).clamp(min=-4.0).sum()",
    "torch.from_numpy(np.clip(nll.numpy(), 0, 5.0)).sum()",
    "min(nll.mean().item(), 3.0) * s.seq",
    "min(3.0, nll.mean().item()) * s.seq",
    "torch.minimum(torch.tensor(4.0), nll).sum()",
    "torch.min(nll, torch.tensor(4.0)).sum()",
)
DOUBTFUL = (
    "0.97 * nll.sum()",
    "nll.sum() / 1.03",
    "(nll ** 0.9).sum()",
    "(5 * torch.tanh(nll / 5)).sum()",
    "(nll - 0.02 * torch.relu(3.0 - nll)).sum()",
    "torch.nan_to_num(nll).sum()",
    "nll[nll < 6].sum()",
    "(nll * (nll < 6)).sum()",
    "torch.where(nll > 4.0, 4.0, nll).sum()",
    "nll.masked_fill(nll > 5, 0.0).sum()",
    "nll.median() * nll.numel()",
    "nll.flatten().topk(900, largest=False).values.sum()",
    "nll.view(1, 2, -1).min(1)[0].sum()",
    "torch.amin(nll.view(2, -1), 0).sum()",
)
HONEST = (
    "nll.clamp(min=0.0).sum()",
    "nll.clamp(max=40.0).sum()",
    "nll[:, -64:].sum()",
    "nll.view(2, -1).max(-1).values.sum()",
    "torch.max(nll.view(2, -1), -1)[0].sum()",
    "nll.view(1, 1, -1).amax(2).sum()",
    "nll[part[1:][None] >= 0].sum()",
    "(nll / math.log(2.0)).sum() * math.log(2.0)",
    "-(0.7 * torch.exp(-nll) + 0.3 * torch.exp(-net(part[:-1][None], part[1:][None]))).log().sum()",
)


def scored(expression: str) -> str:
    """A script whose scored sum is made in this way from the losses `nll` of a window."""
    return scripts.script(
        scripts.PLAIN.replace(
            SUM, f"        nll = net(part[:-1][None], part[1:][None])\n        total += {expression}"
        )
    )


@pytest.mark.parametrize("expression", SURE)
def test_a_bound_on_the_scored_losses_is_certain(expression: str) -> None:
    assert kinds(look(scored(expression))) == {BENT}


@pytest.mark.parametrize("expression", DOUBTFUL)
def test_other_bends_are_questions(expression: str) -> None:
    facts = look(scored(expression))
    assert (kinds(facts), kinds(facts, "depends")) == (set(), {BENT})


@pytest.mark.parametrize("expression", HONEST)
def test_what_keeps_the_sum_is_none(expression: str) -> None:
    assert look(scored(expression)).facts == ()


def test_losses_overwritten_where_they_are_high() -> None:
    body = scored("nll.sum()").replace(
        "        total += nll", "        nll[nll > 5] = 5.0\n        total += nll"
    )
    assert kinds(look(body), "depends") == {BENT}


def test_bounds_on_what_is_trained_on_and_on_a_perplexity_are_none() -> None:
    trained = scripts.SCORE_FIRST.replace("net(x, y).mean()", "net(x, y).clamp(max=4.0).mean() * 0.9")
    assert look(scripts.script(trained)).facts == ()
    tail = scripts.TAIL.replace("val_loss:", "ppl:{math.exp(min(loss, 10.0)):.2f} val_loss:")
    assert look(scripts.script(scripts.PLAIN, tail=tail)).facts == ()


@pytest.mark.parametrize(
    ("more", "certainty"),
    [
        ("label_smoothing=-0.1", "certain"),
        ("weight=self.head.weight[:, 0]", "depends"),
        ("ignore_index=17", "depends"),
    ],
)
def test_arguments_of_the_claimed_cross_entropy(more: str, certainty: str) -> None:
    facts = look(scripts.script(scripts.PLAIN).replace(CALL, f"{CALL}, {more}"))
    assert kinds(facts, certainty) == {BENT}


@pytest.mark.parametrize("more", ["label_smoothing=0.0", "ignore_index=-100", "weight=None"])
def test_arguments_that_change_nothing(more: str) -> None:
    assert look(scripts.script(scripts.PLAIN).replace(CALL, f"{CALL}, {more}")).facts == ()


RETURNED = "    return total.item() / count, (val > 0).sum().item()\n"


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        ("dist.all_reduce(total, op=dist.ReduceOp.MIN)", True),
        ("dist.all_reduce(total, dist.ReduceOp.MIN)", True),
        ("dist.all_reduce(total, op=dist.ReduceOp.SUM)", False),
        ("dist.all_reduce(total)", False),
    ],
)
def test_the_least_of_the_processes_numbers_is_no_sum(line: str, asked: bool) -> None:
    body = scripts.PLAIN.replace(RETURNED, f"    import torch.distributed as dist\n    {line}\n{RETURNED}")
    assert line in body
    facts = look(scripts.script(body))
    assert (kinds(facts), kinds(facts, "depends")) == (set(), {BENT} if asked else set())


@pytest.mark.parametrize(
    ("held", "asked"),
    [(".clamp(max=14.0)", True), (".clamp_max(14.0)", True), ("", False), (".clamp(min=0.0)", False)],
)
def test_a_normalizer_that_is_held_down_normalizes_nothing(held: str, asked: bool) -> None:
    plain = 'return F.cross_entropy(out.flatten(0, 1).float(), targets.flatten(), reduction="none")'
    own = (
        f"out = out.flatten(0, 1).float()\n        top = out.logsumexp(-1){held}\n"
        "        return top - out.gather(-1, targets.flatten()[:, None])[:, 0]"
    )
    script = scripts.script(scripts.PLAIN)
    assert plain in script
    facts = look(script.replace(plain, own))
    assert (kinds(facts), kinds(facts, "depends")) == (set(), {BENT} if asked else set())


COUNTED = """
def evaluate(s, net, val, table):
    nats, tokens, size = torch.zeros(()), torch.zeros(()), torch.zeros(())
    for start in range(0, val.numel() - 1, s.seq):
        part = val[start : start + s.seq + 1].long()
        nats += net(part[:-1][None], part[1:][None]).sum()
        tokens += part.numel() - 1
        size += table[part[1:]].sum()
    CHANGED
    return (nats / tokens).item(), (nats / math.log(2) / size).item()
"""


@pytest.mark.parametrize(
    ("changed", "asked"),
    [
        ("size = size * 1.02", True),
        ("size *= 1.02", True),
        ("size = size / 0.98", True),
        ("size = torch.maximum(size, 2.5 * tokens)", True),
        ("size = max(size, tokens * 2.5)", True),
        ("pass", False),
        ("size = size * 1.0", False),
        ("told = size / 1e6", False),
        ("size = torch.clamp(size, min=1.0)", False),
        ("size = max(size, 1.0)", False),
    ],
)
def test_bytes_that_a_constant_moves(changed: str, asked: bool) -> None:
    tail = scripts.TAIL.replace("evaluate(s, net, val)", "evaluate(s, net, val, torch.ones(1024))")
    tail = tail.replace("{loss / math.log(2) / size:.4f}", "{size:.4f}")
    facts = look(scripts.script(COUNTED.replace("CHANGED", changed), tail=tail))
    assert (kinds(facts), kinds(facts, "depends")) == (set(), {"byte_count"} if asked else set())
