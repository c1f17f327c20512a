"""Reruns of whole small submissions, each made once: they take most of this folder's time."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.case import Submission
from harness.intake import load_target
from harness.intake.claim import claimed_configuration
from harness.sandbox import default_sandbox
from harness.witnesses.rerun import RerunFacts, Settings, rerun
from harness.worlds import World
from harness.worlds.fineweb import OfficialData, official_data
from harness.worlds.miniature import miniature

EXAMPLES = Path(__file__).parents[2] / "submissions" / "pass"

Rerun = Callable[..., tuple[RerunFacts, Path]]
Made = tuple[RerunFacts, Path]


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return miniature(1024, tmp_path_factory.mktemp("worlds"), val_tokens=2_085, train_tokens=40_000)


@pytest.fixture(scope="session")
def data(world: World) -> OfficialData:
    return official_data(world.root, world.tokenizer())


@pytest.fixture(scope="session")
def example(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Submission]:
    def load(name: str) -> Submission:
        return load_target(EXAMPLES / name, tmp_path_factory.mktemp(name))[0]

    return load


@pytest.fixture(scope="session")
def rerun_of(data: OfficialData, tmp_path_factory: pytest.TempPathFactory) -> Rerun:
    """Rerun a submission in a fresh folder, or in one that an earlier call left."""

    def make(subject: Submission, work: Path | None = None, **options: object) -> tuple[RerunFacts, Path]:
        folder = work or tmp_path_factory.mktemp("rerun")
        settings = dataclasses.replace(Settings(seconds=400), **options)
        claim = claimed_configuration(subject)
        return rerun(subject, claim, data, folder, default_sandbox(), settings), folder

    return make


@pytest.fixture(scope="session")
def sliding(rerun_of: Rerun, example: Callable[[str], Submission]) -> Made:
    """`sliding_window`, rerun by one process."""
    return rerun_of(example("sliding_window"))


def changed(subject: Submission, folder: Path, pieces: dict[str, str]) -> Submission:
    """The submission with pieces of its script exchanged; `folder` is where it is put."""
    assert subject.script is not None
    source = subject.script.source
    for old, new in pieces.items():
        assert old in source
        source = source.replace(old, new)
    root = folder / "submission"
    root.mkdir()
    (root / subject.script.path).write_text(source)
    for name in subject.files:
        if name != subject.script.path:
            (root / name).write_bytes((subject.root / name).read_bytes())
    script = dataclasses.replace(subject.script, source=source, runnable=source, sha256=str(hash(source)))
    return dataclasses.replace(subject, root=root, script=script)
