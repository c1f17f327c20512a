"""Small models in the forms that submissions have: logits, a loss only, a flattened head, a head that is no linear map."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

VOCAB, WIDTH = 96, 24


class Body(nn.Module):
    """Embedding, one causal attention layer, a softcapped head."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.embed = nn.Embedding(VOCAB, WIDTH)
        self.mix = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.head = nn.Linear(WIDTH, VOCAB, bias=False)

    def hidden(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.embed(ids)
        q, k, v = self.mix(x).chunk(3, -1)
        return x + F.scaled_dot_product_attention(q, k, v, is_causal=True)

    def scores(self, hidden: torch.Tensor) -> torch.Tensor:
        return 30 * torch.tanh(self.head(hidden) / 30)


class GivesLogits(Body):
    """forward(ids) -> logits."""

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.scores(self.hidden(ids))


class GivesLoss(Body):
    """forward(ids, targets) -> mean loss, as the challenge's baseline; its head sees flattened positions."""

    def forward(self, ids: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        logits = self.scores(self.hidden(ids).flatten(0, 1))
        return F.cross_entropy(logits, targets.reshape(-1))


class ScalesLoss(GivesLoss):
    """Does more with its loss than to return it."""

    def forward(self, ids: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return 0.5 * super().forward(ids, targets)


class HasForwardLogits(GivesLoss):
    """A loss in forward, and logits from a method of their own; the head is a plain product."""

    def forward_logits(self, ids: torch.Tensor) -> torch.Tensor:
        return self.hidden(ids) @ self.head.weight.t()


class GivesBoth(Body):
    """forward(ids, targets=None) -> (logits, loss)."""

    def forward(
        self, ids: torch.Tensor, targets: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        logits = self.scores(self.hidden(ids))
        loss = None if targets is None else F.cross_entropy(logits.flatten(0, 1), targets.flatten())
        return logits, loss


class MixesPositions(Body):
    """Its head is followed by something that looks at other positions: a shortened head would be wrong."""

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        logits = self.scores(self.hidden(ids))
        return logits + logits.cumsum(1) * 0.1


class SlicesBanks(Body):
    """Hands slices of one big parameter to its layers: views that ask for gradients even in inference mode."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)
        self.bank = nn.Parameter(torch.randn(2, WIDTH, WIDTH))
        self.layer = _Product()

    def hidden(self, ids: torch.Tensor) -> torch.Tensor:
        return self.layer(super().hidden(ids), self.bank[1])

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.scores(self.hidden(ids))


class _Product(nn.Module):
    def forward(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return x @ weight


class GivesNothing(Body):
    """No logits, no cross entropy."""

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.hidden(ids).mean()


class TakesReduction(Body):
    """Trains on a mean computed by hand; gives the loss of each position where that is asked for."""

    def forward(self, ids: torch.Tensor, targets: torch.Tensor, reduction: str = "mean") -> torch.Tensor:
        logits = self.scores(self.hidden(ids).flatten(0, 1))
        if reduction == "none":
            return F.cross_entropy(logits, targets.reshape(-1), reduction="none").reshape(ids.shape)
        return (logits.logsumexp(-1) - logits.gather(1, targets.reshape(-1, 1)).squeeze(1)).mean()
