"""Tensors outside any module that are updated by hand: gradients of val losses reach them in whatever form."""

from __future__ import annotations

import pytest

from tests.static import scripts
from tests.static.test_order import kinds, look

LATE = """
def evaluate(s, net, val):
    total, count = 0.0, 0
    MADE
    for start in range(0, val.numel() - 1, s.seq):
        part = val[start : start + s.seq + 1].long()
        x, y = part[:-1][None], part[1:]
        out = net.logits(x)[0] + net.embed(x)[0] @ flat[0]
        GRADIENT
        with torch.no_grad():
            CHANGED
            out = net.logits(x)[0] + net.embed(x)[0] @ flat[0]
            total += F.cross_entropy(out, y, reduction="sum").item()
        count += y.numel()
    return total / count, (val > 0).sum().item()
"""
FIRST = LATE.replace(
    "        GRADIENT\n",
    '        total += F.cross_entropy(out, y, reduction="sum").item()\n        GRADIENT\n',
).replace(
    """            out = net.logits(x)[0] + net.embed(x)[0] @ flat[0]
            total += F.cross_entropy(out, y, reduction="sum").item()
""",
    "",
)
MADE = {
    "many": "flat = [torch.zeros(64, 1024).requires_grad_() for _ in range(4)]",
    "asked for": "flat = [torch.zeros(64, 1024).requires_grad_(True) for _ in range(4)]",
    "one": "flat = [torch.zeros(64, 1024, requires_grad=True)]",
    "grown": "flat = []\n    for _ in range(4):\n        flat.append(torch.zeros(64, 1024))\n"
    "    flat = [w.requires_grad_() for w in flat]",
    "parameter": "flat = [nn.Parameter(torch.zeros(64, 1024))]",
}
GRAD = "grads = torch.autograd.grad(F.cross_entropy(out, y), flat)"
BACK = "F.cross_entropy(out, y).backward()"
CHANGED = {
    "copied": (GRAD, "for w, g in zip(flat, grads):\n                w.data.copy_(w - 0.1 * g)"),
    "in place": (GRAD, "for w, g in zip(flat, grads):\n                w.sub_(0.1 * g)"),
    "new tensors": (GRAD, "flat = [(w - 0.1 * g).requires_grad_() for w, g in zip(flat, grads)]"),
    "all at once": (GRAD, "torch._foreach_add_(flat, grads, alpha=-0.1)"),
    "by number": (
        GRAD,
        "for i in range(len(flat)):\n                flat[i] = (flat[i] - 0.1 * grads[i]).requires_grad_()",
    ),
    "other data": (GRAD, "for w, g in zip(flat, grads):\n                w.data = w.data - 0.1 * g"),
    "the gradient that waits": (BACK, "for w in flat:\n                w -= 0.1 * w.grad"),
    "the gradient that waits, copied": (BACK, "for w in flat:\n                w.copy_(w - 0.1 * w.grad)"),
}


def script(body: str, made: str, changed: str) -> str:
    gradient, change = CHANGED[changed]
    body = body.replace("MADE", MADE[made]).replace("GRADIENT", gradient).replace("CHANGED", change)
    return scripts.script(body)


@pytest.mark.parametrize("made", MADE)
@pytest.mark.parametrize("changed", CHANGED)
def test_an_update_by_hand_before_the_score_is_found(made: str, changed: str) -> None:
    found = kinds(look(script(LATE, made, changed)), "certain")
    assert found & {"multi_pass_rescore", "train_on_val_before_score"}


@pytest.mark.parametrize("made", MADE)
@pytest.mark.parametrize("changed", CHANGED)
def test_an_update_by_hand_after_the_score_is_none(made: str, changed: str) -> None:
    found = look(script(FIRST, made, changed))
    assert found.score_followed
    assert kinds(found) == set()
    assert found.updates
