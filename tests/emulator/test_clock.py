"""The virtual clock and the other sources of difference between two runs."""

from __future__ import annotations

from .conftest import RunScript

STEPS = """
    import time, torch
    p = torch.nn.Parameter(torch.ones(3, device="cuda"))
    adam, sgd = torch.optim.Adam([p], lr=0.1, fused=True), torch.optim.SGD([p], lr=0.1)
    start = time.perf_counter()
    for _ in range(4):
        for micro in range(2):
            p.square().sum().backward()
        adam.step(); sgd.step()
        adam.zero_grad()
        print(round(time.perf_counter() - start))
"""


def test_training_steps_take_their_share_of_the_budget(run_script: RunScript) -> None:
    done = run_script(STEPS, clock={"step_seconds": 100.0, "steps": 3})
    assert done.stdout.split() == ["100", "200", "300", "301"]


def test_two_runs_are_the_same(run_script: RunScript) -> None:
    source = """
        import time, uuid, datetime, random, secrets, threading, torch, numpy as np
        print(time.time(), time.perf_counter_ns(), time.strftime("%F %T"), datetime.datetime.now())
        t = threading.Thread(target=lambda: [torch.ones(1) for _ in range(50)] and time.sleep(3)); t.start()
        time.sleep(0.5); t.join()
        print(time.monotonic(), uuid.uuid4(), secrets.token_hex(4), random.random(), np.random.rand(), torch.rand(1))
        print(np.random.default_rng().random(), hash("a"))
    """
    assert run_script(source).stdout == run_script(source).stdout


def test_waiting_for_the_clock_ends(run_script: RunScript) -> None:
    run_script(
        """
        import threading, time
        def spin():
            start = time.monotonic()
            while time.monotonic() - start < 0.01:
                pass
        spin()
        t = threading.Thread(target=spin); t.start(); t.join()
        start = time.time(); time.sleep(100); assert 100 <= time.time() - start < 101
        """
    )


def test_timeouts_of_child_processes_are_real(run_script: RunScript) -> None:
    done = run_script(
        """
        import subprocess, time
        time.sleep(3600)
        print(subprocess.run(["sh", "-c", "sleep 0.3; echo done"], capture_output=True, text=True, timeout=20).stdout)
        """
    )
    assert "done" in done.stdout
