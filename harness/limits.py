"""The thresholds that rules hold numbers against: the challenge's, unless the host's policy names others."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Limits:
    """Artifact in bytes, training and evaluation in seconds, significance in nats per token at a p-value (README of the
    challenge)."""

    artifact_bytes: int = 16_000_000
    train_seconds: float = 600.0
    eval_seconds: float = 600.0
    significance_nats: float = 0.005
    significance_p: float = 0.01

    @property
    def own_significance(self) -> bool:
        """Whether the host named a significance of its own, which then stands in place of the challenge's two."""
        return (self.significance_nats, self.significance_p) != (0.005, 0.01)

    def told(self, rule: str) -> str:
        """A sentence on the limits of a rule that are not the challenge's; empty where none is."""
        changed = [
            _UNITS[name].format(getattr(self, name), getattr(CHALLENGE, name))
            for name in _OF_RULE.get(rule, ())
            if getattr(self, name) != getattr(CHALLENGE, name)
        ]
        return f"By the host's policy {' and '.join(changed)}." if changed else ""


CHALLENGE = Limits()
_OF_RULE = {
    "A1": ("artifact_bytes",),
    "S1": ("significance_nats", "significance_p"),
    "D5": ("train_seconds",),
    "T1": ("train_seconds",),
    "T2": ("eval_seconds",),
    "T3": ("train_seconds",),
}
_UNITS = {
    "artifact_bytes": "an artifact has at most {:,} bytes (the challenge: {:,})",
    "train_seconds": "training takes at most {:g} s (the challenge: {:g} s)",
    "eval_seconds": "the evaluation takes at most {:g} s (the challenge: {:g} s)",
    "significance_nats": "a record is better by {:g} nats (the challenge: {:g})",
    "significance_p": "a record has p < {:g} (the challenge: {:g})",
}
