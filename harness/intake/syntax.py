"""Parsing a stranger's source without harm: every way in which the parser can fail becomes one sentence."""

from __future__ import annotations

import ast
import warnings


class Unparsable(Exception):
    """The source cannot be parsed; the message says where and why."""


def parse(source: str) -> ast.Module:
    """The syntax tree of a program, or Unparsable. Raises nothing else, whatever the text holds."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a stranger's invalid escapes are not the auditor's warnings
            return ast.parse(source)
    except SyntaxError as error:
        raise Unparsable(f"line {error.lineno or 1}: {error.msg}") from error
    except ValueError as error:
        raise Unparsable(f"it holds characters that no Python source may hold ({error})") from error
    except (RecursionError, MemoryError) as error:
        raise Unparsable("its expressions are nested too deeply for the Python parser") from error
