"""The emulated run from submission to outcome, in the sandbox."""

from __future__ import annotations

import hashlib
import textwrap
from pathlib import Path

import pytest

from harness.case import Claim, Evidence, Origin, Script, Setting, Submission
from harness.emulate import Run, emulate
from harness.intake import load_target
from harness.sandbox import SandboxUnavailable, default_sandbox

EXAMPLE = Path(__file__).parents[2] / "submissions" / "pass" / "plain_eval"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def submission(root: Path, source: str) -> Submission:
    source = textwrap.dedent(source)
    root.mkdir(parents=True, exist_ok=True)
    (root / "train_gpt.py").write_text(source)
    script = Script(
        "train_gpt.py",
        len(source),
        hashlib.sha256(source.encode()).hexdigest(),
        source,
        source,
        "train_gpt.py",
    )
    files = {p.name: p.stat().st_size for p in root.iterdir()}
    return Submission("small", "records/track_10min_16mb/small", root, Origin("here"), script, files)


def run(subject: Submission, out: Path, cache: Path, seconds: float = 120, claim: Claim | None = None) -> Run:
    try:
        sandbox = default_sandbox()
    except SandboxUnavailable as error:
        pytest.skip(str(error))
    return emulate(subject, claim or Claim(), out, cache=cache, sandbox=sandbox, watch=False, seconds=seconds)


def test_a_real_script_scores_and_two_runs_are_equal(tmp_path: Path, cache: Path) -> None:
    (subject,) = load_target(EXAMPLE, tmp_path / "in")
    first, second = (run(subject, tmp_path / name, cache) for name in ("first", "second"))
    assert first.outcome == "scored", first.reason
    assert "val_bpb" in first.stdout
    assert first.stdout == second.stdout
    assert {name: used for name, _, used in first.overrides}["MODEL_DIM"] != "512"


def test_data_is_where_scripts_look_and_helpers_are_beside(tmp_path: Path, cache: Path) -> None:
    root = tmp_path / "in"
    root.mkdir()
    (root / "helper.py").write_text("model_dim = 512\n")
    subject = submission(
        root,
        """
        import glob, os, helper
        assert glob.glob("./data/datasets/fineweb10B_sp1024/fineweb_val_*.bin"), os.listdir("./data")
        assert glob.glob("../../../data/tokenizers/fineweb_1024_bpe.model")
        assert glob.glob(os.environ["DATA_PATH"] + "/fineweb_train_*.bin")
        assert os.path.exists("/workspace/golf/datasets/fineweb10B_sp1024")
        assert os.getcwd() == "/work/records/track_10min_16mb/small" and helper.model_dim == 64
        print("val_bpb:1.0", os.environ["CLAIMED"], "LD_PRELOAD" in os.environ)
        """,
    )
    line = Evidence("README.md", 1, "")
    claim = Claim(settings=(Setting("CLAIMED", "yes", line), Setting("LD_PRELOAD", "x.so", line)))
    done = run(subject, tmp_path / "out", cache, claim=claim)
    assert done.outcome == "scored", done.reason
    assert "val_bpb:1.0 yes False" in done.stdout


@pytest.mark.parametrize(
    ("source", "outcome", "words"),
    [
        ("import torch\nx = {}\nx['k']\n", "crashed", "KeyError at line 3 of the script: 'k'"),
        ("import mamba_ssm\n", "missing_package", "needs the package mamba_ssm, which is not installed"),
        ("print('hello')\n", "no_score", "without printing a score"),
        (
            "import subprocess\nsubprocess.run(['no-such-packer'], check=True)\n",
            "missing_tool",
            "no-such-packer",
        ),
        ("import os\nos._exit(3)\n", "crashed", "exit code 3"),
    ],
)
def test_outcomes(tmp_path: Path, cache: Path, source: str, outcome: str, words: str) -> None:
    done = run(submission(tmp_path / "in", source), tmp_path / "out", cache)
    assert (done.outcome, words in done.reason) == (outcome, True), done.reason


