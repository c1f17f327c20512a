"""Since when what a rule finds has been a ruling: facts from the challenge's threads, for `--rules-as-of`.

A date is that of the first plain word of an organizer on the pattern, or of the Field Guide (issue 1017) where it was
endorsed as the criteria; `START` is the challenge's first day, for what its README always said.
"""

from __future__ import annotations

import dataclasses
import datetime

START = datetime.date(2026, 3, 18)
_GUIDE = datetime.date(2026, 3, 28)


@dataclasses.dataclass(frozen=True)
class Ruled:
    """The first day on which a pattern was ruled on, and where."""

    since: datetime.date
    source: str


_README = Ruled(START, "the challenge's README")

BY_CATEGORY = {
    "train_on_val_before_score": Ruled(datetime.date(2026, 3, 19), "#44"),
    "paid_prefix": Ruled(datetime.date(2026, 3, 20), "#168"),
    "gptq_calibration_eval_time": Ruled(datetime.date(2026, 3, 22), "#576"),
    "multi_pass_rescore": Ruled(datetime.date(2026, 3, 24), "#568"),
    "unnormalised_mixture": Ruled(datetime.date(2026, 3, 25), "#659"),
    "ngram_target_in_key": Ruled(datetime.date(2026, 3, 27), "#779"),
    "val_calibration": Ruled(datetime.date(2026, 3, 28), "#728"),
    "slot": Ruled(_GUIDE, "issue 1017; no organizer ruled on it by name"),
    "doc_boundary_leak": Ruled(datetime.date(2026, 5, 2), "#1797"),
    "target_gating": Ruled(datetime.date(2026, 5, 2), "#2041"),
    "train_val_overlap": Ruled(datetime.date(2026, 5, 2), "#2018"),
    "byte_count": _README,
    "partial_val": _README,
    "artifact_size": _README,
    "train_time": _README,
    "eval_time": _README,
    "other": _README,
    "packaging": _README,
    "significance": _README,
}
BY_RULE = {
    "C1": Ruled(_GUIDE, "issue 1017"),
    "C2": Ruled(_GUIDE, "issue 1017"),
    "C4": Ruled(_GUIDE, "issue 1017"),
}
"""For findings that name no category."""


def ruled(rule: str, category: str | None) -> Ruled:
    """Since when a finding of this rule and category has been a ruling; the README's first day where no thread is known."""
    if category in BY_CATEGORY:
        return BY_CATEGORY[category]
    return BY_RULE.get(rule, _README)
