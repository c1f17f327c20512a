"""Probe 1: random tokens cannot be compressed, so a script that claims to have done it has seen them.

Hypothesis: the claimed line is the code length of a valid predictor. Statistic: the bits it claims for the scored tokens
of a uniformly random val stream, against n log2(V - 1). Decision: 64 bits below are proof. Learning rates and steps are
near zero, so that an honest script of whatever quality prints ln V; what adapts to val tokens keeps its rate in one run and
gets more of it in the other, and further seeds are drawn only where something shows and is not yet proved.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

import numpy as np

from harness.case import Case
from harness.witnesses.probes import bits, facts
from harness.witnesses.probes.counted import Watched, counts_once, watched
from harness.witnesses.probes.facts import Incompressibility, RandomRun
from harness.witnesses.probes.laboratory import Laboratory
from harness.witnesses.probes.printed import Line, claimed_line, lowest_loss
from harness.witnesses.probes.source import UNIFORM, Source, spare
from harness.worlds import World
from harness.worlds.scale import scale_profile
from harness.worlds.tuning import Tuning

STEPS = 4
PLAIN = Tuning("rates of training near zero", STEPS, 1e-5)
AMPLIFIED = Tuning("and rates of adaptation raised", STEPS, 1e-5, rate_factor=8.0, least_rate=0.02, repeats=8)
MORE_SEEDS = 4
WORTH_MORE = 8.0
"""Bits of evidence from which on further seeds are drawn."""
WHOLE = 0.05
"""The printed loss and BPB tell bytes per token: within this of the official figure, they are of the same tokens."""
SAME_RATIO, OTHER_RATIO = 0.0005, 0.05
"""A printed loss that is the same multiple of the watched one on all random tokens, and nearly so on text, is scaled, not
leaked. Scaling is exact to the printed digits; the share that a leak saves is not (five real ones: 0.09 to 0.13 %)."""
SAME_BYTES = 0.002
"""The same where only bits per byte are printed: the bytes of random tokens are not the same in all runs."""
SUSPICIOUS = 32.0
"""Bits of evidence from which on a person looks."""
MISCOUNT = 0.5
"""Where only bits per byte are printed, from losses that were not seen, counting bytes wrongly explains up to this much."""
DIGITS = 4
"""Decimals from which on the same number for other data is no coincidence."""
OTHER_LOSS = 0.05
"""Nats by which the watched losses of two worlds must differ for the printed ones to have to."""
NO_CODE = 0.002
"""Below this share of the bound a number is no loss of these tokens: it was divided by the size of the official set."""


def incompressibility(lab: Laboratory, *, plain: bool = False) -> Incompressibility:
    """Run the experiment on the script and weigh what it printed; where it is `plain`, rates of adaptation are not raised:
    that costs the most, and looking ahead shows without it."""
    closed = closed_to(lab.case)
    if closed is not None:
        return Incompressibility(facts.NOT_COVERED, closed)
    runs: list[RandomRun] = []
    for tuning, seed in _plan(lab.case, runs, plain):
        runs.append(one_run(lab, UNIFORM, tuning, seed))
        if runs[-1].surplus is None and tuning is PLAIN:
            break
    return judge(runs, lab.world.vocab_size, reference_of(lab))


def closed_to(case: Case) -> str | None:
    """Why the bound says nothing of this script; None where it does."""
    if case.run is not None and case.run.outcome != "scored":
        return f"The script did not reach its score: {case.run.reason}."
    if case.run is not None and case.run.world.vocab_size <= 260:
        return "The script scores bytes, and the bound is for tokens."
    static = case.static
    if static is not None and static.acausal and not static.causal:
        return "The model has no causal mask: its score may be a sampled bound, which can lie below the true loss."
    return None


def _plan(case: Case, runs: list[RandomRun], plain: bool) -> Iterator[tuple[Tuning, int]]:
    """The runs to make, decided by those before them: e-values allow to go on as long as one likes."""
    yield PLAIN, 1
    settled = runs[0].balanced and not WORTH_MORE <= total(runs) < bits.PROVED
    if not plain and _amplifies(case) and not (settled and total(runs) >= bits.PROVED):
        yield AMPLIFIED, 2
    if not settled and (len(runs) < 2 or runs[1].surplus is None):
        yield PLAIN, 2 if len(runs) < 2 else 3 + MORE_SEEDS
    for seed in range(3, 3 + MORE_SEEDS):
        if not WORTH_MORE <= total(runs) < bits.PROVED:
            return
        yield _best(runs), seed


def _amplifies(case: Case) -> bool:
    """Whether the script has a rate or number of epochs of adaptation that can be raised."""
    assert case.submission.script is not None
    source, claimed = case.submission.script.runnable, case.claim.environment()
    plain, loud = (scale_profile(source, claimed, tuning=t) for t in (PLAIN, AMPLIFIED))
    return plain.overrides != loud.overrides


def _best(runs: list[RandomRun]) -> Tuning:
    """The setting in which more showed."""
    loud = (
        len(runs) > 1
        and runs[1].setting == AMPLIFIED.name
        and (runs[1].surplus or 0.0) > (runs[0].surplus or 0.0)
    )
    return AMPLIFIED if loud else PLAIN


def total(runs: list[RandomRun], octets: bool = False) -> float:
    """Bits of evidence: the first two runs settle as a mean of two e-values (one not made counts as none) or, where they
    are two seeds of one setting, as their product; each further run is a factor."""
    found = [(r.byte_surplus if octets else r.surplus) or 0.0 for r in runs]
    if len(runs) > 1 and runs[0].setting == runs[1].setting:
        return sum(found)
    second = found[1] if len(found) > 1 else -math.inf
    return bits.evidence([[found[0]], [second]]) + sum(found[2:])


def one_run(lab: Laboratory, source: Source, tuning: Tuning, seed: int) -> RandomRun:
    """Run the script on tokens of this source; what it printed, in bits. `outcome` is a sentence where nothing can be
    counted."""
    case, world, on = lab.case, source.world(lab, seed), f"On {source.kind} tokens"
    run = lab.run_in(world, tuning, f"{source.kind}-{seed}")
    if run.outcome != "scored":
        return RandomRun(tuning.name, seed, f"{on} the script did not reach its score: {run.reason}.")
    line = claimed_line(run, case.claim, case.submission)
    if line is None:
        return RandomRun(tuning.name, seed, f"{on} the script printed no score.")
    seen = watched(run, world, case.claim, once=counts_once(case.trace))
    if seen is None:
        why = "No loss of a val token was seen, so which of them count is not known."
        found = RandomRun(tuning.name, seed, why, line.text, line.loss, line.bpb, fixed=line.fixed)
    else:
        found = account(line, seen, world, tuning.name, seed, source)
    return dataclasses.replace(found, lowest=lowest_loss(run, case.submission))


def account(
    line: Line, seen: Watched, world: World, setting: str, seed: int, source: Source = UNIFORM
) -> RandomRun:
    """The account of one printed line over the positions that were seen to count."""
    octets = world.position_bytes().astype(np.float64)
    counted, size, costs = seen.counted, world.vocab_size, source.costs(world)
    per_token = line.loss / bits.LN2 / line.bpb if line.loss and line.bpb else None
    known = RandomRun(
        setting, seed, facts.SCORED, line.text, line.loss, line.bpb, counted.letters,
        balanced=seen.balanced, fixed=line.fixed, bytes_per_token=per_token,
        official_bytes_per_token=float(counted.weights @ octets / counted.weights.sum()), watched_loss=seen.mean,
    )  # fmt: skip
    if seen.classes < size - 1:
        why = f"The script scores distributions over {seen.classes} classes, not over the tokens."
        return dataclasses.replace(known, outcome=why)
    less = spare(source, seen, world, costs)
    if isinstance(less, str):
        return dataclasses.replace(known, outcome=less)
    if line.loss is not None and not seen.balanced and not _same_tokens(known):
        why = "Whether the printed loss is in nats per token is not known: the books do not balance."
        return dataclasses.replace(known, outcome=why)
    by_bytes = by_loss = None
    if line.bpb is not None:
        by_bytes = bits.by_bytes(line.bpb, line.bpb_rounding, counted, octets, costs, less)
    if line.loss is not None:
        by_loss = bits.by_loss(line.loss, line.loss_rounding, counted, costs, less)
    best = by_loss or by_bytes
    assert best is not None
    octet_bits = by_bytes.claimed if by_bytes else None
    return dataclasses.replace(known, claimed=best.claimed, bound=best.bound, byte_claimed=octet_bits)


def _same_tokens(run: RandomRun) -> bool:
    """Whether the printed loss and BPB are of these tokens and bytes, by their ratio."""
    if run.bytes_per_token is None or run.official_bytes_per_token is None:
        return False
    return abs(run.bytes_per_token / run.official_bytes_per_token - 1) <= WHOLE


@dataclasses.dataclass(frozen=True)
class Reference:
    """What the claimed line and the watched losses were in the run of the audit itself, on other data."""

    loss: float | None
    bpb: float | None
    watched_loss: float | None
    digits: int = 0


def reference_of(lab: Laboratory) -> Reference:
    """What the audit's own run printed, and the mean of its watched losses."""
    run = lab.case.run
    line = claimed_line(run, lab.case.claim, lab.case.submission) if run is not None else None
    seen = watched(run, lab.world, lab.case.claim) if run is not None else None
    if line is None:
        return Reference(None, None, seen.mean if seen else None)
    digits = round(-math.log10(2 * line.bpb_rounding)) if line.bpb_rounding else 0
    return Reference(line.loss, line.bpb, seen.mean if seen else None, digits)


