"""Whole reruns on the CPU in the miniature world: what is captured, measured, resumed, and what a death leaves behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from harness.case import Submission
from harness.intake.claim import claimed_configuration
from harness.sandbox import default_sandbox
from harness.witnesses.rerun import NoDevice, RerunFacts, scoring
from harness.witnesses.rerun.facts import Measured
from harness.witnesses.rerun.process import Place
from harness.worlds.fineweb import OfficialData
from tests.rerun.conftest import Made, Rerun, changed

Load = Callable[[str], Submission]


@pytest.fixture(scope="module")
def adapting(rerun_of: Rerun, example: Load) -> Made:
    return rerun_of(example("score_first_ttt"), processes=2)


def by_name(facts: RerunFacts) -> dict[str, Measured]:
    assert all(m.failed is None for m in facts.measured)
    return {m.weights: m for m in facts.measured}


def test_our_score_of_the_decoded_weights_is_what_the_script_prints(sliding: Made) -> None:
    facts = sliding[0]
    ours = by_name(facts)["decoded"]
    assert facts.finished
    assert facts.stride < facts.length
    assert (ours.loss, ours.bpb) == pytest.approx((facts.outcome.loss, facts.outcome.bpb), abs=1e-6)
    assert facts.claimed.measured == ours.bpb
    assert not facts.claimed.comparable


def test_the_books_of_its_own_pass_balance(sliding: Made) -> None:
    (own,) = sliding[0].passes
    assert own.claimed
    assert own.positions == sliding[0].targets
    assert (own.loss, own.bpb) == pytest.approx((own.printed_loss, own.printed_bpb), abs=1e-6)


def test_its_own_quantization_of_the_float_weights_gives_the_same_artifact(sliding: Made) -> None:
    artifact = sliding[0].artifact
    assert artifact is not None
    assert artifact.again == "identical"
    assert artifact.loaded
    assert artifact.loaded_told == "the very weights that scored, 10 tensors to the bit"
    made = next((sliding[1] / "run" / "work").rglob("final_model.int6.ptz"))
    assert (artifact.name, artifact.bytes) == (made.name, made.stat().st_size)


def test_quantization_is_compared_and_has_yardsticks(sliding: Made) -> None:
    facts = sliding[0]
    assert facts.quantization is not None
    assert facts.artifact is not None
    matrices = [t for t in facts.quantization.tensors if t.elements > 4096]
    assert all(0 < t.relative < 0.05 and t.levels <= 64 for t in matrices)
    assert not facts.quantization.unmatched
    elements = sum(t.elements for t in facts.quantization.tensors)
    assert facts.quantization.bits_per_weight == pytest.approx(8 * facts.artifact.bytes / elements)
    finer, coarser = facts.yardsticks
    assert finer.bytes > coarser.bytes
    assert finer.relative < coarser.relative
    scores = by_name(facts)
    assert scores.keys() == {"decoded", "float", "int8", "int6"}
    assert abs(scores["int8"].loss - scores["float"].loss) < 0.02


def test_a_second_call_keeps_every_step(sliding: Made, rerun_of: Rerun, example: Load) -> None:
    facts, folder = sliding
    before = (folder / "run" / "stdout.txt").stat().st_mtime_ns
    again, _ = rerun_of(example("sliding_window"), folder)
    assert (folder / "run" / "stdout.txt").stat().st_mtime_ns == before
    assert all(s.told.endswith("(kept from an earlier call)") for s in again.steps)
    assert again.measured == facts.measured


def test_a_step_whose_file_is_gone_is_done_again(sliding: Made, rerun_of: Rerun, example: Load) -> None:
    facts, folder = sliding
    (folder / "score" / "out" / "losses-float.npy").unlink()
    again, _ = rerun_of(example("sliding_window"), folder)
    kept = {s.name for s in again.steps if s.told.endswith("(kept from an earlier call)")}
    assert kept == {"run", "again", "load", "yardsticks", "passes"}
    assert [m.loss for m in again.measured] == [m.loss for m in facts.measured]


def test_two_processes_score_with_the_bits_of_one(sliding: Made, data: OfficialData, example: Load) -> None:
    facts, folder = sliding
    subject = example("sliding_window")
    assert subject.script is not None
    claim = claimed_configuration(subject)
    place = Place(subject, subject.script, claim, data, default_sandbox(), "cpu", 2, folder, 300.0)
    chosen = [scoring.Set("decoded", folder / "run" / "out" / "decoded.pt")]
    scoring.score(place, folder / "two", chosen, facts.length, facts.stride, scoring.BATCH["cpu"])
    one, two = (np.load(folder / name / "out" / "losses-decoded.npy") for name in ("score", "two"))
    assert one.tobytes() == two.tobytes()


def test_test_time_training_runs_whole_with_two_processes(adapting: Made) -> None:
    facts = adapting[0]
    assert facts.finished
    own = next(p for p in facts.passes if p.claimed)
    assert own.positions == facts.targets
    assert (own.loss, own.bpb) == pytest.approx((own.printed_loss, own.printed_bpb), abs=1e-6)
    assert own.steps > 0
    assert own.train_calls > 0
    assert own.trained_before == 0
    assert facts.claimed.measured == facts.outcome.bpb
    assert facts.claimed.source.startswith("the script's own evaluation")


def test_before_and_after_test_time_training(adapting: Made) -> None:
    titles = {c.title: c for c in adapting[0].changes}
    adapted = titles["decoded, not adapted -> the script's own evaluation"]
    scores = by_name(adapting[0])
    own = next(p for p in adapting[0].passes if p.claimed)
    assert own.loss is not None
    assert scores["decoded"].loss is not None
    assert adapted.mean == pytest.approx(own.loss - scores["decoded"].loss, abs=1e-6)
    assert sum(b.tokens for b in adapted.histogram) == adapted.positions == adapting[0].targets
    assert sum(b.nats for b in adapted.histogram) == pytest.approx(adapted.mean)


def test_a_process_that_dies_ends_the_run_with_its_reason(
    rerun_of: Rerun, example: Load, tmp_path: Path
) -> None:
    death = '    if RANK == 1:\n        raise OSError("no more")\n    net = GPT()'
    facts, _ = rerun_of(changed(example("sliding_window"), tmp_path, {"    net = GPT()": death}), processes=2)
    assert not facts.finished
    assert "process 1 failed: OSError" in facts.outcome.reason
    assert "no more" in facts.outcome.reason
    assert facts.measured == ()


def test_a_process_that_is_killed_ends_the_run_and_earlier_steps_stay(
    sliding: Made, rerun_of: Rerun, example: Load, tmp_path: Path
) -> None:
    death = "    os.kill(os.getpid(), 9)\n    net = GPT()"
    facts, _ = rerun_of(changed(example("sliding_window"), tmp_path, {"    net = GPT()": death}))
    assert facts.outcome.reason == "a process was killed by signal 9"
    state = json.loads((sliding[1] / "state.json").read_text())
    assert state.keys() == {"run", "again", "load", "yardsticks", "score", "passes"}


def test_no_gpu_is_one_clear_sentence(rerun_of: Rerun, example: Load) -> None:
    with pytest.raises(NoDevice, match="--device cuda needs an NVIDIA GPU"):
        rerun_of(example("sliding_window"), device="cuda")
