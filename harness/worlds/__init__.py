"""Worlds: the data that a submission is run on. ``miniature.py`` is built in and needs no download."""

from harness.worlds.bytetable import ByteTable
from harness.worlds.layout import Layout
from harness.worlds.world import NGRAM, World

__all__ = ["NGRAM", "ByteTable", "Layout", "World"]