def judge(
    runs: list[RandomRun], vocab_size: int, reference: Reference, source: Source = UNIFORM, price: float = 0.0
) -> Incompressibility:
    """The decision. `price` bits are paid for the choice between several laws."""
    fixed = all(r.fixed for r in runs if r.line is not None)
    if _invented(runs, reference):
        words = (
            f"On {source.kind} tokens the claimed line printed what it printed for real text: {runs[-1].line}"
        )
        status = facts.PROVED if fixed else facts.DOUBTFUL
        return Incompressibility(status, words, tuple(runs), vocab_size, invented=True)
    made, runs = tuple(runs), [r for r in runs if r.surplus is not None]
    if not runs:
        return Incompressibility(facts.NOT_COVERED, made[-1].outcome, made, vocab_size)
    found = total(runs) - price
    octets = total(runs, octets=True) - price if all(r.byte_surplus is not None for r in runs) else None
    result = Incompressibility(facts.CLEAR, _words(runs, found, source), made, vocab_size, found, octets)
    if found < SUSPICIOUS:
        return result
    doubt = _doubt(runs, reference, fixed, source)
    if _invented(runs, reference):
        words = (
            f"{result.reason} The same number was printed for other data, so it was not computed from them."
        )
        return dataclasses.replace(
            result, status=facts.PROVED if fixed else facts.DOUBTFUL, reason=words, invented=True
        )
    if found < bits.PROVED:
        doubt = f"fewer than {bits.PROVED:.0f} bits are no proof"
    if doubt is not None:
        return dataclasses.replace(result, status=facts.DOUBTFUL, reason=f"{result.reason} But {doubt}.")
    return dataclasses.replace(result, status=facts.PROVED)


