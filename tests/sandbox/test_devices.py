"""A device node that is given works as a device, and no other node comes with it."""

from __future__ import annotations

from pathlib import Path

from harness.sandbox import Mount
from tests.sandbox.conftest import Room


def test_a_device_that_is_given_can_be_used(room: Room) -> None:
    node = Mount(Path("/dev/zero"), "/dev/given0", device=True)
    room.python("print(open('/dev/given0', 'rb').read(3))", mounts=(node,))
    assert room.said() == str(b"\0\0\0")


def test_no_device_is_there_unless_given(room: Room) -> None:
    room.python(
        "import os; print(sorted(n for n in os.listdir('/dev') if n.startswith(('given', 'nvidia'))))"
    )
    assert room.said() == "[]"
