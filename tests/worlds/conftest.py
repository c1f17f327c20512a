"""Miniature worlds, each built once for all tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.worlds import World
from harness.worlds.miniature import miniature

Make = Callable[..., World]


@pytest.fixture(scope="session")
def make_world(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """The miniature world of a vocabulary, from a cache that lasts for the session."""
    cache = tmp_path_factory.mktemp("worlds")

    def make(vocab_size: int = 1024, *, caseops: bool = False) -> World:
        return miniature(vocab_size, Path(cache), val_tokens=8_193, train_tokens=65_536, caseops=caseops)

    return make
