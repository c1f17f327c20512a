"""Training shards by lists of files that validation shards get into too."""

from __future__ import annotations

import pytest

from tests.static import scripts
from tests.static.test_order import kinds, look

LOADED = "    tokens = read_all(s.train_files)\n    opt"
FILES = "    files = {files}\n    tokens = torch.cat([read_shard(p) for p in files])\n    opt"

MIXED = (
    'glob.glob(s.train_files) + glob.glob(os.path.join(s.data, "fineweb_[!t]*_*.bin"))',
    'glob.glob(s.train_files) + glob.glob(os.path.join(s.data, "fineweb_v*_*.bin"))',
    'glob.glob(os.path.join(s.data, "fineweb_" + chr(118) + "al_*.bin"))',
    '[os.path.join(s.data, f) for f in os.listdir(s.data) if f.endswith(".bin")]',
    '[p for p in __import__("pathlib").Path(s.data).iterdir() if p.suffix == ".bin"]',
    'sorted(__import__("pathlib").Path(s.data).rglob("*.bin"))',
    "[entry.path for entry in os.scandir(s.data)]",
    "[os.path.join(folder, f) for folder, _, held in os.walk(s.data) for f in held]",
    'glob.glob(s.train_files.replace("_train_", "_*_"))',
)
SORTED_OUT = (
    '[os.path.join(s.data, f) for f in os.listdir(s.data) if f.startswith("fineweb_train_")]',
    '[os.path.join(s.data, f) for f in os.listdir(s.data) if "train" in f]',
    '[entry.path for entry in os.scandir(s.data) if "train" in entry.name]',
    'sorted(glob.glob(os.path.join(s.data, "fineweb_train_0000*.bin")))[:8]',
)


def trained_on(files: str) -> str:
    """A script that trains on the shards of a list."""
    return scripts.script(scripts.PLAIN).replace(LOADED, FILES.replace("{files}", files))


@pytest.mark.parametrize("files", MIXED)
def test_a_list_that_val_shards_get_into_is_a_question(files: str) -> None:
    facts = look(trained_on(files))
    assert kinds(facts, "depends") == {"train_on_val_before_score"}
    assert all(f.unreached for f in facts.facts)


@pytest.mark.parametrize("files", SORTED_OUT)
def test_a_list_of_training_shards_is_none(files: str) -> None:
    assert look(trained_on(files)).facts == ()


def test_a_pattern_turned_into_that_of_val_is_val() -> None:
    facts = look(trained_on('glob.glob(s.train_files.replace("train", "val"))'))
    assert kinds(facts) == {"train_on_val_before_score"}