def test_timeout(tmp_path: Path, cache: Path) -> None:
    done = run(submission(tmp_path / "in", "while True: pass\n"), tmp_path / "out", cache, seconds=6)
    assert done.outcome == "timeout"


def test_a_failure_of_shape_is_tried_once_at_a_milder_scale(tmp_path: Path, cache: Path) -> None:
    source = "import os\ndim = int(os.environ.get('MODEL_DIM', 512))\nassert dim >= 128, dim\nprint('val_bpb:1.0')\n"
    done = run(submission(tmp_path / "in", source), tmp_path / "out", cache)
    assert done.outcome == "scored", done.reason
    assert done.notes[0].startswith("repeated at a milder scale after AssertionError")


def test_what_still_fails_runs_at_full_width(tmp_path: Path, cache: Path) -> None:
    source = "import os\ndim = int(os.environ.get('MODEL_DIM', 512))\nassert dim >= 512, 'wide'\nprint('val_bpb:1.0')\n"
    done = run(submission(tmp_path / "in", source), tmp_path / "out", cache)
    assert done.outcome == "scored", done.reason
    assert done.notes == ("repeated at full width after AssertionError at line 3 of the script: wide",)


def test_a_setting_that_the_failure_names_stays_as_claimed(tmp_path: Path, cache: Path) -> None:
    source = """
        import os
        length, dim = int(os.environ.get("TRAIN_SEQ_LEN", 1024)), int(os.environ.get("MODEL_DIM", 512))
        if length != 1024:
            raise ValueError(f"this model fixes TRAIN_SEQ_LEN=1024, got {length}")
        print(f"val_bpb:{dim}")
    """
    done = run(submission(tmp_path / "in", textwrap.dedent(source)), tmp_path / "out", cache)
    assert done.outcome == "scored", done.reason
    assert done.notes[0].startswith(
        "repeated at the same scale with train_seq_len as claimed after ValueError"
    )
    assert "val_bpb:64" in done.stdout


def test_a_script_that_cannot_run_under_torchrun_runs_plainly(tmp_path: Path, cache: Path) -> None:
    source = """
        import os, torch
        model = torch.nn.Linear(2, 2)
        model.logits = model.forward
        if "RANK" in os.environ:
            model = torch.nn.parallel.DistributedDataParallel(model)
        model.logits(torch.ones(2))
        print("val_bpb:1.0")
    """
    done = run(submission(tmp_path / "in", textwrap.dedent(source)), tmp_path / "out", cache)
    assert done.outcome == "scored", done.reason
    assert done.notes[0].startswith(
        "repeated at the same scale, started without torchrun after AttributeError"
    )


def test_annotations_may_name_what_is_imported_later(tmp_path: Path, cache: Path) -> None:
    source = "def f(x: np.ndarray) -> None: ...\n\nimport numpy as np\nprint(f'val_bpb:{np.float64(1.5)}')\n"
    done = run(submission(tmp_path / "in", source), tmp_path / "out", cache)
    assert done.outcome == "scored", done.reason
    assert done.notes[0].startswith(
        "repeated at the same scale, with annotations as in Python 3.14 after NameError"
    )


def test_what_is_broken_in_every_way_stays_crashed(tmp_path: Path, cache: Path) -> None:
    done = run(submission(tmp_path / "in", "raise ValueError('no')\n"), tmp_path / "out", cache)
    assert (done.outcome, done.notes) == ("crashed", ("failed in 3 ways of running it",))


def test_without_a_script_there_is_nothing_to_run(tmp_path: Path, cache: Path) -> None:
    empty = Submission("none", "none", tmp_path, Origin("here"), None, {})
    with pytest.raises(ValueError, match="has no script"):
        run(empty, tmp_path / "out", cache)


def test_a_prompt_is_answered_with_its_default(tmp_path: Path, cache: Path) -> None:
    source = "seed = int(input('Enter seed (default 42): ') or '42')\nprint(f'val_bpb:{seed}.0')\n"
    done = run(submission(tmp_path / "in", source), tmp_path / "out", cache)
    assert done.outcome == "scored", done.reason
    assert "val_bpb:42.0" in done.stdout
