"""What was claimed beside what was measured: the windows of the evaluation, its passes, the score and its tolerance."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import stats

from harness.case import Claim, Submission
from harness.witnesses.claims.log import Log, ScoreLine
from harness.witnesses.claims.papers import read_logs
from harness.witnesses.rerun.facts import Claimed, Measured, Outcome, OwnPass
from harness.witnesses.rerun.passes import Pass
from harness.witnesses.rerun.process import Place
from harness.witnesses.rerun.settings import Settings
from harness.worlds.fineweb import OfficialData
from harness.worlds.scale_source import numbers

USUAL_TOLERANCE = 0.002
"""BPB: the seeds of merged records differ by 0.0005 to 0.001 (standard deviation); two of the larger."""
LEAST_TOLERANCE = 0.001
"""BPB that kernels and versions move, even where the claimed seeds happen to agree."""
LENGTHS = ("eval_seq_len", "train_seq_len", "seq_len", "sequence_length", "sequence_len", "seqlen")
STRIDES = ("eval_stride", "sliding_window_stride", "sliding_eval_stride", "stride")


def windows(place: Place, settings: Settings) -> tuple[int, int]:
    """(length, stride) as given, else as claimed: the settings of the evaluation that the run had."""
    scale = place.scale()
    source = scale.source if scale else place.script.runnable
    found = numbers(source, place.claim.environment() | (dict(scale.env) if scale else {}))

    def first(names: tuple[str, ...], default: int) -> int:
        known = [int(n.value) for name in names for n in found if n.name == name and n.value > 0]
        return known[0] if known else default

    length = settings.length or first(LENGTHS, 1024)
    return length, min(settings.stride or first(STRIDES, length), length)


def read_pass(found: Pass, log: Log | None, line: ScoreLine | None) -> tuple[Pass, ScoreLine | None, bool]:
    """(the pass as its printed loss reads it, the line printed of it, whether that is the claimed one: `line`)."""
    texts = {text.strip()[:300] for text in found.lines}
    said = [s for s in log.scores if s.text in texts] if log else []
    claimed = line is not None and line in said
    printed = line if claimed else max(said, key=lambda s: s.decimals, default=None)
    return found.read_as(printed.loss if printed else None), printed, claimed


def own_pass(
    found: Pass,
    data: OfficialData,
    printed: ScoreLine | None,
    earlier: npt.NDArray[np.bool_],
    *,
    claimed: bool,
) -> OwnPass:
    """A pass of the script's evaluation as seen, beside what the script printed of it; `earlier` [targets] says which
    positions the passes before it trained on.
    """
    seen = ~np.isnan(found.losses)
    nats = float(np.sum(found.losses[seen], dtype=np.float64))
    spelled = int(data.target_bytes()[seen].sum())
    return OwnPass(
        line=printed.text if printed else found.lines[0].strip()[:300],
        claimed=claimed,
        positions=found.seen,
        loss=nats / found.seen if found.seen else None,
        bpb=nats / math.log(2.0) / spelled if spelled else None,
        printed_loss=printed.loss if printed else None,
        printed_bpb=printed.bpb if printed else None,
        score_calls=found.score_calls,
        train_calls=found.train_calls,
        steps=found.steps,
        trained_before=found.trained_before,
        seconds=found.seconds,
        trained_earlier=int((seen & earlier).sum()),
        coarse=found.coarse,
    )


def claimed_beside(
    place: Place, outcome: Outcome, measured: Sequence[Measured], *, adapts: bool, comparable: bool
) -> Claimed:
    """The claimed score beside ours; where the evaluation adapts the model, beside the script's own of this run."""
    ours = next((m.bpb for m in measured if m.weights == "decoded" and not adapts), None)
    source = (
        "our sliding windows on the decoded weights" if ours else "the script's own evaluation in this run"
    )
    tolerance, told = _tolerance(place.submission, place.claim)
    return Claimed(
        bpb=place.claim.claimed_bpb,
        measured=ours if ours is not None else outcome.bpb,
        source=source,
        tolerance=tolerance,
        tolerance_from=told,
        comparable=comparable,
    )


def _tolerance(submission: Submission, claim: Claim) -> tuple[float, str]:
    """Where one more run falls with a chance of 95 %, given the claimed seeds (Student's t); else the usual tolerance."""
    logs = read_logs(submission) if claim.label else []
    scores = [[s.bpb for s in log.scores if s.label == claim.label][-1:] for log in logs]
    values = sorted({v for found in scores for v in found})
    if len(values) >= 3:
        count = len(values)
        spread = float(stats.t.ppf(0.975, count - 1)) * statistics.stdev(values) * math.sqrt(1 + 1 / count)
        return max(spread, LEAST_TOLERANCE), f"95 % of one more run, from {count} claimed seeds"
    return USUAL_TOLERANCE, "usual: two standard deviations of merged records"
