"""A transplanted artifact, end to end on small scripts: what scores is the artifact, the memory, or training data."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from cli import default_cache
from harness.audit import _world
from harness.case import Case, Claim, Origin, Status, Submission
from harness.emulate import emulate
from harness.intake import load_target
from harness.intake.claim import claimed_configuration
from harness.sandbox import default_sandbox
from harness.witnesses.probes import Laboratory, ProbeFacts
from harness.witnesses.probes.again import again
from harness.witnesses.probes.facts import CLEAR, DOUBTFUL, NOT_COVERED, Transplant
from harness.witnesses.probes.printed import Line
from harness.witnesses.probes.transplant import APART, equal, transplant
from harness.witnesses.trace.run import trace_of
from rules.A2 import score_comes_from_the_artifact
from rules.D5 import training_data_stays_in_training
from tests.probes.test_end_to_end import SCRIPT

LOAD = 'model.load_state_dict(torch.load("final_model.pt"))\n'
HONEST = SCRIPT.replace("EARLY", "False")
VARIANTS = {
    "honest": HONEST,
    "packed": HONEST.replace(LOAD, """
import lzma
blob = io.BytesIO()
torch.save(model.state_dict(), blob)
with open("tmp.xz", "wb") as file:
    for part in (blob.getvalue()[:1000], blob.getvalue()[1000:]):
        file.write(part)
packed = lzma.compress(open("tmp.xz", "rb").read())
open("model.xz.part", "wb").write(packed)
os.rename("model.xz.part", "model.xz")
model = Model()
model.load_state_dict(torch.load(io.BytesIO(lzma.decompress(open("model.xz", "rb").read()))))
"""),
    "memory": HONEST.replace(LOAD, 'torch.load("final_model.pt")\n'),
    "training data": HONEST.replace(LOAD, LOAD + """
for (x, y), _ in zip(batches(shards("fineweb_train_*.bin"), 8), range(iterations)):
    adapt(model, optimizer, x, y)
"""),
    "never read": HONEST.replace(LOAD, ""),
}  # fmt: skip
EXPECTED = {
    "honest": (CLEAR, "not_asked", Status.PASS),
    "packed": (CLEAR, "not_asked", Status.PASS),
    "memory": (DOUBTFUL, "same", Status.REVIEW),
    "training data": (DOUBTFUL, "changed", Status.REVIEW),
    "never read": (NOT_COVERED, "not_asked", Status.NOT_COVERED),
}


def laboratory(script: str, folder: Path) -> Laboratory:
    """A small submission, run once."""
    here = folder / "2026-04-01_Small"
    here.mkdir()
    (here / "train_gpt.py").write_text(script)
    (here / "README.md").write_text("# Small\n")
    (here / "submission.json").write_text(json.dumps({"val_bpb": 1.2, "val_loss": 2.0}))
    (here / "train_seed1.log").write_text("final_exact val_loss:2.00000000 val_bpb:1.20000000\n")
    submission: Submission = load_target(here, folder / "scratch")[0]
    claim = claimed_configuration(submission)
    cache, sandbox = default_cache(), default_sandbox()
    case = Case(submission, claim)
    world = _world(case, cache)
    run = emulate(submission, claim, folder / "run", cache=cache, sandbox=sandbox, world=world)
    case = dataclasses.replace(case, run=run, trace=trace_of(run, world, claim))
    return Laboratory(case, world, folder / "probes", cache, sandbox, 300.0)


@pytest.mark.parametrize("name", VARIANTS)
def test_what_the_score_rests_on(name: str, tmp_path: Path) -> None:
    lab = laboratory(VARIANTS[name], tmp_path)
    found = transplant(lab)
    status, shards, ruled = EXPECTED[name]
    assert (found.status, found.shards) == (status, shards), found
    case = dataclasses.replace(lab.case, probes=ProbeFacts(transplant=found))
    assert score_comes_from_the_artifact(case).status is ruled
    assert found.among == (found.status == CLEAR)
    fails = training_data_stays_in_training(case).status is Status.FAIL
    assert fails == (shards == "changed")


def test_a_run_among_the_files_of_the_first_is_not_made_twice(tmp_path: Path) -> None:
    """No sandbox is asked: the transplanted run has shown it."""
    lab = Laboratory(None, None, tmp_path, tmp_path, None, 1.0)  # type: ignore[arg-type]
    lab = dataclasses.replace(lab, case=SimpleNamespace(run=None, claim=None, submission=None))  # type: ignore[arg-type]
    moved = Transplant(CLEAR, "x", own="a", transplanted="b", among=True)
    assert again(lab, moved).status == CLEAR
    assert again(lab, dataclasses.replace(moved, among=False)).status == NOT_COVERED


def line(loss: float, bpb: float | None = 1.5) -> Line:
    return Line("x", loss, 0.00005, bpb, 0.00005, True)


def test_scores_are_the_same_within_the_rounding_of_their_print() -> None:
    assert equal(line(2.0), line(2.0001))
    assert not equal(line(2.0), line(2.0002))
    assert equal(line(2.0), line(2.0002), APART)
    assert not equal(line(2.0), line(2.0, None))


def test_settings_in_doubt_hold_training_data_at_a_question(tmp_path: Path) -> None:
    found = Transplant(DOUBTFUL, "x", shards="changed", shards_reason="It reads training data.")
    submission = Submission("t", "t", tmp_path, Origin("t"), None, {}, "record")
    sure = Case(submission, Claim(), probes=ProbeFacts(transplant=found))
    unsure = dataclasses.replace(sure, claim=Claim(ambiguous=("two commands disagree",)))
    assert training_data_stays_in_training(sure).status is Status.FAIL
    assert training_data_stays_in_training(unsure).status is Status.REVIEW
