"""What intake says when the user's input cannot be read: one clear sentence."""

from __future__ import annotations


class IntakeError(Exception):
    """Bad input by the user (a missing path, an unknown pull request); the command line turns it into exit code 2."""
