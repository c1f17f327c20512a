"""Read what a run left in its work folder: data from a stranger, so no link is followed and no size is trusted."""

from __future__ import annotations

import os
import stat
from pathlib import Path, PurePosixPath


class ResultError(Exception):
    """A result cannot be read safely; the sentence says why."""


def read_result(work: Path, name: str, max_bytes: int) -> bytes:
    """The contents of the file `name` (relative, parts divided by "/") below the folder `work`.

    Raises ResultError when it is missing, is not a plain file, lies behind a symbolic link, or holds more
    than `max_bytes`.
    """
    parts = PurePosixPath(name).parts
    if not parts or PurePosixPath(name).is_absolute() or ".." in parts:
        raise ResultError(f"{name!r} is not a path below the work folder")
    folder = os.open(work, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in parts[:-1]:
            folder = _replace(folder, _open(part, folder, os.O_DIRECTORY, name))
        # Without O_NONBLOCK a pipe of that name would hang us.
        file = _open(parts[-1], folder, os.O_NONBLOCK, name)
    finally:
        os.close(folder)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise ResultError(f"{name} is not a plain file")
    with open(file, "rb") as stream:
        data = stream.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise ResultError(f"{name} holds more than {max_bytes} bytes")
    return data


def _open(part: str, folder: int, flags: int, name: str) -> int:
    try:
        return os.open(part, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | flags, dir_fd=folder)
    except OSError as error:
        raise ResultError(f"{name} cannot be read: {error.strerror}") from error


def _replace(old: int, new: int) -> int:
    os.close(old)
    return new
