"""The values that the static evaluator computes with, besides Python's own constants and containers."""

from __future__ import annotations

import ast
import dataclasses


class Unknown(Exception):
    """An expression whose value cannot be told without running the script; the message says why."""


class Exhausted(Unknown):
    """The wrapper computes for too long; nothing more of it is evaluated."""


@dataclasses.dataclass(frozen=True)
class Reference:
    """A module, or something inside one, by its dotted name: "lzma", "base64.b85decode", "os.environ"."""

    name: str


@dataclasses.dataclass(frozen=True)
class Method:
    """A method of a value, such as ", ".join."""

    owner: object
    name: str


@dataclasses.dataclass(frozen=True)
class FilePath:
    """A pathlib path (plain strings are paths as well)."""

    text: str


@dataclasses.dataclass(frozen=True)
class OpenFile:
    """An open file: where it lies and whether it is written to."""

    path: str
    writing: bool
    binary: bool


@dataclasses.dataclass(frozen=True)
class Code:
    """What compile() gives: the text of a program."""

    text: str | bytes


@dataclasses.dataclass(frozen=True)
class ModuleSpec:
    """What importlib.util.spec_from_file_location gives, its loader, and the module made of it."""

    path: str


@dataclasses.dataclass(frozen=True)
class Function:
    """A function or lambda that the wrapper defines."""

    node: ast.FunctionDef | ast.Lambda
