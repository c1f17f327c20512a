"""The system calls that a submission may not make: what namespaces do not divide, and what no training script needs.

A new network namespace leaves address families like AF_VSOCK (to the hypervisor) as they were, so sockets are allowed
by family; io_uring opens sockets past any such filter, so it is refused; and keyrings, BPF, performance counters and
userfaultfd only widen the surface of the kernel.
"""

from __future__ import annotations

import dataclasses
import errno
import platform
import socket
import struct

_FAMILIES = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK)

# struct seccomp_data: the call's number, the architecture, the instruction pointer, six arguments of 64 bits.
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
_X32 = 0x40000000
"""Calls of x86-64's second ABI have this bit; they would pass a filter of numbers."""

_LOAD, _IF_EQUAL, _IF_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _FAIL = 0x7FFF0000, 0x00050000


@dataclasses.dataclass(frozen=True)
class _Machine:
    """Numbers of one architecture. `refused`: add_key, request_key, keyctl, perf_event_open, bpf, userfaultfd."""

    architecture: int
    socket: int
    refused: tuple[int, ...]


_IO_URING = (425, 426, 427)
MACHINES = {
    "x86_64": _Machine(0xC000003E, 41, (248, 249, 250, 298, 321, 323)),
    "aarch64": _Machine(0xC00000B7, 198, (217, 218, 219, 241, 280, 282)),
}


def program(machine: str | None = None) -> bytes:
    """The filter as an array of struct sock_filter. Raises KeyError for a machine whose numbers are not known."""
    known = MACHINES[machine or platform.machine()]
    return b"".join(
        [
            _do(_LOAD, _ARCHITECTURE),
            _when(_IF_EQUAL, known.architecture, skip=1),
            _do(_RETURN, _FAIL | errno.ENOSYS),
            _do(_LOAD, _NUMBER),
            _when(_IF_AT_LEAST, _X32, skip_else=1),
            _do(_RETURN, _FAIL | errno.ENOSYS),
            *(part for number in (*known.refused, *_IO_URING) for part in _refuse(number)),
            _when(_IF_EQUAL, known.socket, skip=1),
            _do(_RETURN, _ALLOW),
            _do(_LOAD, _FIRST_ARGUMENT),
            *(part for family in _FAMILIES for part in _permit(family)),
            _do(_RETURN, _FAIL | errno.EAFNOSUPPORT),
        ]
    )


def _refuse(number: int) -> tuple[bytes, bytes]:
    return _when(_IF_EQUAL, number, skip_else=1), _do(_RETURN, _FAIL | errno.EPERM)


def _permit(family: int) -> tuple[bytes, bytes]:
    return _when(_IF_EQUAL, family, skip_else=1), _do(_RETURN, _ALLOW)


def _do(code: int, value: int) -> bytes:
    return struct.pack("=HBBI", code, 0, 0, value)


def _when(code: int, value: int, *, skip: int = 0, skip_else: int = 0) -> bytes:
    """Compare: skip so many instructions when it holds, and so many when it does not."""
    return struct.pack("=HBBI", code, skip, skip_else, value)
