"""Start a program under resource limits and tied to its parent's life: ``entry.py PARENT LIMITS PROGRAM ARGUMENTS``.

It runs outside the sandbox, between the auditor and the sandbox's program, as a process of its own because
nothing may run between fork and exec in a program with threads. LIMITS is "NAME=VALUE,..." of resource
limits.
"""

import ctypes
import os
import resource
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(parent: str, limits: str, *program: str) -> None:
    """Replace this process by the program. Exits when the auditor is gone already."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != int(parent):
        raise SystemExit(1)
    for limit in limits.split(","):
        name, value = limit.split("=")
        number = getattr(resource, name)
        hard = resource.getrlimit(number)[1]
        bound = int(value) if hard == resource.RLIM_INFINITY else min(int(value), hard)
        resource.setrlimit(number, (bound, bound))
    # Where memory runs out all the same, the kernel is to take this tree and nothing else.
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")
    os.execv(program[0], program)


if __name__ == "__main__":
    main(*sys.argv[1:])
