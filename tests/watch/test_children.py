"""What the script hands to other processes is noted, and what such a process learned from val is no secret."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.inside.watch.children import runs_a_program
from harness.witnesses.trace import Trace

FORK = """
if os.fork() == 0:
    {work}
    torch.save(net.state_dict(), "w.pt")
    os._exit(0)
os.wait()
net.load_state_dict(torch.load("w.pt"))
evaluate()
"""


def test_a_forked_child_that_trains_on_val_blinds_the_trace(watched: Callable[..., Trace]) -> None:
    trace = watched(FORK.format(work="train(X[:8], Y[:8])"), holes=True)
    assert trace.blinded
    assert not trace.covers
    assert trace.holes == ("a child process changed a model with 512 val tokens",)


def test_a_forked_child_that_trains_on_other_tokens_does_not(watched: Callable[..., Trace]) -> None:
    trace = watched(FORK.format(work="train(torch.randint(0, 64, (4, 64)), torch.randint(0, 64, (4, 64)))"))
    assert trace.covers
    assert trace.balance.nats


def test_what_the_parent_has_not_written_yet_is_not_written_twice(watched: Callable[..., Trace]) -> None:
    source = "evaluate('first')\nif os.fork() == 0:\n    raise SystemExit\nos.wait()\nevaluate()\n"
    trace = watched(source)
    assert trace.balance.nats
    assert trace.losses is not None


def test_a_new_interpreter_is_not_watched_and_the_trace_says_so(watched: Callable[..., Trace]) -> None:
    source = """
        import subprocess, sys
        open("other.py", "w").write("print(1)")
        subprocess.run([sys.executable, "other.py"], check=True, capture_output=True)
        evaluate()
    """
    trace = watched(source, holes=True)
    assert trace.blinded
    assert trace.holes[0].startswith("the script ran Python in a process that is not watched")


@pytest.mark.parametrize(
    ("command", "program"),
    [
        ("/usr/bin/python3 helper.py --epochs 3", True),
        ("python -m my_trainer", True),
        ("cd /tmp && python3.12 run.py", True),
        ("/usr/bin/python -c " + "x = 1;" * 50, True),
        ("/usr/bin/python -c import flash_attn", False),
        ("/usr/bin/python3 -m pip install brotli", False),
        ("nvidia-smi --query-gpu=name", False),
        ("gcc -O3 -shared /work/python_helper.c -o x.so", False),
        ("lrzip -q model.bin", False),
    ],
)
def test_which_commands_run_a_program_in_python(command: str, program: bool) -> None:
    assert runs_a_program(command) is program
