"""Operations of a model that give a position what later positions hold."""

from __future__ import annotations

import pytest

from tests.static import scripts
from tests.static.test_order import kinds, look

EMBEDDED = "        x = self.embed(ids) + self.pairs(ids)\n"

AHEAD = (
    "x = x + torch.roll(x, -1, dims=1)",
    "x = x + x.roll(-1, 1)",
    "x = x + torch.roll(x, shifts=(-1,), dims=(1,))",
    "x = x + x.flip(1).cumsum(1).flip(1)",
    "x = torch.fft.ifft(torch.fft.fft(x, dim=1) * 2, dim=1).real",
)
BEHIND = (
    "x = x + torch.roll(x, 1, dims=1)",
    "x = x + x.roll(-1, -1)",
    "x = x + x.flip(-1)",
    "later = ids.roll(-1, 1)",
)


def mixed(line: str) -> str:
    """A script whose model has one more line after its embeddings."""
    return scripts.script(scripts.PLAIN).replace(EMBEDDED, f"{EMBEDDED}        {line}\n")


@pytest.mark.parametrize("line", AHEAD)
def test_positions_that_meet_later_ones_are_a_question(line: str) -> None:
    facts = look(mixed(line))
    assert (kinds(facts), kinds(facts, "depends")) == (set(), {"target_gating"})


@pytest.mark.parametrize("line", BEHIND)
def test_shifts_to_later_positions_and_of_other_axes_are_none(line: str) -> None:
    assert look(mixed(line)).facts == ()


def test_a_recurrent_layer_of_both_directions_is_a_question() -> None:
    layer = "        self.both = nn.GRU(width, width // 2, batch_first=True, bidirectional=True)\n        self.head ="
    source = mixed("x = self.both(x)[0]").replace("        self.head =", layer)
    assert kinds(look(source), "depends") == {"target_gating"}
    assert look(source.replace(", bidirectional=True", "")).facts == ()


@pytest.mark.parametrize(
    ("arguments", "ahead"),
    [
        ("3, padding=1", True),
        ("kernel_size=5, padding=4, dilation=2", True),
        ("3, padding='same'", True),
        ("3, 1, 1", True),
        ("3, padding=2", False),  # and what hangs over is cut off
        ("3", False),
        ("1, padding=0", False),
    ],
)
def test_a_convolution_padded_on_both_sides_is_a_question(arguments: str, ahead: bool) -> None:
    layer = f"        self.near = nn.Conv1d(width, width, {arguments})\n        self.head ="
    source = mixed("x = self.near(x.transpose(1, 2)).transpose(1, 2)").replace("        self.head =", layer)
    assert kinds(look(source), "depends") == ({"target_gating"} if ahead else set())


POOLED = (
    "x = x + self.on * x.mean(1, keepdim=True)",
    "x = x + self.on * torch.mean(x, dim=-2, keepdim=True)",
    "x = x * (self.on + x.amax(dim=1, keepdim=True))",
    "x = x + self.on * F.avg_pool1d(x.transpose(1, 2), 3, 1, 1).transpose(1, 2)",
    "weight, chosen = x[..., 0].topk(x.size(1) // 4, dim=1)",
    "x = F.layer_norm(x, (x.size(1), x.size(2)))",
    "x = x + self.on * (self.mix @ x)",
    "x = x + self.on * (self.mix[: x.size(1), : x.size(1)].to(x.dtype) @ x)",
)
APART = (
    "x = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)",
    "x = x / x.std(dim=2, keepdim=True)",
    "x = F.layer_norm(x, (x.size(-1),))",
    "share = x.softmax(-1)",
    "length = max(x.size(1), 1.0)",
    "x = x + x @ self.mix",
    "x = x + torch.tril(self.mix) @ x",
    "x = x + (self.mix * self.seen) @ x",
    "told = ids.float().mean(1)",
)


MADE = "        self.head = nn.Linear(width, vocab, bias=False)\n"


def weighted(line: str) -> str:
    """The same, with weights for all pairs of positions."""
    return mixed(line).replace(MADE, MADE + "        self.mix = nn.Parameter(torch.zeros(1024, 1024))\n")


@pytest.mark.parametrize("line", POOLED)
def test_what_is_joined_over_positions_is_a_question_whatever_a_small_run_shows(line: str) -> None:
    facts = look(weighted(line))
    assert (kinds(facts), kinds(facts, "depends")) == (set(), {"target_gating"})
    assert facts.facts[0].unreached


@pytest.mark.parametrize("line", APART)
def test_what_is_joined_over_features_is_none(line: str) -> None:
    assert look(weighted(line)).facts == ()