def _invented(runs: list[RandomRun], reference: Reference) -> bool:
    """Whether each run printed the very numbers that the audit's own run printed for text, though the losses differ."""
    if not reference.bpb or not reference.watched_loss or reference.digits < DIGITS:
        return False
    if any(r.watched_loss is None or abs(r.watched_loss - reference.watched_loss) < OTHER_LOSS for r in runs):
        return False
    return all(r.bpb == reference.bpb and r.loss == reference.loss for r in runs)


def _doubt(runs: list[RandomRun], reference: Reference, fixed: bool, source: Source) -> str | None:
    """What speaks against taking the number for a code length; None where nothing does."""
    if not fixed:
        return "which line is the claimed one is not known"
    if all(r.balanced for r in runs):
        return None
    if any((r.claimed or 0.0) < NO_CODE * (r.bound or 0.0) for r in runs):
        return "the number is too small to be a loss of these tokens in any unit known here"
    if any(r.loss is None and (r.claimed or 0.0) > MISCOUNT * _honest(r, source) for r in runs):
        return "the line prints bits per byte alone, and a wrong count of bytes is not ruled out"
    if _scaled(runs, reference):
        return "the printed number is the watched loss times a constant: another unit or denominator is not ruled out"
    return None


def _honest(run: RandomRun, source: Source) -> float:
    """Bits that the model pays at least: the bound, or what was watched where that is far above it."""
    watched = (run.watched_loss or 0.0) * run.letters / bits.LN2
    return max(run.bound or 0.0, watched if source.above_law else 0.0)


def _scaled(runs: list[RandomRun], reference: Reference) -> bool:
    """Whether the printed number may be the watched loss times a constant."""
    known = [_ratio(r.loss, r.bpb, r.watched_loss) for r in runs]
    text = _ratio(reference.loss, reference.bpb, reference.watched_loss)
    if len(known) < 2 or min(known) <= 0.0:
        return True
    if max(known) / min(known) - 1 > _same(runs):
        return False
    return text <= 0.0 or abs(text / known[0] - 1) <= OTHER_RATIO


def _same(runs: list[RandomRun]) -> float:
    """How far two multiples may lie apart that are the same, by the digits printed."""
    losses = [r.loss for r in runs if r.loss]
    return SAME_RATIO + 10.0**-DIGITS / min(losses) if len(losses) == len(runs) else SAME_BYTES


def _ratio(loss: float | None, bpb: float | None, mean: float | None) -> float:
    """The printed number over the watched loss; 0 where one of them is not known."""
    value = loss if loss is not None else bpb
    return value / mean if value and mean else 0.0


def _words(runs: list[RandomRun], found: float, source: Source) -> str:
    """The result in words that a maintainer can quote: the run that shows most, then the evidence of all."""
    best = max(runs, key=lambda r: r.surplus or 0.0)
    assert best.claimed is not None
    assert best.bound is not None
    claim = f"For {best.letters:,} {source.tokens} the claimed line stands for {best.claimed:,.0f} bits"
    bound = f"no valid predictor needs fewer than {best.bound:,.0f} but by chance"
    if found < 1.0:
        return f"{claim}; {bound}: nothing was saved."
    over = "one run" if len(runs) == 1 else f"{len(runs)} runs"
    return f"{claim}; {bound}. Evidence over {over}: {found:,.0f} bits, p < {chance(found)}."


def chance(found: float) -> str:
    """2 ** -found as a power of ten."""
    return f"1e-{math.floor(found * math.log10(2.0)):d}"
